"""The log's folder, written: tiles and bundles as the log grows, and the checkpoint over them.

Files are put in place whole (written beside, then renamed) and not synced one by one: the entries are on the disk
already, in the tail, until `sync` has put the tiles there too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sluicegate.recording.ledger import tiles
from sluicegate.recording.ledger.checkpoint import Checkpoint
from sluicegate.recording.ledger.merkle import EMPTY, node_hash
from sluicegate.recording.ledger.note import Signer, sign
from sluicegate.recording.ledger.store import CHECKPOINT, Store
from sluicegate.recording.ledger.tiles import ENTRIES, WIDTH

_sync = getattr(os, "fdatasync", os.fsync)


class Writer:
    """The right edge of the tree, in memory, and the files that are due. Used by one thread."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.folder = folder
        self.origin = origin
        self.size = 0
        self.published = 0
        """The size of the log under the checkpoint in the folder."""
        self._rows: list[list[bytes]] = []
        """The hashes of the last tile of each level, the lowest first."""
        self._entries: list[bytes] = []
        self._due: dict[str, bytes] = {}
        self._partial: set[str] = set()
        self._unsynced: set[str] = set()

    def load(self, store: Store, size: int) -> None:
        """Go on behind the first `size` entries of a log that is there. Raises OSError, TileError."""
        self.size = self.published = size
        self._rows, level, count = [], 0, size
        while count:
            number, width = divmod(count, WIDTH)
            self._rows.append(store.hashes(level, number, width) if width else [])
            level, count = level + 1, count // WIDTH
        number, width = divmod(size, WIDTH)
        self._entries = list(store.bundle(number, width)) if width else []
        self._rows = [list(row) for row in self._rows]
        self._partial = set(self._partials())

    def append(self, entries: Sequence[bytes], leaves: Sequence[bytes]) -> None:
        """Add entries and their hashes. Nothing is written yet."""
        for entry, leaf in zip(entries, leaves, strict=True):
            self._entries.append(entry)
            self._push(0, leaf)
            self.size += 1
            if len(self._entries) == WIDTH:
                self._due[tiles.path(ENTRIES, self.size // WIDTH - 1)] = tiles.bundle(self._entries)
                self._entries = []

    def root(self) -> bytes:
        """The root of the tree as it is."""
        roots = [root for row in reversed(self._rows) for root in tiles.peaks(row)]
        if not roots:
            return EMPTY
        *rest, found = roots
        for root in reversed(rest):
            found = node_hash(root, found)
        return found

    def publish(self, signers: Sequence[Signer]) -> str:
        """Write the tiles that are due and a signed checkpoint, which is returned. Raises OSError; may be repeated."""
        partial = self._partials()
        for name, data in {**self._due, **partial}.items():
            self._put(name, data)
        self._due.clear()
        note = sign(Checkpoint(self.origin, self.size, self.root()).text, signers)
        self._put(CHECKPOINT, note.encode())
        self.published = self.size
        for name in self._partial - partial.keys():
            with suppress(OSError):
                (self.folder / name).unlink()
                (self.folder / name).parent.rmdir()
            self._unsynced.discard(name)
        self._partial = set(partial)
        return note

    def unsynced(self) -> list[str]:
        """The files that were written since this was last asked; `sync_files` puts them on the disk."""
        found, self._unsynced = sorted(self._unsynced), set()
        return found

    def _push(self, level: int, found: bytes) -> None:
        if level == len(self._rows):
            self._rows.append([])
        row = self._rows[level]
        row.append(found)
        if len(row) == WIDTH:
            number = (self.size + 1) // WIDTH ** (level + 1) - 1
            self._due[tiles.path(level, number)] = b"".join(row)
            self._rows[level] = []
            self._push(level + 1, tiles.joined(row))

    def _partials(self) -> dict[str, bytes]:
        found = {}
        count = self.size
        for level, row in enumerate(self._rows):
            if row:
                found[tiles.path(level, count // WIDTH, len(row))] = b"".join(row)
            count //= WIDTH
        if self._entries:
            found[tiles.path(ENTRIES, self.size // WIDTH, len(self._entries))] = tiles.bundle(self._entries)
        return found

    def _put(self, name: str, data: bytes) -> None:
        put(self.folder / name, data)
        self._unsynced.add(name)


def put(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Put a file in place, whole: whoever reads it sees the old one or the new one. Raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(beside, flags, mode)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(beside, flags, mode)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)
    beside.replace(path)


def sync_files(folder: Path, names: Sequence[str]) -> None:
    """Put files and their folders on the disk; those that are gone again are left out. Raises OSError."""
    parents = {folder}
    for name in names:
        path = folder / name
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            _sync(descriptor)
        finally:
            os.close(descriptor)
        while path != folder:
            path = path.parent
            parents.add(path)
    for parent in parents:
        try:
            descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
