"""Bodies as people read them: decoded, and indented where they are JSON."""

from __future__ import annotations

import json
from contextlib import suppress

from sluicegate.codings import CodingError, decode
from sluicegate.recording.plain import plain
from sluicegate.recording.recorded import Message

MAX_SHOWN = 4 << 20
"""Bytes of a decoded body that are looked at; larger ones are described."""


def readable(message: Message, max_lines: int | None = None) -> str:
    """The body of a message, safe to print, cut after `max_lines`. Never raises for what is in it."""
    if message.body is None:
        return "(the body was not recorded)"
    if not message.body:
        return "(no body)"
    try:
        body = decode(message.body, message.header("content-encoding"), MAX_SHOWN)
    except CodingError as error:
        return f"({len(message.body)} bytes; {plain(error)})"
    return _cut(_text(body, message.header("content-type")), max_lines)


def _text(body: bytes, kind: str) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"({len(body)} bytes, not text)"
    if "json" in kind.lower() or text.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):  # it may only look like JSON: then it is shown as it is
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return plain(text.replace("\r\n", "\n"), lines=True)


def _cut(text: str, max_lines: int | None) -> str:
    lines = text.split("\n")
    if max_lines is None or len(lines) <= max_lines:
        return text
    return "\n".join([*lines[:max_lines], f"… {len(lines) - max_lines} more lines"])
