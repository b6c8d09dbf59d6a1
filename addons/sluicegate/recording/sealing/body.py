"""One sealed body: a line of JSON that says what it is, and the ciphertext behind it.

The line is authenticated. Inside are a salt, the body's type and coding, and the body as the service sent it. The
`commitment` is HMAC-SHA256 over the body with that salt: it stands in the ledger, says nothing without the salt, and
shows that what is unsealed is what was there.
"""

from __future__ import annotations

import hmac
import os
import struct
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1
KEY_SIZE = 32
_SALT = 32
_NONCE = 12
_INFO = b"sluicegate sealed body v1\0"
_LENGTH = struct.Struct(">I")


class SealError(ValueError):
    """A sealed body that cannot be opened, or is not what it should be."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An original, as the service sent it: `body` in its `coding`, of its `type`; `commitment` is to be compared."""

    exchange: str
    key: str
    type: str
    coding: str
    body: bytes
    commitment: str


def body_key(prk: bytes, exchange: str) -> bytes:
    """The key of one body (HKDF-SHA256, RFC 5869, one block). `prk` is what `extract` made of the data key."""
    return hmac.digest(prk, _INFO + exchange.encode("utf-8", "surrogatepass") + b"\x01", "sha256")


def extract(data_key: bytes) -> bytes:
    """The first step of HKDF-SHA256, without a salt."""
    return hmac.digest(bytes(32), data_key, "sha256")


def seal(prk: bytes, key: str, exchange: str, kind: str, coding: str, body: bytes) -> tuple[bytes, str]:
    """The record of a body under the data key named `key`, and the commitment to the body."""
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    commitment = hmac.digest(salt, body, "sha256").hex()
    about = orjson.dumps({"type": kind, "coding": coding})
    header = orjson.dumps(
        {
            "v": VERSION,
            "id": exchange,
            "key": key,
            "nonce": nonce.hex(),
            "length": _SALT + _LENGTH.size + len(about) + len(body) + 16,
        },
        option=orjson.OPT_SORT_KEYS,
    )
    plain = b"".join((salt, _LENGTH.pack(len(about)), about, body))
    sealed = AESGCM(body_key(prk, exchange)).encrypt(nonce, plain, header)
    return b"".join((header, b"\n", sealed, b"\n")), commitment


def header_of(record: bytes) -> dict[str, Any]:
    """What the line before the ciphertext says. Raises SealError."""
    line, found, rest = record.partition(b"\n")
    try:
        fields = orjson.loads(line)
    except ValueError:
        fields = None
    if not found or not isinstance(fields, dict) or fields.get("v") != VERSION:
        raise SealError("this is no sealed body of a version that is known")
    if not all(isinstance(fields.get(name), str) for name in ("id", "key", "nonce")):
        raise SealError("the line before the sealed body is not right")
    if fields.get("length") != len(rest) - 1:
        raise SealError("the sealed body is not whole")
    return fields


def open_body(data_key: bytes, record: bytes) -> Opened:
    """The original. Raises SealError where the key is another or anything was changed."""
    fields = header_of(record)
    line, _, rest = record.partition(b"\n")
    try:
        key = body_key(extract(data_key), fields["id"])
        plain = AESGCM(key).decrypt(bytes.fromhex(fields["nonce"]), rest[:-1], line)
    except (InvalidTag, ValueError):
        raise SealError("the body does not open with this key, or was changed") from None
    salt, rest = plain[:_SALT], plain[_SALT:]
    (length,) = _LENGTH.unpack_from(rest)
    about = orjson.loads(rest[_LENGTH.size : _LENGTH.size + length])
    body = rest[_LENGTH.size + length :]
    commitment = hmac.digest(salt, body, "sha256").hex()
    return Opened(fields["id"], fields["key"], about["type"], about["coding"], body, commitment)
