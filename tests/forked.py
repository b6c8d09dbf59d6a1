"""Commands of ours, started by a fork of a process that has imported them: see tests/forking.py."""

from __future__ import annotations

import functools
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
Done = subprocess.CompletedProcess[str]


def run(command: list[str], *, env: Mapping[str, str], cwd: Path | str, timeout: float = 60) -> Done:
    """As subprocess.run does it: a command of ours to its end, with its streams as text."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = Forked(Path(command[0]).name, command, env, cwd, (out.fileno(), err.fileno()))
        try:
            process.wait(timeout)
        finally:
            process.kill()
        said = []
        for each in (out, err):
            each.seek(0)
            said.append(each.read().decode())
    return Done(command, process.wait(), *said)


class Forked:
    """One such process, used as a subprocess.Popen is. What it says goes to `streams`, out and err; without them to
    `stdout`, which is one text."""

    def __init__(
        self,
        kind: str,
        command: list[str],
        environment: Mapping[str, str],
        folder: Path | str,
        streams: tuple[int, int] | None = None,
    ) -> None:
        self.args = command
        self.returncode: int | None = None
        reader, out = os.pipe()
        self._status, status = os.pipe()
        try:
            asked = json.dumps([command, dict(environment), str(folder)]).encode()
            with _LOCK:
                socket.send_fds(_server(kind)[0], [asked], [*(streams or (out, out)), status])
        finally:
            os.close(out)
            os.close(status)
        self.stdout: io.TextIOWrapper = open(reader, encoding="utf-8", errors="replace")  # noqa: SIM115
        if streams:
            self.stdout.close()
        self._said = b""
        self.pid = 0
        while b"\n" not in self._said:
            self._hear(None)
        self.pid = int(self._said.partition(b"\n")[0])

    def _hear(self, seconds: float | None) -> None:
        """What is said of it next, within that time."""
        if not select.select([self._status], [], [], seconds)[0]:
            return
        data = os.read(self._status, 100)
        assert data, "whoever minded it is gone"
        self._said += data
        first, *rest = self._said.split(b"\n")
        if len(rest) > 1:
            self.returncode = int(rest[0])
            os.close(self._status)

    def poll(self) -> int | None:
        if self.returncode is None:
            self._hear(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status. Raises subprocess.TimeoutExpired."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            self._hear(left)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


_LOCK = threading.Lock()


@functools.cache
def _server(kind: str) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Where to ask for processes of that kind. It ends when this process does."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    paths = (ROOT, ROOT / "addons", ROOT / "replay")
    with its:
        server = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.forking", kind, str(its.fileno())],
            pass_fds=[its.fileno()],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, paths))},
            cwd="/",
            stdin=subprocess.DEVNULL,
        )
    return ours, server
