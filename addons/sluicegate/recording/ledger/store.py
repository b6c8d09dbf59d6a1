"""The log's folder, read: its checkpoint, tiles and entries. Nothing in it is believed here, and nothing is written."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

from sluicegate.recording.ledger import tiles
from sluicegate.recording.ledger.checkpoint import Head
from sluicegate.recording.ledger.merkle import Subtree
from sluicegate.recording.ledger.tiles import ENTRIES, WIDTH, TileError

FOLDER = "log"
"""Below the folder of recordings."""
CHECKPOINT = "checkpoint"
WITNESSED = "witnessed"
"""The newest checkpoint with the signatures of witnesses."""
VKEY = ".vkey"
_KEPT = 64
_LARGEST = WIDTH * (2 + tiles.MAX_ENTRY)


class Store:
    """A log in the tiles layout below `folder`. Methods raise OSError, TileError, NoteError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bundles: OrderedDict[int, list[bytes]] = OrderedDict()
        self._tiles: OrderedDict[tuple[int, int, int], list[bytes]] = OrderedDict()

    def head(self, name: str = CHECKPOINT) -> Head | None:
        """The head as it stands there, not verified; None where there is no file."""
        try:
            return Head.parse(_read(self.folder / name))
        except FileNotFoundError:
            return None

    def hashes(self, level: int, number: int, width: int) -> list[bytes]:
        """The first hashes of a tile, from whichever file has that many."""
        known = self._tiles.get((level, number, width))
        if known is None:
            data, exact = self._widest(level, number, width)
            known = tiles.hashes(data, width, exact=exact)
            self._tiles[level, number, width] = known
            if len(self._tiles) > _KEPT:
                self._tiles.popitem(last=False)
        return known

    def bundle(self, number: int, width: int) -> list[bytes]:
        """The first entries of a bundle."""
        known = self._bundles.get(number)
        if known is None or len(known) < width:
            data, exact = self._widest(ENTRIES, number, width)
            known = tiles.unbundled(data, width, exact=exact)
            self._bundles[number] = known
            if len(self._bundles) > _KEPT:
                self._bundles.popitem(last=False)
        return known[:width]

    def entry(self, index: int, size: int) -> bytes:
        """The entry at an index of the log of that size."""
        number, at = divmod(index, WIDTH)
        return self.bundle(number, min(WIDTH, size - number * WIDTH))[at]

    def subtree(self, size: int) -> Subtree:
        """What proofs in the tree of that size are made from: hashes of complete subtrees, out of tiles."""

        def found(level: int, index: int) -> bytes:
            tile_level, inside = divmod(level, 8)
            begin = index << inside
            number, at = divmod(begin, WIDTH)
            width = min(WIDTH, (size >> 8 * tile_level) - number * WIDTH)
            if width < at + (1 << inside):
                raise TileError("the tree has no such part")
            return tiles.joined(self.hashes(tile_level, number, width)[at : at + (1 << inside)])

        return found

    def _widest(self, level: int | str, number: int, width: int) -> tuple[bytes, bool]:
        """The bytes, and whether they are of the very file of this width, in which nothing else may stand."""
        exact = self.folder / tiles.path(level, number, width)
        full = self.folder / tiles.path(level, number)
        for candidate in (exact, full):
            try:
                return _read(candidate), candidate is exact
            except (FileNotFoundError, NotADirectoryError):
                continue
        # A reader that is a moment behind the writer finds a wider one in the place of the one that it looks for.
        partial = full.with_name(full.name + ".p")
        wider = [int(item.name) for item in partial.iterdir() if item.name.isdecimal()] if partial.is_dir() else []
        for found in sorted(wider):
            if found > width:
                return _read(partial / str(found)), False
        raise FileNotFoundError(2, "No such file or directory", str(exact))


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        parts: list[bytes] = []
        while part := os.read(descriptor, _LARGEST):
            parts.append(part)
            if sum(map(len, parts)) > _LARGEST:
                raise TileError("the file is larger than any of its kind")
        return b"".join(parts)
    finally:
        os.close(descriptor)
