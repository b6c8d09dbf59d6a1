"""Heads: the one in the folder, and those that were kept elsewhere and show what the folder once was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluicegate.recording.ledger.checkpoint import Head
from sluicegate.recording.ledger.merkle import Range
from sluicegate.recording.ledger.note import COSIGNATURE, NoteError, Verifier
from sluicegate.recording.ledger.store import CHECKPOINT, FOLDER, WITNESSED, Store
from sluicegate.recording.ledger.tiles import TileError
from sluicegate.recording.verify.report import Finding, Report

_FILE = f"{FOLDER}/{CHECKPOINT}"


def read_head(store: Store, keys: Sequence[Verifier], report: Report) -> Head | None:
    """The head in the folder, once a trusted key of the log has signed it; else None, and mostly a finding."""
    try:
        head = store.head()
    except (NoteError, TileError) as error:
        report.add(Finding("tampered", f"The head of the ledger is not a signed checkpoint: {error}.", _FILE))
        return None
    except OSError as error:
        report.add(Finding("cannot-tell", f"The head of the ledger cannot be read: {error.strerror}.", _FILE))
        return None
    if head is None:
        return None
    report.origin = head.checkpoint.origin
    try:
        by = head.note.by(keys)
    except NoteError as error:
        report.add(Finding("tampered", f"The head of the ledger was changed: {error}.", _FILE))
        return None
    report.signed_by = [key for key in by if key.name == head.checkpoint.origin]
    if not report.signed_by:
        others = ", ".join(sorted({signature.name for signature in head.note.signatures}))
        detail = f"No key that is trusted has signed the head of the ledger; it says it is signed by {others}."
        report.add(Finding("tampered" if keys else "cannot-tell", detail, _FILE))
        return None
    report.size, report.root = head.checkpoint.size, head.checkpoint.root.hex()
    return head


class Moments:
    """Roots that the tree must have had at certain sizes."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._expected: dict[int, list[tuple[bytes, str]]] = {}

    def expect(self, head: Head, where: str) -> None:
        self._expected.setdefault(head.checkpoint.size, []).append((head.checkpoint.root, where))

    def passed(self, tree: Range) -> None:
        """The tree has grown by an entry."""
        for root, where in self._expected.get(tree.size, ()):
            if tree.root() != root:
                detail = f"The first {tree.size} entries are not those that were signed once: history was written anew."
                self._report.add(Finding("tampered", detail, where, entry=tree.size - 1))


def moments(
    folder: Path, store: Store, head: Head, kept: Sequence[Head], keys: Sequence[Verifier], report: Report
) -> Moments:
    """What the heads that were kept say of the log; a log that is shorter than one of them has lost its end."""
    found = Moments(report)
    for other, where in [*[(item, "a head that was kept elsewhere") for item in kept], *_witnessed(store, report)]:
        try:
            by = other.note.by(keys)
        except NoteError as error:
            report.add(Finding("tampered", f"{where} was changed: {error}.", where))
            continue
        if other.checkpoint.origin != head.checkpoint.origin:
            report.add(Finding("cannot-tell", f"{where} is of another log, {other.checkpoint.origin}.", where))
            continue
        if not by:
            report.add(Finding("cannot-tell", f"{where} is not signed by a key that is trusted.", where))
            continue
        for key, when in by.items():
            if key.kind == COSIGNATURE and when is not None:
                report.witnesses[key.name] = max(when, report.witnesses.get(key.name, 0))
        if other.checkpoint.size > head.checkpoint.size:
            detail = (
                f"{where} counts {other.checkpoint.size} entries, and the folder has {head.checkpoint.size}: "
                "an older state was put in the place of a newer one."
            )
            report.add(Finding("truncated", detail, _FILE))
        else:
            found.expect(other, where)
    return found


def _witnessed(store: Store, report: Report) -> list[tuple[Head, str]]:
    name = f"{FOLDER}/{WITNESSED}"
    try:
        head = store.head(WITNESSED)
    except (NoteError, TileError, OSError) as error:
        report.add(Finding("tampered", f"The witnessed head cannot be read: {error}.", name))
        return []
    return [(head, name)] if head is not None else []
