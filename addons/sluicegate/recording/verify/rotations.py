"""Rotations of the log's key, as its entries tell them: from a key that is trusted to the one that came after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluicegate.recording.ledger import rotation
from sluicegate.recording.ledger.note import NoteError, Verifier
from sluicegate.recording.ledger.scan import entries_with
from sluicegate.recording.ledger.store import FOLDER, Store
from sluicegate.recording.ledger.tiles import TileError


class Keys:
    """The keys of a folder's log: `trusted` were given or follow from those; `earlier` came before them, and are good
    for heads that were kept and for files, and not for the head of now."""

    def __init__(self, folder: Path, given: Sequence[Verifier]) -> None:
        rotations = _rotations(folder, given)
        self.trusted = [*given, *rotation.followed(rotations, given)]
        backwards = [(new, old) for old, new in reversed(rotations)]
        self.earlier = rotation.followed(backwards, self.trusted)

    @property
    def all(self) -> list[Verifier]:
        return [*self.trusted, *self.earlier]


def _rotations(folder: Path, given: Sequence[Verifier]) -> list[tuple[Verifier, Verifier]]:
    """Rotations whose signatures are right. What is not right says nothing, and is found with the other entries."""
    found: list[tuple[Verifier, Verifier]] = []
    try:
        if not given or not _several(folder, given):
            return []  # the log has had one key, and need not be read for others
        for _, fields in entries_with(folder, b'"type":"key.rotated"'):
            if fields["type"] == rotation.TYPE:
                try:
                    found.append(rotation.read(fields))
                except NoteError:
                    continue
    except (OSError, NoteError, TileError):
        return found  # the head cannot be read: what checks it says so
    return found


def _several(folder: Path, given: Sequence[Verifier]) -> bool:
    """Whether the head, or a file of a key, is of a key of the log that was not given."""
    head = Store(folder / FOLDER).head()
    if head is None:
        return False
    signed = {signature.id for signature in head.note.signatures if signature.name == head.checkpoint.origin}
    return bool(signed - {key.id for key in given}) or len(list((folder / FOLDER).glob("*.vkey"))) > 1
