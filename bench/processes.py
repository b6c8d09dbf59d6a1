"""The processes of a benchmark: started on their own core, waited for, measured, ended."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]


class Failed(Exception):
    """A process did not start or did not end well; the message holds what it said last."""


def cores() -> tuple[int, int] | None:
    """The core for what is measured and the core for the rest, or None where there are not two to choose from."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    mine = sorted(os.sched_getaffinity(0))
    return (mine[0], mine[1]) if len(mine) > 1 else None


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started inside runs on this core, with all its threads: they inherit it from the one that starts them."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class Process:
    """A server that the benchmark started."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def cpu_seconds(self) -> float:
        """CPU that it and its children have used so far, user and system."""
        return sum(sum(each.cpu_times()[:2]) for each in self._family())

    def rss(self) -> int:
        """Bytes of memory that it and its children hold."""
        return sum(int(each.memory_info().rss) for each in self._family())

    def _family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.popen.pid)
        return [parent, *parent.children(recursive=True)]

    def wait_for_port(self, port: int, seconds: float = 30) -> None:
        """Wait until it listens. Raises Failed."""
        for _ in self._attempts(seconds, f"listen on port {port}"):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return

    def wait_for_port_file(self, path: Path, seconds: float = 30) -> int:
        """Wait until it has written its port. Raises Failed."""
        for _ in self._attempts(seconds, f"write {path.name}"):
            if path.exists():
                return int(path.read_text())
        raise AssertionError("unreachable: the attempts end with Failed")

    def _attempts(self, seconds: float, wanted: str) -> Iterator[None]:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and self.popen.poll() is None:
            yield
            time.sleep(0.05)
        said = self.log.read_text(errors="replace")[-2000:].strip()
        raise Failed(f"{self.name} did not {wanted} within {seconds:.0f} s. It said:\n{said or '(nothing)'}")


@contextlib.contextmanager
def started(
    name: str, command: Sequence[str], log: Path, environment: Mapping[str, str], core: int | None
) -> Iterator[Process]:
    """A process that ends with the block, whatever happens in it."""
    with log.open("wb") as output, on_core(core):
        popen = subprocess.Popen(
            list(command),
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Process(name, popen, log)
    finally:
        popen.terminate()
        try:
            popen.wait(20)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
