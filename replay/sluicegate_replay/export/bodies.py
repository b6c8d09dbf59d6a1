"""Bodies in exports: decoded where that can be, as text where they are text, else in base64."""

from __future__ import annotations

import base64
from contextlib import suppress

from sluicegate.codings import CodingError, decode
from sluicegate.recording.recorded import Message

MAX_BODY = 256 << 20
"""Bytes of a decoded body; a larger one goes out as it was on the wire."""


def content(message: Message) -> tuple[bytes, bool]:
    """The body and whether it was decoded: without its content coding."""
    body = message.body or b""
    coding = message.header("content-encoding")
    if coding and body:
        with suppress(CodingError):
            return decode(body, coding, MAX_BODY), True
    return body, not coding


def as_text(body: bytes) -> tuple[str, bool]:
    """The body as text, and whether that is base64."""
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True
