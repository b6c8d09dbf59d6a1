"""Keyed pseudonyms: the same value of the same domain always gives the same name, so that joins survive."""

from __future__ import annotations

import hashlib
import struct
import unicodedata
from collections.abc import Callable
from typing import Any

from sluicegate.masking.base32 import base32_all
from sluicegate.masking.keys import Keys
from sluicegate.masking.values import NUMBERS, clean

_BLOCK = 64  # of SHA-256, in bytes
_FEW = 64
_BITS = 52  # of a number that every reader of JSON takes exactly

Masker = Callable[[list[Any]], list[Any]]


def masker(keys: Keys, domain: str, *, typed: bool = False) -> Masker:
    """Pseudonyms of the values of one domain. `typed`: a number gets a number of up to 52 bits."""
    digests = _digests(keys, domain)
    opens = f"h{keys.version}."

    def mask(values: list[Any]) -> list[Any]:
        if len(values) > _FEW and set(map(type, values)) == {str}:
            known = dict.fromkeys(values)  # values repeat: each gets its name once
            if len(known) * 4 < len(values) * 3:
                return list(map(dict(zip(known, named(list(known)), strict=True)).__getitem__, values))
        return named(values)

    def named(values: list[Any]) -> list[Any]:
        # There is nobody to give a name to in a null, and nulls do not join.
        found = digests([value for value in values if value is not None])
        names = [opens + name for name in base32_all(found)]
        if typed:
            real = (value for value in values if value is not None)
            names = [_number(d) if _is_number(v) else n for v, d, n in zip(real, found, names, strict=True)]  # type: ignore[misc]
        if len(names) == len(values):
            return names
        left = iter(names)
        return [None if value is None else next(left) for value in values]

    return mask


def _digests(keys: Keys, domain: str) -> Callable[[list[Any]], list[bytes]]:
    # HMAC (RFC 2104) with the padded key hashed once: each value then costs two short hashes.
    padded = keys.derive("pseudonym", unicodedata.normalize("NFC", domain)).ljust(_BLOCK, b"\0")
    begun = hashlib.sha256(bytes(b ^ 0x36 for b in padded)).copy
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in padded)).copy
    pack = struct.Struct(">I").pack

    def digest(values: list[Any]) -> list[bytes]:
        digests = []
        for value in values:
            data = (value.strip() if value.__class__ is str and value.isascii() else clean(value)).encode()
            first = begun()
            first.update(pack(len(data)) + data)
            second = outer()
            second.update(first.digest())
            digests.append(second.digest())
        return digests

    return digest


def _is_number(value: Any) -> bool:
    return isinstance(value, NUMBERS) and not isinstance(value, bool)


def _number(digest: bytes) -> int:
    return int.from_bytes(digest[:8]) >> (64 - _BITS)
