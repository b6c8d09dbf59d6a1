"""What stands inside something else: parts of a form, files behind or in the middle of others, words between bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEAD = 4096
_BOUNDARY = re.compile(rb"(?:\A|\n)(--[^\r\n]{1,200})\r?\n")
_FIELD = re.compile(rb"content-[a-z-]+[ \t]*:", re.IGNORECASE)
_BLANK = re.compile(rb"\r?\n\r?\n")
_BEGINS = re.compile(rb"\x1f\x8b\x08|PK\x03\x04|BZh[1-9]1AY|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|\x78[\x01\x5e\x9c\xda]")
_TRIED = 64
"""Places in a body at which a file may begin that are tried."""
_WORDS = re.compile(rb"[\t\n\r -~]{16,}")


def members(data: bytes) -> list[bytes]:
    """The parts of a multipart body with their heads, whatever its type says; all of it is in one of them. Empty where
    it is none."""
    first = next((found for found in _BOUNDARY.finditer(data[:_HEAD]) if _FIELD.match(data, found.end())), None)
    if first is None:
        return []
    before, *several = re.split(rb"(?:\A|\r?\n)" + re.escape(first[1]) + rb"(?:--)?[ \t]*(?=\r?\n|\Z)", data)
    found = [before, first[1]]
    for one in several:
        head, *rest = _BLANK.split(one, maxsplit=1)
        found += [head, *rest]
    return [one for one in found if one.strip()]


def embedded(data: bytes) -> Iterator[bytes]:
    """From each place on, behind the first, at which a packed file may begin."""
    for _, match in zip(range(_TRIED), _BEGINS.finditer(data, 1), strict=False):
        yield data[match.start() :]


def words(data: bytes) -> bytes:
    """Runs of letters between other bytes."""
    return b"\n".join(match.group() for match in _WORDS.finditer(data))
