"""The `Prefer` header (RFC 7240): how long a client is ready to wait, and whether it takes "not yet" for an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

MOST_SECONDS = 300.0
"""No request is held longer than this, whatever a rule or a client says."""

MAX_LENGTH = 200
"""Longer values of the header mean nothing: nobody needs them, and reading them costs more the longer they are."""

# A preference: token, optional value (token or quoted string); parameters behind a semicolon mean nothing to us.
_PREFERENCE = re.compile(
    r"""[\s,]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[!#$%&'*+\-.^_`|~0-9A-Za-z]*))?"""
    r"""\s*((?:;(?:"(?:[^"\\]|\\.)*"|[^",])*)?)(?=,|$)"""
)


class Preferences(NamedTuple):
    """What the client prefers. `wait` in seconds, None where it did not say."""

    wait: float | None = None
    respond_async: bool = False


def preferences(values: Iterable[str]) -> Preferences:
    """From the values of all `Prefer` headers. What cannot be read means nothing; the first of each name counts."""
    found: dict[str, str] = {}
    for value in values:
        if len(value) > MAX_LENGTH:
            continue
        position = 0
        while match := _PREFERENCE.match(value, position):
            found.setdefault(match[1].lower(), (match[2] or "").strip('"'))
            position = match.end()
    wait = found.get("wait", "")
    seconds = min(float(wait), MOST_SECONDS) if wait.isascii() and wait.isdigit() and len(wait) < 10 else None
    return Preferences(seconds, "respond-async" in found)
