"""The files of the tree held against the entries: which of the two is wrong, and where."""

from __future__ import annotations

from pathlib import Path

from sluicegate.recording.ledger import tiles
from sluicegate.recording.ledger.merkle import HASH_SIZE
from sluicegate.recording.ledger.store import FOLDER, Store
from sluicegate.recording.ledger.tiles import ENTRIES, WIDTH, TileError
from sluicegate.recording.verify.report import Finding, Report

_MOST = 3


class TreeFiles:
    """Compares hashes made from entries with those in tiles, level by level, as entries come."""

    def __init__(self, folder: Path, store: Store, size: int, report: Report) -> None:
        self._folder = folder
        self._store = store
        self._size = size
        self._report = report
        self._rows: list[list[bytes]] = [[]]
        self._differing: list[tuple[int, int, int]] = []
        """(level, number, first place) of tiles that hold something else."""
        self._lost = False

    def entry(self, seq: int, leaf: bytes) -> None:
        """The next entry's hash."""
        if not self._lost:
            self._push(0, leaf, seq + 1)

    def missing(self) -> None:
        """The next entry is not there: what is above it cannot be made."""
        self._lost = True

    def finish(self, *, whole: bool) -> None:
        """Say what is wrong. `whole`: the entries lead to the signed root, so that tiles which differ are wrong."""
        if not self._lost:
            count = self._size
            for level, row in enumerate(self._rows):
                if row:
                    self._compare(level, count // WIDTH, row)
                count //= WIDTH
        told = 0
        for level, number, at in self._differing:
            if told >= _MOST:
                self._report.suppressed += 1
                continue
            if whole:
                told += 1
                name = self._name(level, number)
                self._report.add(Finding("tampered", "A hash in this tile is not that of what is below.", name))
            elif level == 0:
                told += 1
                self._entry_or_tile(number, at)
        if not whole and not told and self._differing:
            level, number, at = self._differing[0]
            begin = (number * WIDTH + at) * WIDTH**level
            detail = f"One of the {WIDTH**level} entries from here on was changed, and its tile as well."
            name = f"{FOLDER}/{tiles.path(ENTRIES, begin // WIDTH)}"
            self._report.add(Finding("tampered", detail, name, entry=begin))

    def _push(self, level: int, found: bytes, count: int) -> None:
        row = self._rows[level]
        row.append(found)
        if len(row) == WIDTH:
            self._compare(level, count // WIDTH ** (level + 1) - 1, row)
            self._rows[level] = []
            if level + 1 == len(self._rows):
                self._rows.append([])
            self._push(level + 1, tiles.joined(row), count)

    def _compare(self, level: int, number: int, row: list[bytes]) -> None:
        name = self._name(level, number)
        try:
            found = self._store.hashes(level, number, len(row))
        except FileNotFoundError:
            self._report.add(Finding("tampered", "This tile is gone.", name))
            return
        except (OSError, TileError) as error:
            self._report.add(Finding("tampered", f"It cannot be read as a tile: {error}.", name))
            return
        self._partials(level, number, row)
        at = next((at for at, (ours, theirs) in enumerate(zip(row, found, strict=True)) if ours != theirs), None)
        if at is not None:
            self._differing.append((level, number, at))

    def _partials(self, level: int, number: int, row: list[bytes]) -> None:
        """Narrower tiles that lie beside must be the beginning of this one."""
        full = self._folder / FOLDER / tiles.path(level, number)
        whole = b"".join(row)
        partial = full.with_name(full.name + ".p")
        for path in sorted(partial.iterdir()) if partial.is_dir() else []:
            if path.name.isdecimal() and int(path.name) <= len(row):
                with path.open("rb") as file:
                    data = file.read(WIDTH * HASH_SIZE + 1)
                if data != whole[: int(path.name) * HASH_SIZE]:
                    name = str(path.relative_to(self._folder))
                    if int(path.name) < len(row):  # that of the full width is compared by its hashes
                        self._report.add(Finding("tampered", "This tile is not the beginning of the wider one.", name))

    def _entry_or_tile(self, number: int, at: int) -> None:
        """The tile of leaf hashes and the entries differ: the level above says which of them is wrong."""
        seq = number * WIDTH + at
        width = min(WIDTH, self._size - number * WIDTH)
        bundle = f"{FOLDER}/{tiles.path(ENTRIES, number, width)}"
        tile_is_right = True
        if width == WIDTH:
            try:
                above = self._store.hashes(1, number // WIDTH, number % WIDTH + 1)[number % WIDTH]
                tile_is_right = tiles.joined(self._store.hashes(0, number, WIDTH)) == above
            except (OSError, TileError):
                tile_is_right = True
        if tile_is_right:
            detail = "This entry is not the one whose hash is in the tree."
            self._report.add(Finding("tampered", detail, bundle, entry=seq))
        else:
            detail = "A hash in this tile is not that of what is below."
            self._report.add(Finding("tampered", detail, self._name(0, number), entry=seq))

    def _name(self, level: int, number: int) -> str:
        width = min(WIDTH, self._size // WIDTH**level - number * WIDTH)
        return f"{FOLDER}/{tiles.path(level, number, width)}"
