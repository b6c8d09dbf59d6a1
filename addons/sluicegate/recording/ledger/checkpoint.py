"""Checkpoints (C2SP tlog-checkpoint v1.0.0): the signed head of the log, which is its name, its size and its root."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Self

from sluicegate.recording.ledger.merkle import HASH_SIZE
from sluicegate.recording.ledger.note import Note, NoteError


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A head of the log: `origin` names the log, `size` counts its entries, `root` is over all of them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the text of a note. Raises NoteError. Lines behind the third are not looked at."""
        lines = text.split("\n")
        if len(lines) < 4 or not lines[0] or "" in lines[:-1]:
            raise NoteError("the note is no checkpoint")
        origin, size, encoded = lines[:3]
        # One way to write a number, or two texts would be one checkpoint.
        if not (size.isascii() and size.isdecimal()) or (len(size) > 1 and size[0] == "0") or len(size) > 19:
            raise NoteError("the size of the checkpoint is no number")
        try:
            root = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise NoteError("the root of the checkpoint is no base64") from None
        if len(root) != HASH_SIZE or base64.b64encode(root).decode() != encoded:
            raise NoteError("the root of the checkpoint is no SHA-256")
        return cls(origin, int(size), root)


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint and the note that it stands in, signatures and all."""

    checkpoint: Checkpoint
    note: Note

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """Raises NoteError. Nothing is verified."""
        note = Note.parse(data)
        return cls(Checkpoint.parse(note.text), note)
