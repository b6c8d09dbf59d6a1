"""A segment: the append-only files that one recorder writes for a while, named by the time it was opened."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

FileKind = Literal["flows", "intents", "events", "sealed", "tail"]
FILE_KINDS: tuple[FileKind, ...] = ("flows", "intents", "events", "sealed")
"""What is recorded, in the order in which a batch is written."""
TAIL: FileKind = "tail"
"""The ledger's entries, until they are in its tiles."""
_LATER: tuple[FileKind, ...] = ("events", "sealed")
"""Made when first needed."""

_PROBE_BYTES = 1 << 16
_SAME_SECOND = 10_000
_CREATE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_sync = getattr(os, "fdatasync", os.fsync)


@dataclass(slots=True)
class _File:
    descriptor: int
    name: str
    kept: int = 0
    """Bytes that hold acknowledged records; whatever is behind them was never promised to anybody."""
    written: int = 0
    unsynced: bool = False


@dataclass(slots=True)
class Segment:
    """Used by one thread. Every method raises OSError; after that, `abandon` is the only one that may be called."""

    folder: Path
    opened: float
    name: str = ""
    """Of its files, below the folder and without what tells them apart."""
    files: dict[FileKind, _File] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path, now: float, kinds: tuple[FileKind, ...] = FILE_KINDS) -> Segment:
        """New files below `folder`, for the event time `now`. Proves first that the disk takes and keeps bytes."""
        moment = datetime.fromtimestamp(now, UTC)
        day = folder / f"{moment:%Y-%m-%d}"
        day.mkdir(mode=0o700, parents=True, exist_ok=True)
        _prove(day)
        for number in range(1, _SAME_SECOND):
            segment = cls(folder, now, f"{moment:%Y-%m-%d}/{moment:%H%M%S}Z-{number:04d}")
            try:
                for kind in kinds:
                    if kind not in _LATER:
                        segment._make(kind)
                _sync_folder(day)
                _sync_folder(folder)
            except FileExistsError:
                segment.abandon()  # another recorder has this name; its files are never touched
            except OSError:
                with suppress(OSError):
                    segment.abandon()  # empty files are all that it could leave behind
                raise
            else:
                return segment
        raise OSError("no free name is left for a recording in this second")

    @property
    def size(self) -> int:
        """Bytes in its files."""
        return sum(file.written for file in self.files.values())

    def write(self, kind: FileKind, records: list[bytes]) -> tuple[str, list[int]]:
        """Append, and return the file's name below the folder and the offset of each record. Nothing is durable yet."""
        if kind not in self.files:
            self._make(kind)
            _sync_folder((self.folder / self.name).parent)
        file = self.files[kind]
        offsets, at = [], file.written
        for record in records:
            offsets.append(at)
            at += len(record)
        rest = memoryview(records[0] if len(records) == 1 else b"".join(records))
        file.unsynced = True
        while rest:
            count = os.write(file.descriptor, rest)
            file.written += count
            rest = rest[count:]
        return file.name, offsets

    def _make(self, kind: FileKind) -> None:
        name = f"{self.name}.{kind}"
        self.files[kind] = _File(os.open(self.folder / name, _CREATE, 0o600), name)

    def sync(self) -> None:
        """Put what was written on the disk."""
        for file in self.files.values():
            if file.unsynced:
                _sync(file.descriptor)
                file.unsynced = False

    def names(self, kind: FileKind) -> list[str]:
        """The name of its file of a kind, where there is one."""
        return [self.files[kind].name] if kind in self.files else []

    def keep(self) -> None:
        """What was written so far is about to be acknowledged."""
        for file in self.files.values():
            file.kept = file.written

    def close(self) -> None:
        """Sync and close; files in which nothing was written are taken away."""
        if not self.size:
            self.abandon()
            return
        self.sync()
        while self.files:
            os.close(self.files.popitem()[1].descriptor)

    def abandon(self) -> None:
        """Give up after an error: what was not acknowledged is cut off, and files in which nothing ever was
        acknowledged are taken away, or a full disk fills with empty files. Raises OSError; may be tried again."""
        nothing_kept = not any(file.kept for file in self.files.values())
        for file in self.files.values():
            # By name: a descriptor that has failed once is not to be trusted. What somebody took away is not there.
            with suppress(FileNotFoundError, NotADirectoryError):
                if nothing_kept:
                    (self.folder / file.name).unlink()
                else:
                    os.truncate(self.folder / file.name, file.kept)
        while self.files:
            with suppress(OSError):
                os.close(self.files.popitem()[1].descriptor)


def _prove(day: Path) -> None:
    # Making an empty file works on a full disk, so bytes are written, synced and taken away again.
    probe = day / f".probe-{os.getpid()}-{threading.get_ident()}"
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        rest = memoryview(bytes(_PROBE_BYTES))
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        _sync(descriptor)
    finally:
        os.close(descriptor)
        probe.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
