"""`mitmdump` started again and again with other arguments: what all of them import is imported once, then each is a
process of its own, forked. To start them one by one takes three times as long.

    python -m tests.wire.many_starts '[["-s", "addons/gateway.py"], ["--set", "rawtcp=true"]]'
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def starts(arguments: list[list[str]], folder: Path) -> list[tuple[int, str]]:
    """The status and the output of each start, with this folder as home. Each must end by itself."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "CHUNKS_TOKEN": "the-service-secret",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "tests.wire.many_starts", json.dumps(arguments)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return [(status, said) for status, said in json.loads(done.stdout)]


def main() -> None:
    from mitmproxy.tools import dump
    from mitmproxy.tools.main import mitmdump

    from sluicegate.pipeline import options, script

    assert dump and options and script  # they are there before the first fork
    ends = []
    for arguments in json.loads(sys.argv[1]):
        with tempfile.TemporaryFile() as said:
            pid = os.fork()
            if pid == 0:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                mitmdump(arguments)
                sys.exit(0)
            _, status = os.waitpid(pid, 0)
            said.seek(0)
            ends.append((os.waitstatus_to_exitcode(status), said.read().decode()))
    print(json.dumps(ends))


if __name__ == "__main__":
    main()
