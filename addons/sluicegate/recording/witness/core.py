"""A witness: remembers the newest head of each log that it knows, and signs a newer one that is proved to continue it.

What it remembers is on the disk before it answers. Used by one request at a time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sluicegate.recording.ledger.checkpoint import Checkpoint, Head
from sluicegate.recording.ledger.merkle import EMPTY, HASH_SIZE, ProofError, check_consistency
from sluicegate.recording.ledger.note import NoteError, Signer, Verifier
from sluicegate.recording.ledger.writer import put, sync_files

MAX_BODY = 1 << 20
MAX_PROOF = 63
TEXT = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"


class Answer(NamedTuple):
    """What the client is told."""

    status: int
    text: str
    type: str = TEXT


class Request(NamedTuple):
    """The body of `add-checkpoint`: the size that the client thinks we know, the proof from there, and the head."""

    old: int
    proof: tuple[bytes, ...]
    head: Head

    @classmethod
    def parse(cls, body: bytes) -> Request:
        """Raises ValueError."""
        top, found, note = body.decode().partition("\n\n")
        first, *lines = top.split("\n")
        number = first.removeprefix("old ")
        if not found or number == first or not number.isdecimal() or str(int(number)) != number:
            raise ValueError("the body does not begin with the old size")
        proof = tuple(base64.b64decode(line, validate=True) for line in lines)
        if len(proof) > MAX_PROOF or any(len(item) != HASH_SIZE for item in proof):
            raise ValueError("the proof is not right")
        return cls(int(number), proof, Head.parse(note))

    def encode(self) -> bytes:
        """The body."""
        lines = [f"old {self.old}", *[base64.b64encode(item).decode() for item in self.proof]]
        return ("\n".join(lines) + f"\n\n{self.head.note}").encode()


class Witness:
    """`signer` makes cosignatures; `logs` are the keys by the origin of their log; `folder` keeps the newest heads."""

    def __init__(self, folder: Path, signer: Signer, logs: Mapping[str, Sequence[Verifier]]) -> None:
        self._folder = folder
        self._signer = signer
        self._logs = logs
        self._one_at_a_time = threading.Lock()

    def add(self, body: bytes, now: float) -> Answer:
        """Answer `add-checkpoint`. Raises OSError when the new head cannot be kept: then it is not signed."""
        try:
            request = Request.parse(body)
        except (ValueError, NoteError, binascii.Error) as error:
            return Answer(400, f"{error}\n")
        new = request.head.checkpoint
        keys = self._logs.get(new.origin)
        if keys is None:
            return Answer(404, "this log is not known here\n")
        try:
            signed = request.head.note.by(keys)
        except NoteError:
            signed = {}
        if not signed:
            return Answer(403, "no key of this log has signed the checkpoint\n")
        if request.old > new.size:
            return Answer(400, "the old size is beyond the checkpoint\n")
        with self._one_at_a_time:
            known = self._known(new.origin)
            size, root = (known.size, known.root) if known else (0, EMPTY)
            if request.old != size:
                return Answer(409, f"{size}\n", SIZE)
            if new.size == size and known is not None and new.root != root:
                return Answer(409, f"{size}\n", SIZE)
            try:
                if size:
                    check_consistency(size, new.size, request.proof, root, new.root)
                elif request.proof:
                    raise ProofError("a proof from nothing is empty")
            except ProofError as error:
                return Answer(422, f"{error}\n")
            name = self._name(new.origin)
            put(self._folder / name, str(request.head.note).encode())
            sync_files(self._folder, [name])
        return Answer(200, self._signer.line(request.head.note.text, int(now)))

    def _known(self, origin: str) -> Checkpoint | None:
        """The newest head of a log. A file that cannot be read raises: forgetting would allow a rollback."""
        try:
            return Head.parse((self._folder / self._name(origin)).read_bytes()).checkpoint
        except FileNotFoundError:
            return None
        except NoteError as error:
            raise OSError(5, f"the head that was kept cannot be read: {error}") from None

    @staticmethod
    def _name(origin: str) -> str:
        return f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}.checkpoint"
