"""Short codes for approvals, that people read out and type. They name an approval; they give no right to it."""

from __future__ import annotations

import secrets

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""Consonants (RFC 8628 section 6.1): no words by accident, no 0 and O."""


def new_code() -> str:
    """Eight random letters in two groups, such as `WDJB-MJHT`."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def normal_code(text: str) -> str:
    """The code as it is stored, from however it was typed: case, spaces and hyphens do not matter."""
    letters = text.upper().replace("-", "").replace(" ", "")
    return f"{letters[:4]}-{letters[4:]}"
