"""What becomes of a masked value. Each method takes any JSON value, a whole object or array too, and never fails."""

from __future__ import annotations

import hashlib
import struct
import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from sluicegate.exchange import Method
from sluicegate.masking.json_body import canonical

Masker = Callable[[Any], Any]

REDACTED = "[redacted]"
"""What redact leaves, whatever there was, null included."""

STRICTNESS: dict[Method, int] = {"null": 0, "redact": 1, "hmac": 2, "last4": 3}
"""Smaller is stricter: of several masks on one value the smallest wins."""


class Action(NamedTuple):
    """A mask that wants a value. Actions sort by strictness."""

    strictness: int
    mask: str
    method: Method


PSEUDONYM = "h1."
"""Opens each pseudonym and says how it was made; a new key or another computation takes a new tag."""

_HIDDEN = "****"
_ENDLESS = frozenset((bool, dict, list))
_BLOCK = 64  # of SHA-256, in bytes
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648 section 6, lower case
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_BITS_30 = (1 << 30) - 1


class Methods:
    """The methods, with the key that pseudonyms are made with."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError("a masking key has at least 16 bytes")
        padded = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(b ^ 0x36 for b in padded))
        self._outer = hashlib.sha256(bytes(b ^ 0x5C for b in padded))

    def masker(self, method: Method, domain: str) -> Masker:
        """The function that masks one value. `domain` is the column's normal name: equal values join within it."""
        match method:
            case "redact":
                return redact
            case "null":
                return null
            case "last4":
                return last4
            case "hmac":
                return self._pseudonym(domain)

    def _pseudonym(self, domain: str) -> Masker:
        # HMAC (RFC 2104) with the padded key and the domain hashed once: each value then costs two short hashes.
        name = unicodedata.normalize("NFC", domain).encode()
        inner, outer, pack = self._inner.copy(), self._outer.copy, struct.Struct(">I").pack
        inner.update(pack(len(name)) + name)
        begun = inner.copy

        def mask(value: Any) -> Any:
            if value is None:
                return None  # there is nobody to give a name to, and nulls do not join
            data = _clean(value).encode()
            first = begun()
            first.update(pack(len(data)) + data)
            second = outer()
            second.update(first.digest())
            return PSEUDONYM + base32(second.digest())

        return mask


def redact(_value: Any) -> Any:
    """A fixed text in the place of any value."""
    return REDACTED


def null(_value: Any) -> Any:
    """null in the place of any value."""
    return None


def last4(value: Any) -> Any:
    """The last four characters, or fewer: never more than half. The stars do not tell how long the value was.

    Null stays null. A truth value, an object, an array, or a text that holds one shows nothing at all: their ends
    are not the end of one value.
    """
    if value is None:
        return None
    if value.__class__ in _ENDLESS:
        return _HIDDEN
    shown = (value if value.__class__ is str else text(value)).strip()
    if shown[:1] in ("{", "["):
        return _HIDDEN
    length = len(shown)
    if length >= 8:
        return _HIDDEN + shown[-4:]
    return _HIDDEN + shown[length - length // 2 :]


def text(value: Any) -> str:
    """The string form of a JSON value; a number and the string of its digits have the same one."""
    if isinstance(value, str):
        return value
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    return canonical(value)


def base32(digest: bytes) -> str:
    """The first 16 bytes in lower-case base32 without padding: 26 characters."""
    # 130 bits are 13 pairs of characters; they are cut to 30 bits first, which Python shifts at the least cost.
    number = int.from_bytes(digest[:16]) << 2
    a, b, c, d = number >> 100, number >> 70 & _BITS_30, number >> 40 & _BITS_30, number >> 10 & _BITS_30
    pairs = _PAIRS
    return (
        f"{pairs[a >> 20]}{pairs[a >> 10 & 1023]}{pairs[a & 1023]}{pairs[b >> 20]}{pairs[b >> 10 & 1023]}"
        f"{pairs[b & 1023]}{pairs[c >> 20]}{pairs[c >> 10 & 1023]}{pairs[c & 1023]}{pairs[d >> 20]}"
        f"{pairs[d >> 10 & 1023]}{pairs[d & 1023]}{pairs[number & 1023]}"
    )


def _clean(value: Any) -> str:
    # Spelling must not break joins: composed characters, and no blanks at the ends.
    form = value if value.__class__ is str else text(value)
    return form.strip() if form.isascii() else unicodedata.normalize("NFC", form).strip()
