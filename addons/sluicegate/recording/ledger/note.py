"""Signed notes (C2SP signed-note v1.0.0) and the keys that sign them: people can read them, and openssl verify them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = 0x01
COSIGNATURE = 0x04
"""The type of a witness's signatures, which say when (C2SP tlog-cosignature v1)."""
MAX_NOTE = 1 << 20
_MAX_SIGNATURES = 64
_BEGIN = "\u2014 "


class NoteError(ValueError):
    """Text that is no signed note, or that none of the known keys signed, or that one of them did not."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and its name. `text()` is the `vkey` that Go's sumdb/note and the C2SP tools read."""

    name: str
    kind: int
    key: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `<name>+<key id>+<base64>`. Raises NoteError."""
        name, _, rest = text.strip().partition("+")
        number, _, encoded = rest.partition("+")
        data = _decoded(encoded)
        if len(data) != 33 or data[0] not in (ED25519, COSIGNATURE):
            raise NoteError("the key is of a kind that is not known")
        found = cls(name, data[0], data[1:])
        _check_name(name)
        if number != found.id.hex():
            raise NoteError("the number of the key does not fit the key")
        return found

    @property
    def id(self) -> bytes:
        """The four bytes by which signatures name the key."""
        return key_id(self.name, self.kind, self.key)

    def text(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.kind]) + self.key).decode()}"

    def check(self, text: str, signature: bytes) -> int | None:
        """Raises NoteError unless this key made the signature; the time of a witness's signature, else None."""
        when = None
        data = text.encode()
        if self.kind == COSIGNATURE:
            if len(signature) != 72:
                raise NoteError("a witness's signature has 72 bytes")
            (when,) = struct.unpack(">Q", signature[:8])
            data, signature = f"cosignature/v1\ntime {when}\n".encode() + data, signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, data)
        except (InvalidSignature, ValueError):
            raise NoteError(f"the signature of {self.name} is not right") from None
        return when


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and its name."""

    name: str
    key: Ed25519PrivateKey
    kind: int = ED25519

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self.kind, self.key.public_key().public_bytes_raw())

    def line(self, text: str, when: int = 0) -> str:
        """The signature line for a text that ends in a line feed; `when` (seconds) counts in a witness's alone."""
        if self.kind == COSIGNATURE:
            signature = struct.pack(">Q", when) + self.key.sign(f"cosignature/v1\ntime {when}\n{text}".encode())
        else:
            signature = self.key.sign(text.encode())
        return f"{_BEGIN}{self.name} {base64.b64encode(self.verifier.id + signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of a note: who says so, the key's four bytes, and the signature itself."""

    name: str
    id: bytes
    data: bytes

    @property
    def line(self) -> str:
        return f"{_BEGIN}{self.name} {base64.b64encode(self.id + self.data).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A signed note as it was read. The text means nothing before a signature of it was verified."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """Raises NoteError."""
        try:
            whole = data if isinstance(data, str) else data.decode()
        except UnicodeDecodeError:
            raise NoteError("a note is UTF-8") from None
        if len(whole) > MAX_NOTE:
            raise NoteError("the note is too large")
        if any(char < " " and char != "\n" for char in whole):
            raise NoteError("there are control characters in the note")
        text, found, lines = whole.rpartition("\n\n")
        if not found or not lines.endswith("\n"):
            raise NoteError("the note has no signatures")
        signatures = tuple(_signature(line) for line in lines[:-1].split("\n"))
        if len(signatures) > _MAX_SIGNATURES:
            raise NoteError("the note has too many signatures")
        return cls(text + "\n", signatures)

    def by(self, verifiers: Sequence[Verifier]) -> dict[Verifier, int | None]:
        """The keys that signed, with the time of a witness's signature.

        Signatures of unknown keys are ignored. Raises NoteError where one that a known key is said to have made is not
        right. Empty where no known key signed.
        """
        found: dict[Verifier, int | None] = {}
        for signature in self.signatures:
            for verifier in verifiers:
                if (verifier.name, verifier.id) == (signature.name, signature.id):
                    found[verifier] = verifier.check(self.text, signature.data)
        return found

    def __str__(self) -> str:
        return self.text + "\n" + "".join(signature.line for signature in self.signatures)


def sign(text: str, signers: Sequence[Signer]) -> str:
    """A note of a text that ends in a line feed."""
    return text + "\n" + "".join(signer.line(text) for signer in signers)


def key_id(name: str, kind: int, key: bytes) -> bytes:
    """The first four bytes of SHA-256 over name, kind and key."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def _signature(line: str) -> Signature:
    if not line.startswith(_BEGIN):
        raise NoteError("a signature line does not begin like one")
    name, _, encoded = line.removeprefix(_BEGIN).partition(" ")
    _check_name(name)
    data = _decoded(encoded)
    if len(data) <= 4:
        raise NoteError("a signature is too short")
    return Signature(name, data[:4], data[4:])


def _check_name(name: str) -> None:
    if not name or "+" in name or any(char.isspace() for char in name):
        raise NoteError("that is no name of a key")


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("that is no base64") from None
    if base64.b64encode(data).decode() != text:
        raise NoteError("that is not the one way to write this in base64")
    return data
