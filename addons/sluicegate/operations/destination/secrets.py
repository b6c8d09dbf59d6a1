"""Secrets in destinations: signatures, tokens and passwords are no part of where something goes, and are not shown."""

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "hidden"
"""Stands where a secret stood."""

_NAMES = frozenset({"sig", "key", "code", "sas", "jwt", "pwd", "pass", "skoid", "sktid", "se", "st", "sp", "policy"})
_PARTS = ("token", "secret", "passw", "signature", "credential", "apikey", "accesskey", "auth", "session", "accessid")
_USER_INFO = re.compile(r"(?<=//)[^/?#\s]*@")
_ASSIGNED = re.compile(
    r"(?i)([\w.-]*(?:token|secret|passw|pwd|sig|credential|key|auth|identified\s+by)[\w.-]*[\s\"']*[=:]\s*)[^&;,\s]+"
)


def without_secrets(query: str) -> str:
    """A query (empty, or with its question mark) in which the values of secrets are hidden."""
    if not query:
        return ""
    pieces = []
    for piece in query[1:].split("&"):
        name, sign, _ = piece.partition("=")
        pieces.append(f"{name}={HIDDEN}" if sign and _secret(name) else piece)
    return "?" + "&".join(pieces)


def redacted(text: str) -> str:
    """A text of unknown form in which user info, queries and what is assigned to secret names are hidden."""
    text = _USER_INFO.sub(f"{HIDDEN}@", text)
    front, mark, _ = text.partition("?")
    return _ASSIGNED.sub(rf"\g<1>{HIDDEN}", front) + (mark + HIDDEN if mark else "")


def _secret(name: str) -> bool:
    lower = unquote(name).lower()
    letters = re.sub("[^a-z0-9]", "", lower)
    return lower.startswith(("x-amz-", "x-goog-")) or letters in _NAMES or any(part in letters for part in _PARTS)
