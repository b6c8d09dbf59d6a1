"""A process that has imported what a command of ours imports, and starts that command by a fork, as often as it is told.

Importing is most of what a start takes: a second and a half of a core for a gateway. What is started is the command all the
same, from its arguments on, in a process of its own with its own environment, folder and streams. Tests of starting and
stopping start the real commands, whose imports and interpreter are their own.

    python -P -m tests.forking KIND FD
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
from typing import Any, NamedTuple, NoReturn

WHOLE = "mitmdump"
"""Stands on all of mitmproxy's addons; everything else is kept from them, as it keeps itself."""
IMPORTED = {
    "up": ("pipeline.order", "pipeline.serve", "pipeline.check", "pipeline.process", "cli.app", "cli.up"),
    "mitmdump": ("pipeline.options", "pipeline.script", "pipeline.order"),
    "sluicegate": ("cli.app", "cli.approvals", "cli.request", "cli.sessions"),
    "sluicegate-replay": ("cli",),
}
"""By kind, the modules of its package that are there before the first fork."""


class Asked(NamedTuple):
    """What to start. The streams and the place for its status come beside it, as descriptors."""

    command: list[str]
    environment: dict[str, str]
    folder: str


def main() -> None:
    kind, line = sys.argv[1], socket.socket(fileno=int(sys.argv[2]))
    if kind != WHOLE:
        from sluicegate.pipeline import few_addons

        few_addons.leave_out_the_rest()
    package = "sluicegate_replay" if kind == "sluicegate-replay" else "sluicegate"
    for name in IMPORTED[kind]:
        importlib.import_module(f"{package}.{name}")
    if kind == WHOLE:
        importlib.import_module("mitmproxy.tools.main")
        importlib.import_module("mitmproxy.tools.dump")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that mind the others end by themselves
    while asked := next_of(line):
        line.close()
        become(kind, asked)


def next_of(line: socket.socket) -> Asked | None:
    """In each new process what it is to become; here nothing, once nobody asks any more."""
    while True:
        data, files, _, _ = socket.recv_fds(line, 1 << 20, 3)
        if not data:
            return None
        out, err, status = files
        asked = Asked(*json.loads(data))
        if os.fork() == 0:
            line.close()
            mind(asked, out, err, status)
            return asked
        for file in files:
            os.close(file)


def mind(asked: Asked, out: int, err: int, status: int) -> None:
    """Returns in the process that is to become the command; stays behind to say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
        os.close(out)
        os.close(err)
        os.write(status, b"%d\n" % pid)
        _, ended = os.waitpid(pid, 0)
        os.write(status, b"%d\n" % os.waitstatus_to_exitcode(ended))
        os._exit(0)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.closerange(3, 1024)
    os.environ.clear()
    os.environ.update(asked.environment)
    os.chdir(asked.folder)
    sys.stdout = sys.__stdout__ = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115


def become(kind: str, asked: Asked) -> NoReturn:
    """Run the command to its end, as its own script does."""
    script = type(sys)("__main__")
    script.__file__ = asked.command[0]
    sys.modules["__main__"] = script
    sys.argv = list(asked.command)
    if kind == WHOLE:
        from mitmproxy.tools.main import mitmdump

        sys.exit(mitmdump())
    if kind == "sluicegate-replay":
        from sluicegate_replay.cli import main as replay

        sys.exit(replay())
    os.execv = _go_on  # type: ignore[assignment]
    from sluicegate.cli.app import main as command

    sys.exit(command())


def _go_on(program: str, command: list[str]) -> Any:
    """What `up` becomes, without starting anew: it is imported."""
    module = importlib.import_module(command[command.index("-m") + 1])
    sys.modules["__main__"] = module
    sys.argv = ["", *command[command.index("-m") + 2 :]]
    module.main()
    sys.exit(0)


if __name__ == "__main__":
    main()
