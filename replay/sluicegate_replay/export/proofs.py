"""The proofs of many exchanges, in one pass over the ledger."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from sluicegate.recording.ledger import entry
from sluicegate.recording.ledger.merkle import ProofError, inclusion
from sluicegate.recording.ledger.proof import Proof
from sluicegate.recording.ledger.store import FOLDER, WITNESSED, Store
from sluicegate.recording.ledger.tiles import WIDTH

_ID = re.compile(rb'"id":"([^"\\]{1,64})"')


@dataclass(frozen=True, slots=True)
class Proved:
    """An entry about an exchange: its type, its bytes, where its record is, and the proof that it is under the head."""

    exchange: str
    kind: str
    entry: bytes
    place: tuple[str, int, int] | None
    proof: Proof


def proofs_of(folder: Path, wanted: Set[str]) -> Iterator[Proved]:
    """Every entry about these exchanges. Raises OSError, TileError, NoteError, ProofError (nothing is signed yet)."""
    store = Store(folder / FOLDER)
    newest, witnessed = store.head(), store.head(WITNESSED)
    if newest is None:
        raise ProofError("nothing is signed yet")
    size = newest.checkpoint.size
    for number in range(-(-size // WIDTH)):
        for seq, data in enumerate(store.bundle(number, min(WIDTH, size - number * WIDTH)), number * WIDTH):
            found = _ID.search(data)
            if found is None or found[1].decode("utf-8", "replace") not in wanted:
                continue
            fields = _fields(data, seq)
            if fields is None or fields.get("id") not in wanted:
                continue
            head = witnessed if witnessed is not None and witnessed.checkpoint.size > seq else newest
            hashes = tuple(inclusion(seq, head.checkpoint.size, store.subtree(head.checkpoint.size)))
            place = entry.place(fields)
            yield Proved(
                str(fields["id"]),
                str(fields["type"]),
                data,
                place[:3] if place else None,
                Proof(seq, hashes, head, data),
            )


def _fields(data: bytes, seq: int) -> dict[str, object] | None:
    try:
        fields = entry.decode(data, seq)
        entry.place(fields)
    except ValueError:
        return None
    return fields
