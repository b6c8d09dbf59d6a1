"""What a recorder that ended without warning left behind: entries in tails, and bytes that no entry speaks of.

Entries in a tail were acknowledged, so they go into the tree. Bytes behind the last acknowledged record of a file were
promised to nobody: they are moved aside, not destroyed, and an entry says so. What is missing is a loss: entries that a
signed head counts, or recordings that are shorter than their entries say. Then there is no going on without a word of
the operator, which is recorded as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluicegate.recording.ledger import entry as entries
from sluicegate.recording.ledger import tail
from sluicegate.recording.ledger.checkpoint import Checkpoint
from sluicegate.recording.ledger.merkle import Range, leaf_hash, range_of
from sluicegate.recording.ledger.removals import named
from sluicegate.recording.ledger.store import Store
from sluicegate.recording.ledger.tail import Batch
from sluicegate.recording.ledger.tiles import TileError
from sluicegate.recording.ledger.writer import Writer, put, sync_files

TAIL = ".tail"
CUT = "log/cut"


@dataclass(slots=True)
class Left:
    """What was found: tails and their batches behind the signed head, what is to be moved aside, what is lost."""

    tails: list[str] = field(default_factory=list)
    """Names below the folder of recordings."""
    unsigned: list[Batch] = field(default_factory=list)
    cut: list[dict[str, Any]] = field(default_factory=list)
    entered: set[str] = field(default_factory=set)
    """Files of `cut` that an entry speaks of already: a recorder was killed while it recovered."""
    losses: list[str] = field(default_factory=list)


def recover(folder: Path, writer: Writer, signed: Checkpoint | None) -> Left:
    """Bring the writer to where the last recorder was. `signed` is the verified head in the folder.

    Raises OSError, TileError where the tiles that the tree needs are not there.
    """
    left = Left()
    store = Store(writer.folder)
    size = signed.size if signed else 0
    batches = _batches(folder, left)
    known = {batch.begin + at: data for batch in batches for at, data in enumerate(batch.entries)}
    base = min([size, *known])
    _load(writer, store, base, left)
    tree = range_of(writer.size, store.subtree(writer.size)) if writer.size else Range()
    last = max([size - 1, *known])
    for seq in range(writer.size, last + 1):
        data = known.get(seq) or _signed_entry(store, seq, size)
        if data is None:
            left.losses.append(f"entry {seq} is not there, and {last + 1 - seq} from there on with it")
            break
        leaf = leaf_hash(data)
        tree.append(leaf)
        writer.append([data], [leaf])
        if signed and tree.size == size and tree.root() != signed.root:
            left.losses.append("the entries do not lead to the root that the head signs")
    if signed and base == size and tree.size >= size and _root_at(store, size) != signed.root:
        left.losses.append("the tiles do not lead to the root that the head signs")
    left.unsigned = [batch for batch in batches if batch.size > size]
    _compare(folder, batches, left)
    return left


def copy_aside(folder: Path, left: Left) -> None:
    """Keep a copy of the bytes that no entry speaks of beside the recordings. Raises OSError."""
    for cut in left.cut:
        with (folder / cut["of"]).open("rb") as file:
            file.seek(cut["from"])
            put(folder / cut["file"], file.read(cut["length"]))
    sync_files(folder, [cut["file"] for cut in left.cut])


def cut_off(folder: Path, left: Left) -> None:
    """Take those bytes out of the recordings, once an entry says where they are now. Raises OSError."""
    for cut in left.cut:
        with (folder / cut["of"]).open("r+b") as file:
            file.truncate(cut["from"])
            os.fsync(file.fileno())


def _batches(folder: Path, left: Left) -> list[Batch]:
    found: list[Batch] = []
    for path in sorted(folder.glob(f"????-??-??/*{TAIL}")):
        data = path.read_bytes()
        batches, why = tail.parse(data)
        end = batches[-1].end if batches else 0
        if why and b'\n{"batch":' in data[data.find(b"\n", end) :] and data[end:].count(b'{"batch":') > 1:
            left.losses.append(f"{path.name}: {why}, and more stands behind it")
        left.tails.append(f"{path.parent.name}/{path.name}")
        found += batches
    return tail.chained(found)


def _signed_entry(store: Store, seq: int, size: int) -> bytes | None:
    """An entry out of the bundles, where the head counts it."""
    try:
        return store.entry(seq, size) if seq < size else None
    except (OSError, TileError):
        return None


def _root_at(store: Store, size: int) -> bytes:
    return (range_of(size, store.subtree(size)) if size else Range()).root()


def _load(writer: Writer, store: Store, base: int, left: Left) -> None:
    try:
        writer.load(store, base)
    except FileNotFoundError as error:
        left.losses.append(f"{error.filename} is not there")
        writer.load(store, 0)


def _compare(folder: Path, batches: Iterable[Batch], left: Left) -> None:
    """Files of the tails, held against what their entries say of them."""
    covered: dict[str, int] = {}
    gone: set[str] = set()
    for batch in batches:
        for at, data in enumerate(batch.entries):
            fields = entries.decode(data, batch.begin + at)
            place = entries.place(fields)
            gone |= named(batch.begin + at, data)
            if place is not None and fields["type"] == "cut":
                left.entered.add(place[0])
            elif place is not None:
                covered[place[0]] = max(covered.get(place[0], 0), place[1] + place[2])
    for name, end in covered.items():
        if name in gone:
            continue
        size = (folder / name).stat().st_size if (folder / name).is_file() else 0
        if size < end:
            left.losses.append(f"{name} has {size} bytes, and {end} were acknowledged")
    for name in left.tails:
        stem = name.removesuffix(TAIL)
        for path in sorted((folder / stem).parent.glob(f"{Path(stem).name}.*")):
            other = f"{path.parent.name}/{path.name}"
            end, size = covered.get(other, 0), path.stat().st_size
            if path.suffix != TAIL and size > end:
                left.cut.append(_cut(path, other, end, size))


def _cut(path: Path, name: str, begin: int, size: int) -> dict[str, Any]:
    with path.open("rb") as file:
        file.seek(begin)
        data = file.read(size - begin)
    kept = f"{CUT}/{name.replace('/', '-')}.{begin}"
    return {**entries.about(kept, 0, data), "of": name, "from": begin}
