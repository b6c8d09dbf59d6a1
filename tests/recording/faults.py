"""Faults at every step of writing: the n-th call that changes the disk is torn in the middle, and what then happens.

`kill` ends the process there without warning; `error` is an error of the disk, once or for a while.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
from collections.abc import Iterator

from sluicegate.recording import ahead, segment
from sluicegate.recording.ledger import writer

WRITES = ("write", "pwrite")
OTHERS = ("replace", "unlink", "truncate", "ftruncate", "fsync", "fdatasync", "mkdir", "link")


class Faults:
    """Counts calls that change the disk; from call `at` on, `count` of them go wrong."""

    def __init__(self, at: int, *, kill: bool, count: int = 1, code: int = errno.EIO, seed: int = 0) -> None:
        self.at, self.kill, self.count, self.code = at, kill, count, code
        self.calls = 0
        self.hit: list[str] = []
        self.random = random.Random(seed * 1_000_003 + at)
        self.spared: set[int] = set()
        """Descriptors that are not the disk's."""

    @contextlib.contextmanager
    def injected(self) -> Iterator[Faults]:
        """In force within the block."""
        real = {name: getattr(os, name) for name in (*WRITES, *OTHERS)}
        bound = [(ahead, "_put"), (ahead, "_sync"), (segment, "_sync"), (writer, "_sync")]
        kept = [(module, name, getattr(module, name)) for module, name in bound]
        try:
            for name in WRITES:
                setattr(os, name, self._writing(name, real[name]))
            for name in OTHERS:
                setattr(os, name, self._other(name, real[name]))
            ahead._put = os.pwrite
            for module in (ahead, segment, writer):
                module._sync = os.fdatasync
            yield self
        finally:
            for name, function in real.items():
                setattr(os, name, function)
            for module, name, function in kept:
                setattr(module, name, function)

    def _now(self, name: str) -> bool:
        call, self.calls = self.calls, self.calls + 1
        if self.at <= call < self.at + self.count:
            self.hit.append(name)
            return True
        return False

    def _writing(self, name, real):
        def call(descriptor, data, *rest):
            if descriptor in self.spared or not self._now(name):
                return real(descriptor, data, *rest)
            size = len(memoryview(data))
            part = self.random.choice([0, size, self.random.randrange(size + 1)])
            if name == "pwrite":
                part -= part % 4096  # direct writes are torn between pages
            if part and self.code != errno.ENOSPC:
                real(descriptor, memoryview(data)[:part], *rest)
            self._end()
            raise OSError(self.code, os.strerror(self.code))

        return call

    def _other(self, name, real):
        def call(*arguments, **named):
            if self._now(name):
                if self.random.random() < 0.5:
                    real(*arguments, **named)  # it is done, and nobody hears of it
                self._end()
                raise OSError(self.code, os.strerror(self.code))
            return real(*arguments, **named)

        return call

    def _end(self) -> None:
        if self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
