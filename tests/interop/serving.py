"""Real servers and real clients as processes: started by a test, ended by the same test, never by name."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.interop.environments import Environment

told_at: deque[float] = deque(maxlen=2)
"""When the last client said something last, on its standard output and on its standard error."""


class Server:
    """A server that is being started. It is ready when its port takes connections, and still alive then."""

    def __init__(self, command: list[str], port: int, folder: Path, environment: Mapping[str, str] = {}) -> None:
        self.port = port
        self.output: list[str] = []
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONUNBUFFERED": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)

    def wait(self, seconds: float = 120) -> Self:
        """Wait until it takes connections. Raises AssertionError with its output when it ends, or never does."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "ended:\n" + "".join(self.output)
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return self
            except OSError:
                threading.Event().wait(0.05)  # it cannot tell us when it listens
        raise AssertionError("does not listen:\n" + "".join(self.output))

    def __enter__(self) -> Self:
        try:
            return self.wait()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, and whatever it started: a server's children are in a session of their own."""
        for number in (15, 9):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                break
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                continue
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@dataclass(frozen=True)
class Said:
    """What a client printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        """Everything that a person at the terminal sees."""
        return self.out + self.err

    def json(self) -> Any:
        """The JSON on the last line that it printed."""
        assert self.code == 0, self.all
        return json.loads(self.out.strip().splitlines()[-1])

    def lacks(self, *values: str) -> Said:
        """The same; raises AssertionError when one of the values is in it."""
        assert not [value for value in values if value in self.all], self.all
        return self


@dataclass(frozen=True)
class Workstation:
    """Somebody's terminal: nothing of the developer's own environment is in it."""

    folder: Path
    variables: Mapping[str, str]

    def run(self, command: list[str], *, seconds: float = 90, text: str | None = None) -> Said:
        """Run a command and wait for it. Raises subprocess.TimeoutExpired."""
        with (
            (self.folder / ".said").open("w+b") as told,
            subprocess.Popen(
                command,
                cwd=self.folder,
                env=dict(self.variables),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=told,
            ) as process,
        ):
            timer = threading.Timer(seconds, process.kill)
            timer.start()
            try:
                assert process.stdin is not None and process.stdout is not None
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write((text or "").encode())
                    process.stdin.close()
                out = b""
                while piece := os.read(process.stdout.fileno(), 1 << 16):
                    out += piece
                    told_at.append(time.time())
                process.wait()
            finally:
                late = not timer.is_alive()
                timer.cancel()
            if late:
                raise subprocess.TimeoutExpired(command, seconds)
            if os.fstat(told.fileno()).st_size:  # what comes last is seen last, in either stream
                told_at.append(os.fstat(told.fileno()).st_mtime)
            told.seek(0)
            return Said(process.returncode, out.decode(errors="replace"), told.read().decode(errors="replace"))

    def python(self, environment: Environment, code: str, *arguments: str, seconds: float = 90) -> Said:
        """Run Python code in an environment; arguments are its sys.argv[1:]."""
        return self.run([environment.run("python"), "-c", code, *arguments], seconds=seconds)
