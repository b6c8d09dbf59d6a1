"""One writer at a time, across processes, for a SQLite file.

SQLite before 3.51.3 can corrupt a database in WAL mode when one connection checkpoints while another begins a write
(sqlite.org/wal.html, "The WAL-Reset Bug"). SQLite's own write lock does not cover the checkpoint that follows a
commit, so this lock is held around the whole of both. No connection checkpoints when it closes.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class WriterLock:
    """An advisory lock on a file beside the database. The kernel drops it when its process dies."""

    def __init__(self, path: Path, seconds: float) -> None:
        """Opens the file; `seconds` is how long to wait for other writers. Raises OSError."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._seconds = seconds

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock. Raises TimeoutError when another writer does not let go in time."""
        self._acquire()
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _acquire(self) -> None:
        # How long to wait for a lock is not policy, so this is the machine's clock and not event time.
        deadline = time.monotonic() + self._seconds
        pause = 0.0005
        while True:
            try:
                return fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TimeoutError("the database is locked by another writer") from None
                time.sleep(pause)
                pause = min(pause * 2, 0.02)

    def close(self) -> None:
        os.close(self._file)
