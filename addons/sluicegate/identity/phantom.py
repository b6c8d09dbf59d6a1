"""Our token in the place of a service's key: `API_KEY=slg_...`, and nothing else to be set up.

An SDK sends its key where its service wants it, and knows nothing of us. Where it was given our token for a key, the
token says who asks; the room of credentials puts the service's own secret in the same place, after the verdict.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable

from sluicegate.identity.credential import MAX_VALUE
from sluicegate.identity.handle import PATTERN

MARK = b"slg_"
"""In every handle; whatever holds it is looked at more closely."""

HANDLE = re.compile(PATTERN.encode(), re.ASCII)

# `KEY` alone, or after one word, as in `token KEY`, `ApiKey KEY`, `Bearer KEY`.
_KEY = re.compile(rb"(?:[A-Za-z][A-Za-z0-9_-]{0,31} +)?([A-Za-z0-9_.-]+)", re.ASCII)
_JWT = b"ey"
"""How a JSON object begins in Base64url, and so a token of the provider."""


Field = tuple[bytes, bytes]


def tokens(fields: Iterable[Field], ours: Callable[[str], bool]) -> dict[str, list[Field]]:
    """Our tokens that stand where keys do, each with the headers that it is in: a whole header of any name, alone or
    after a scheme; the password of Basic, or its user name, as some services have it.

    `ours`: whether a token claims to be from our provider or from us. What is not is the service's, and none of ours.
    """
    found: dict[str, list[Field]] = {}
    for field in fields:
        for text in standing_in(*field):
            if text in found or ours(text):
                found.setdefault(text, []).append(field)
    return found


def standing_in(name: bytes, value: bytes) -> list[str]:
    """What may be a token of ours in a header; nothing is known of it yet."""
    value = value.strip(b" \t")
    if not len(MARK) < len(value) <= MAX_VALUE:
        return []
    if value[:6].lower() == b"basic " and name.lower().endswith(b"authorization"):
        return _of_basic(value[6:])
    match = _KEY.fullmatch(value)
    return _candidates([match[1]]) if match is not None else []


def _of_basic(coded: bytes) -> list[str]:
    try:
        user, _, password = base64.b64decode(coded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return []
    return _candidates([password, user])


def _candidates(found: list[bytes]) -> list[str]:
    return [text.decode("ascii") for text in found if text.startswith((MARK, _JWT)) and text.isascii()]
