"""One exchange: its entries under the signed head, its records as they were, and a proof that stands alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sluicegate.recording.ledger import entry, tiles
from sluicegate.recording.ledger.merkle import ProofError, check_inclusion, inclusion, leaf_hash
from sluicegate.recording.ledger.note import Verifier
from sluicegate.recording.ledger.proof import Proof
from sluicegate.recording.ledger.removals import named
from sluicegate.recording.ledger.store import FOLDER, WITNESSED, Store
from sluicegate.recording.ledger.tiles import ENTRIES, WIDTH, TileError
from sluicegate.recording.verify import heads
from sluicegate.recording.verify.records import Records
from sluicegate.recording.verify.report import Finding, Report
from sluicegate.recording.verify.rotations import Keys


def entries_of(folder: Path, exchange: str, size: int) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    """(index, bytes, fields) of the entries about an exchange in a log of `size`; what cannot be read is left out."""
    store = Store(folder / FOLDER)
    needle = exchange.encode()
    for number in range(-(-size // WIDTH)):
        try:
            found = store.bundle(number, min(WIDTH, size - number * WIDTH))
        except (OSError, TileError):
            continue
        for seq, data in enumerate(found, number * WIDTH):
            if needle in data:
                try:
                    fields = entry.decode(data, seq)
                except ValueError:
                    continue
                if fields.get("id") == exchange:
                    yield seq, data, fields


def verify_one(folder: Path, exchange: str, keys: Sequence[Verifier]) -> Report:
    """Check one exchange: its entries are under the head, its records as entered. What may be missing is not said."""
    report = Report()
    store = Store(folder / FOLDER)
    head = heads.read_head(store, Keys(folder, keys).trusted, report)
    if head is None:
        if not report.findings:
            report.add(Finding("cannot-tell", "There is no signed head.", f"{FOLDER}/checkpoint", exchange=exchange))
        return report
    size, root = head.checkpoint.size, head.checkpoint.root
    records = Records(folder, report, _taken_away(store, size, root), whole=False)
    for seq, data, fields in entries_of(folder, exchange, size):
        kind = str(fields["type"])
        report.counts[kind] = report.counts.get(kind, 0) + 1
        report.until = fields["at"] / 1_000_000
        name = f"{FOLDER}/{tiles.path(ENTRIES, seq // WIDTH, min(WIDTH, size - seq // WIDTH * WIDTH))}"
        try:
            check_inclusion(seq, size, leaf_hash(data), inclusion(seq, size, store.subtree(size)), root)
        except ProofError:
            detail = "This entry, or a tile above it, is not what the head signs."
            report.add(Finding("tampered", detail, name, entry=seq, exchange=exchange))
        except (OSError, TileError) as error:
            detail = f"A tile that its proof needs cannot be read: {error}."
            report.add(Finding("cannot-tell", detail, name, entry=seq, exchange=exchange))
        records.check(seq, fields)
    records.close()
    if not report.counts:
        report.add(Finding("cannot-tell", "No signed entry speaks of this exchange.", exchange=exchange))
    elif "outcome" not in report.counts:
        report.unknown = [exchange]
    return report


def _taken_away(store: Store, size: int, root: bytes) -> set[str]:
    """The files that entries under the root say were taken away."""
    found: set[str] = set()
    for number in range(-(-size // WIDTH)):
        try:
            for seq, data in enumerate(store.bundle(number, min(WIDTH, size - number * WIDTH)), number * WIDTH):
                if names := named(seq, data):
                    check_inclusion(seq, size, leaf_hash(data), inclusion(seq, size, store.subtree(size)), root)
                    found |= names
        except (OSError, TileError, ProofError):
            continue
    return found


def prove(folder: Path, exchange: str) -> list[tuple[str, Proof]]:
    """(type, proof) for each entry of an exchange, with the entry itself as `extra`. Verifying is the reader's work.

    Under the newest head that a witness signed, where it reaches so far, else under the newest one. Raises OSError,
    TileError, NoteError, ProofError (nothing is signed yet).
    """
    store = Store(folder / FOLDER)
    newest, witnessed = store.head(), store.head(WITNESSED)
    if newest is None:
        raise ProofError("nothing is signed yet")
    proofs = []
    for seq, data, fields in entries_of(folder, exchange, newest.checkpoint.size):
        head = witnessed if witnessed is not None and witnessed.checkpoint.size > seq else newest
        size = head.checkpoint.size
        hashes = tuple(inclusion(seq, size, store.subtree(size)))
        proofs.append((str(fields["type"]), Proof(seq, hashes, head, data)))
    return proofs
