"""The opaque handle: what a signed-in person's clients send as the proxy password, and nobody can read anything out of.

`slg_`, 43 characters of 256 random bits, six of a checksum; all of them letters and digits (but the underscore): so
it goes through URLs, shells, SOCKS and Basic unchanged. Prefix and checksum let scanners find a handle that leaked, and
tell a mistyped one without asking anybody. Only its SHA-256 is kept: with 256 random bits there is nothing to salt.
"""

from __future__ import annotations

import re
import secrets
import zlib
from hashlib import sha256

PREFIX = "slg_"
LENGTH = 53
PATTERN = r"slg_[0-9A-Za-z]{49}"
"""For scanners of secrets."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(PATTERN, re.ASCII)


def make() -> str:
    """A new handle."""
    body = _base62(secrets.randbits(256), 43)
    return f"{PREFIX}{body}{_checksum(body)}"


def looks_like_one(text: str) -> bool:
    """Whether it is meant to be a handle, right or wrong."""
    return text.startswith(PREFIX)


def well_formed(text: str) -> bool:
    """Whether it is a handle as we make them. One wrong character is always found (CRC-32 finds bursts of 32 bits)."""
    return _FORM.fullmatch(text) is not None and _checksum(text[4:47]) == text[47:]


def digest(text: str) -> bytes:
    """SHA-256, under which a handle is kept."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), 6)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
