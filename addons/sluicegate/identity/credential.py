"""Takes the credential out of header values. It only reads; whether the token is any good is for the verifier.

Sources: RFC 9110 section 11 (credentials), RFC 7617 (Basic), RFC 6750 section 2.1 (Bearer).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from sluicegate.identity.compact import MAX_TOKEN
from sluicegate.identity.refusals import duplicate, rejected

MAX_VALUE = 2 * MAX_TOKEN
"""Longest credential header, in characters: a token in Base64 with room for a user name."""

# The scheme and, after spaces, one token68 (RFC 9110 section 11.2). Nothing here can backtrack.
_CREDENTIAL = re.compile(r"([A-Za-z]{1,16}) +([A-Za-z0-9\-._~+/]+=*)", re.ASCII)


def from_proxy(values: Sequence[str]) -> str | None:
    """The token in the values of Proxy-Authorization: the password of Basic under any user name, or a Bearer token.

    None when there is none: no header, another scheme, or an empty password. Raises Refusal for two headers, and for
    a Basic or Bearer credential that is malformed or too long.
    """
    credential = _single(values, "Proxy-Authorization")
    if credential is None:
        return None
    scheme, text = credential
    if scheme == "bearer":
        return text
    if scheme == "basic":
        return _password(text)
    return None


def from_authorization(values: Sequence[str]) -> str | None:
    """The Bearer token in the values of Authorization; None when there is none. Raises Refusal as `from_proxy` does.

    Other schemes are credentials for the service itself, and none of ours.
    """
    credential = _single(values, "Authorization")
    return credential[1] if credential is not None and credential[0] == "bearer" else None


def _single(values: Sequence[str], header: str) -> tuple[str, str] | None:
    if not values:
        return None
    if len(values) > 1:
        raise duplicate(header)
    value = values[0].strip(" \t")
    scheme = value[:16].partition(" ")[0].lower()
    if scheme not in ("basic", "bearer"):
        return None
    if len(value) > MAX_VALUE:
        raise rejected("credential-too-long", f"{header} is longer than {MAX_VALUE} characters.")
    match = _CREDENTIAL.fullmatch(value)
    if match is None:
        if value.lower() == scheme:
            return None  # the bare scheme, as clients send it that have nothing to give
        raise rejected("credential-malformed", f"{header} is not a well-formed {scheme.title()} credential.")
    return scheme, match[2]


def _password(text: str) -> str | None:
    try:
        pair = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise rejected(
            "credential-malformed", "Proxy-Authorization is not Base64 of `user:token` in plain ASCII."
        ) from None
    _, colon, token = pair.partition(":")
    if not colon:
        raise rejected("credential-malformed", "Proxy-Authorization has a user name and no password.")
    return token or None
