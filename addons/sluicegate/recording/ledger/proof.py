"""Offline proofs (C2SP tlog-proof): one text file that shows an entry under a signed, maybe witnessed, checkpoint."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from sluicegate.recording.ledger.checkpoint import Head
from sluicegate.recording.ledger.merkle import HASH_SIZE, ProofError, check_inclusion, leaf_hash
from sluicegate.recording.ledger.note import NoteError, Verifier

FIRST = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 63


@dataclass(frozen=True, slots=True)
class Proof:
    """The entry's index, the hashes beside its way to the root, and the head. `extra` is not authenticated: here it is
    the entry itself, which the proof then is checked for."""

    index: int
    hashes: tuple[bytes, ...]
    head: Head
    extra: bytes = b""

    def text(self) -> str:
        """The file, whose name should end in `.tlog-proof`."""
        lines = [FIRST]
        if self.extra:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(item).decode() for item in self.hashes]
        return "\n".join(lines) + f"\n\n{self.head.note}"

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """Raises ProofError. Nothing is verified."""
        try:
            text = data if isinstance(data, str) else data.decode()
            top, found, note = text.partition("\n\n")
            first, *lines = top.split("\n")
            if not found or first != FIRST or not lines:
                raise ProofError("this is no proof of a transparency log")
            extra = b""
            if lines[0].startswith("extra "):
                extra = base64.b64decode(lines.pop(0).removeprefix("extra "), validate=True)
            number = lines.pop(0).removeprefix("index ") if lines and lines[0].startswith("index ") else ""
            if not (number.isascii() and number.isdecimal()) or str(int(number)) != number:
                raise ProofError("the index is no number")
            hashes = tuple(base64.b64decode(line, validate=True) for line in lines)
            if len(hashes) > MAX_HASHES or any(len(item) != HASH_SIZE for item in hashes):
                raise ProofError("the hashes of the proof are not right")
            return cls(int(number), hashes, Head.parse(note), extra)
        except (NoteError, binascii.Error, UnicodeDecodeError, ValueError) as error:
            raise ProofError(str(error)) from None

    def check(self, entry: bytes, verifiers: Sequence[Verifier]) -> dict[Verifier, int | None]:
        """The keys that vouch for the head, log and witnesses. Raises ProofError unless the log's key does and the
        entry is under it."""
        try:
            by = self.head.note.by(verifiers)
        except NoteError as error:
            raise ProofError(str(error)) from None
        if not any(key.name == self.head.checkpoint.origin for key in by):
            raise ProofError("no key that is trusted has signed the checkpoint")
        check_inclusion(self.index, self.head.checkpoint.size, leaf_hash(entry), self.hashes, self.head.checkpoint.root)
        return by
