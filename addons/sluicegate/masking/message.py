"""A message of a WebSocket: it has no Content-Type, so its bytes alone say what it is.

What it could be is settled before anything is masked. A message that is JSON is masked as that or not at all: no second
reading is tried because the first one was refused.
"""

from __future__ import annotations

from sluicegate.masking.body import Masked, Reply, mask
from sluicegate.masking.json_body import Unfit, parse
from sluicegate.masking.rules import Plan

JSON, LINES, SEQUENCE = "application/json", "application/x-ndjson", "application/json-seq"
TEXT, MSGPACK, ARROW = "text/plain", "application/msgpack", "application/vnd.apache.arrow.stream"
OPEN = "application/octet-stream"
"""Says nothing; bytes that say at both ends what they are (Arrow files, Parquet) are read all the same."""

_STREAM = b"\xff\xff\xff\xff"
"""How a stream of Arrow messages begins (Arrow columnar format, encapsulated message format)."""

_PACKED = frozenset((*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF))
"""How a map or an array begins in MessagePack. Of anything else nobody could say that it is that."""


def mask_message(content: bytes, plan: Plan, limit: int, *, text: bool) -> Masked:
    """The message that may leave, in `body`. Raises Refusal. `limit` bounds what it may decode to, in bytes."""
    return mask(reply_of(content, text=text), plan, (), limit)


def reply_of(content: bytes, *, text: bool) -> Reply:
    """The message as a response that would say what it is."""
    return Reply("GET", 200, ((b"content-type", media_of(content, text=text).encode()),), content)


def media_of(content: bytes, *, text: bool) -> str:
    """The type that a message would be sent as in a response. `text`: it came as text, and is UTF-8."""
    start = content.lstrip()[:1]
    if text:
        if start == b"\x1e":
            return SEQUENCE
        if _is_json(content):
            return JSON
        if _are_lines(content):
            return LINES
        return JSON if start in (b"{", b"[") else TEXT  # what begins like JSON and is none is refused, not read as text
    if content.startswith(_STREAM):
        return ARROW
    if start in (b"{", b"["):
        return JSON if _is_json(content) else LINES if _are_lines(content) else OPEN
    return MSGPACK if content[:1] and content[0] in _PACKED else OPEN


def _is_json(content: bytes) -> bool:
    try:
        parse(content)
    except (Unfit, RecursionError):
        return False
    return True


def _are_lines(content: bytes) -> bool:
    """Whether each line is an object or array of its own. The reader of lines takes more for JSON than that."""
    lines = [line for line in content.splitlines() if line.strip()]
    return len(lines) > 1 and all(line.lstrip()[:1] in (b"{", b"[") and _is_json(line) for line in lines)
