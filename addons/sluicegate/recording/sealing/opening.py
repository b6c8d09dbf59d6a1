"""Finding and opening what was sealed: for the investigator, who has an identity and a folder of recordings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sluicegate.recording.ledger import entry, tail
from sluicegate.recording.ledger.scan import entries_with
from sluicegate.recording.ledger.store import FOLDER as LOG
from sluicegate.recording.ledger.store import Store
from sluicegate.recording.sealing.body import Opened, SealError, header_of, open_body
from sluicegate.recording.sealing.keys import FOLDER
from sluicegate.recording.sealing.recipients import unwrap
from sluicegate.recording.verify.one import entries_of
from sluicegate.recording.verify.removed import told


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed body of an exchange: its entry in the ledger, its record, and the file of its key."""

    fields: dict[str, Any]
    record: bytes
    key_file: str

    @property
    def signed(self) -> bool:
        """Whether its entry is under the head in the folder, which is not verified here."""
        return bool(self.fields.get("signed"))


def find(folder: Path, exchange: str) -> list[Sealed]:
    """What is sealed of an exchange. Raises OSError, NoteError, SealError where a record is not as its entry says."""
    head = Store(folder / LOG).head()
    size = head.checkpoint.size if head else 0
    found = [{**fields, "signed": True} for _, _, fields in entries_of(folder, exchange, size)]
    found += [fields for fields in _behind(folder, size) if fields.get("id") == exchange]
    return [_read(folder, fields) for fields in found if fields["type"] == "sealed"]


def unseal(folder: Path, sealed: Sealed, identities: Sequence[str]) -> Opened:
    """The original. Raises SealError: shredded, none of the keys, changed, or not what the ledger commits to."""
    try:
        wrapped = (folder / sealed.key_file).read_bytes()
    except FileNotFoundError:
        raise SealError(without_key(folder, sealed.key_file)) from None
    opened = open_body(unwrap(wrapped, identities), sealed.record)
    if opened.commitment != sealed.fields.get("commitment"):
        raise SealError("what was sealed is not what the ledger commits to")
    return opened


def without_key(folder: Path, file: str) -> str:
    """Why the file of a key is not there, as far as the ledger says it. Raises OSError, NoteError."""
    for seq, fields in entries_with(folder, f'"{file}"'.encode()):
        if fields["type"] == "shredded" and file in fields.get("files", ()):
            said = told(folder, seq, fields)
            by = f" by {' and '.join(said.by)}" if said.by else " at the end of its time"
            when = f"{datetime.fromtimestamp(said.at, UTC):%Y-%m-%d %H:%M} UTC"
            return f"its key was shredded{by} on {when}: nobody can open it"
    return "its key is not in this folder, and no entry says that it was shredded: nobody can open it here"


def _behind(folder: Path, size: int) -> list[dict[str, Any]]:
    found = []
    for path in sorted(folder.glob("????-??-??/*.tail")):
        for batch in tail.parse(path.read_bytes())[0]:
            for seq, data in enumerate(batch.entries, batch.begin):
                if seq >= size:
                    found.append(entry.decode(data, seq))
    return found


def _read(folder: Path, fields: dict[str, Any]) -> Sealed:
    place = entry.place(fields)
    if place is None or Path(place[0]).is_absolute() or ".." in place[0]:
        raise SealError("the entry does not say where the body is")
    name, offset, length, digest = place
    descriptor = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        record = os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)
    if entry.about(name, offset, record)["sha256"] != digest:
        raise SealError("the sealed body is not the one that was entered")
    key = header_of(record)["key"]
    if not key.isalnum():
        raise SealError("the name of its key is not right")
    return Sealed(fields, record, f"{FOLDER}/{key}.age")
