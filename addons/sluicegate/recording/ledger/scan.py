"""Looking through the log for rare entries: by bytes first, so that the rest is not parsed. Nothing is verified."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sluicegate.recording.ledger import entry, tail
from sluicegate.recording.ledger.store import FOLDER, Store
from sluicegate.recording.ledger.tiles import WIDTH, TileError


def entries_with(folder: Path, text: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """(index, fields) of the entries below a folder of recordings in whose bytes a text stands, in their order; those
    of tails, which no head counts yet, included. What cannot be read is left out. Raises OSError, NoteError."""
    store = Store(folder / FOLDER)
    head = store.head()
    size = head.checkpoint.size if head else 0
    for number in range(-(-size // WIDTH)):
        try:
            bundle = store.bundle(number, min(WIDTH, size - number * WIDTH))
        except (FileNotFoundError, TileError):
            continue
        yield from _decoded(bundle, number * WIDTH, text)
    tails = [tail.parse(path.read_bytes())[0] for path in sorted(folder.glob("????-??-??/*.tail"))]
    for batch in tail.chained([batch for found in tails for batch in found]):
        behind = max(0, size - batch.begin)
        yield from _decoded(batch.entries[behind:], batch.begin + behind, text)


def _decoded(bundle: list[bytes] | tuple[bytes, ...], begin: int, text: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    for seq, data in enumerate(bundle, begin):
        if text in data:
            try:
                yield seq, entry.decode(data, seq)
            except ValueError:
                continue
