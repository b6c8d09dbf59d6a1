"""Legal holds: what they cover is neither deleted by retention nor shredded by anybody.

A hold is a file below `holds/` in the folder of recordings, with an entry in the ledger. While one of them cannot be
read, everything counts as held.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from sluicegate.recording.intents import seal
from sluicegate.recording.keeping.selection import Selection

FOLDER = "holds"
"""Below the folder of recordings; a file a hold."""
VERSION = 1
_SEARCHED = (".flows", ".intents", ".events", ".sealed")


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that is in force."""

    order: str
    selection: Selection
    reason: str

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.order}.json"


def encode(order: str, selection: Selection, reason: str, by: dict[str, Any], salt: str) -> bytes:
    """The file of a hold: a line with a checksum. `by` is who asked for it, and when."""
    return seal(
        {"version": VERSION, "order": order, "what": selection.document(), "reason": reason, **by, "salt": salt}
    )


def in_force(folder: Path) -> list[Hold]:
    """The holds below a folder of recordings. Raises OSError, ValueError where one cannot be read."""
    found = []
    for path in sorted((folder / FOLDER).glob("*.json")):
        said = orjson.loads(path.read_bytes())
        if not isinstance(said, dict) or said.get("version") != VERSION or not isinstance(said.get("what"), dict):
            raise ValueError(f"{FOLDER}/{path.name} is no hold of a version that is known")
        found.append(Hold(path.stem, Selection.of(said["what"]), str(said.get("reason", ""))))
    return found


def holding(folder: Path, stem: str, begin: float, end: float, holds: Iterable[Hold]) -> Hold | None:
    """The hold that covers the files of a segment (`2026-11-23/214501Z-0001`), which were written in that time.

    A segment is held as a whole where the names that are held stand anywhere in it: too much rather than too little.
    Raises OSError.
    """
    for hold in holds:
        if hold.selection.within(begin, end) and (not hold.selection.names or _mentions(folder, stem, hold.selection)):
            return hold
    return None


def _mentions(folder: Path, stem: str, chosen: Selection) -> bool:
    return all(any(_stands(folder / f"{stem}{suffix}", name) for suffix in _SEARCHED) for name in chosen.names)


def _stands(path: Path, name: str) -> bool:
    """Whether a name stands in a file, as flow files write it or as JSON does."""
    written = {name.encode("utf-8", "backslashreplace")}
    with suppress(TypeError):
        written.add(orjson.dumps(name)[1:-1])
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        if not os.fstat(descriptor).st_size:
            return False
        with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as data:
            return any(data.find(text) >= 0 for text in written)
    finally:
        os.close(descriptor)
