"""The outer form of a token, JWS compact serialization (RFC 7515 section 7.1), and JSON without ambiguity.

Python's json keeps the last of duplicate members where another reader keeps the first, and takes NaN; a token that two
readers read differently is refused here, before anything in it is believed.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, NamedTuple

from sluicegate.errors import Refusal
from sluicegate.identity.refusals import rejected

MAX_TOKEN = 16_384
"""Longest token, in characters."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class Parts(NamedTuple):
    """Header and claims of a token. Nothing in them is proved yet."""

    header: dict[str, Any]
    claims: dict[str, Any]


def split(token: str) -> Parts:
    """Header and claims of a compact JWS. Raises Refusal for any other form: JWE, JSON serialization, padding."""
    if len(token) > MAX_TOKEN:
        raise rejected("token-too-long", f"The token is longer than {MAX_TOKEN} characters.")
    if _COMPACT.fullmatch(token) is None:
        raise rejected("token-malformed", "The credential is not a signed token (three Base64url parts).")
    header, payload, signature = token.split(".")
    try:
        decode(signature)
        return Parts(strict_object(decode(header)), strict_object(decode(payload)))
    except (ValueError, RecursionError):
        raise _unreadable() from None


def strict_object(data: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8. Raises ValueError for duplicate members, NaN, infinities, and anything but an object."""
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(document, dict):
        raise ValueError("not an object")
    return document


def decode(part: str) -> bytes:
    """Base64url as RFC 7515 has it: no padding, and one spelling for each value. Raises ValueError."""
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    # Spare bits in the last character would let one token be written in many ways.
    if base64.urlsafe_b64encode(data).rstrip(b"=") != part.encode():
        raise ValueError("not canonical")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _unreadable() -> Refusal:
    return rejected("token-malformed", "The token's parts are not Base64url of unambiguous JSON objects.")
