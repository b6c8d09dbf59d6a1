"""A service that hands its own credential back: in an error page, a debug header, an echo of the request.

The exact bytes are looked for, as they were sent and as JSON may write them. A service that encodes, cuts or encrypts
the credential is not found out.
"""

from __future__ import annotations

from collections.abc import Iterable

from sluicegate import codings

SHORTEST = 8
"""Characters that a secret must have to be looked for: shorter ones are found in answers that have nothing of them."""


def needles(found: set[str]) -> tuple[bytes, ...]:
    """What gives a credential away, as it may be written in an answer."""
    plain = {text for text in found if len(text) >= SHORTEST}
    escaped = {text.replace("/", "\\/") for text in plain}
    # The shortest first: it is part of the others, and mostly decides alone.
    return tuple(sorted((text.encode("ascii") for text in plain | escaped), key=len))


def gives_away(secrets: Iterable[bytes], fields: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
    """Whether a decoded body, or a header, holds one of the secrets."""
    # A secret has no line feed in it, so none is found across two fields.
    said = b"\n".join([text for field in fields for text in field])
    for secret in secrets:  # noqa: SIM110 - a loop takes half the time of any()
        if secret in body or secret in said:
            return True
    return False


def readable(raw: bytes, coding: str, limit: int) -> bytes:
    """The body as the client will read it. Raises codings.CodingError when nobody here can tell."""
    return codings.decode(raw, coding, limit) if raw else raw
