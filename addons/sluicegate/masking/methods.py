"""What becomes of a masked value. Each method takes any JSON value, a whole object or array too, and never fails."""

from __future__ import annotations

import hashlib
import struct
import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from sluicegate.exchange import Method
from sluicegate.masking.base32 import base32_all
from sluicegate.masking.json_body import canonical

Masker = Callable[[list[Any]], list[Any]]
"""Masks the values of one column: as many as it gets, in their order."""

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


class Methods:
    """The methods, with the key that pseudonyms are made with."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError("a masking key has at least 16 bytes")
        padded = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(b ^ 0x36 for b in padded))
        self._outer = hashlib.sha256(bytes(b ^ 0x5C for b in padded))

    def masker(self, method: Method, domain: str) -> Masker:
        """The function that masks values. `domain` is the column's normal name: equal values join within it."""
        match method:
            case "redact":
                return lambda values: [REDACTED] * len(values)  # whatever there was, null included
            case "null":
                return lambda values: [None] * len(values)
            case "last4":
                return lambda values: list(map(last4, values))
            case "hmac":
                return self._pseudonym(domain)

    def _pseudonym(self, domain: str) -> Masker:
        # HMAC (RFC 2104) with the padded key and the domain hashed once: each value then costs two short hashes.
        name = unicodedata.normalize("NFC", domain).encode()
        inner, outer, pack = self._inner.copy(), self._outer.copy, struct.Struct(">I").pack
        inner.update(pack(len(name)) + name)
        begun = inner.copy

        def mask(values: list[Any]) -> list[Any]:
            digests = []
            for value in values:
                if value is None:
                    continue  # there is nobody to give a name to, and nulls do not join
                data = (value.strip() if value.__class__ is str and value.isascii() else _clean(value)).encode()
                first = begun()
                first.update(pack(len(data)) + data)
                second = outer()
                second.update(first.digest())
                digests.append(second.digest())
            names = [PSEUDONYM + name for name in base32_all(digests)]
            if len(names) == len(values):
                return names
            left = iter(names)
            return [None if value is None else next(left) for value in values]

        return mask


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


def _clean(value: Any) -> str:
    # Spelling must not break joins: composed characters, and no blanks at the ends.
    form: str = value if value.__class__ is str else text(value)
    return form.strip() if form.isascii() else unicodedata.normalize("NFC", form).strip()
