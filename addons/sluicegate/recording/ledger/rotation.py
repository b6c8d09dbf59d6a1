"""Another key for the heads: the old one says which comes next, the new one that it is there, and the log holds both.

The entry `key.rotated` carries both keys and both signatures, over one text that names the log. Whoever trusts the old
key so comes to the new one without asking anybody. From the old key's last run on, heads are signed by both; the run
after that signs with the new one alone, and the old one is gone from the disk by then.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sluicegate.recording.ledger.keys import LEDGER_KEY, NEXT_KEY
from sluicegate.recording.ledger.note import NoteError, Signer, Verifier

TYPE = "key.rotated"
_FIRST = "sluicegate key rotation v1"


def said(old: Signer, new: Signer) -> dict[str, Any]:
    """The fields of the entry."""
    text = _text(old.name, old.verifier, new.verifier).encode()
    return {
        "old": old.verifier.text(),
        "new": new.verifier.text(),
        "signed_old": base64.b64encode(old.key.sign(text)).decode(),
        "signed_new": base64.b64encode(new.key.sign(text)).decode(),
    }


def read(fields: Mapping[str, Any]) -> tuple[Verifier, Verifier]:
    """(old key, new key) of an entry whose two signatures are right. Raises NoteError."""
    try:
        old, new = Verifier.parse(str(fields.get("old"))), Verifier.parse(str(fields.get("new")))
        signatures = [base64.b64decode(str(fields.get(name)), validate=True) for name in ("signed_old", "signed_new")]
    except binascii.Error:
        raise NoteError("a signature of a rotation is no base64") from None
    if old.name != new.name:
        raise NoteError("the two keys of a rotation are of different logs")
    for key, signature in zip((old, new), signatures, strict=True):
        key.check(_text(old.name, old, new), signature)
    return old, new


def followed(rotations: Sequence[tuple[Verifier, Verifier]], trusted: Sequence[Verifier]) -> list[Verifier]:
    """The keys that follow from those that are trusted, in the order of the log."""
    known = list(trusted)
    for old, new in rotations:
        if old in known and new not in known:
            known.append(new)
    return known[len(trusted) :]


def take_over(folder: Path) -> None:
    """Put the next key into the place of the key of now, which is gone then. Raises OSError."""
    (folder / NEXT_KEY).replace(folder / LEDGER_KEY)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(origin: str, old: Verifier, new: Verifier) -> str:
    return f"{_FIRST}\n{origin}\n{old.text()}\n{new.text()}\n"
