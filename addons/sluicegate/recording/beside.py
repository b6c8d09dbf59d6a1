"""What the record has of an exchange besides itself: the approval's events, and its place in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from sluicegate.recording.ledger.note import NoteError
from sluicegate.recording.ledger.store import FOLDER, Store
from sluicegate.recording.ledger.tiles import TileError
from sluicegate.recording.plain import moment
from sluicegate.recording.sealing.keys import FOLDER as KEYS
from sluicegate.recording.sealing.opening import without_key
from sluicegate.recording.verify.one import entries_of

LOOKED_THROUGH = 200_000
"""Entries of a ledger that are looked through to show a place; in a longer one, `verify ID` says it."""
_LARGEST = 64 << 20


def approval_events(folder: Path, approval: str) -> list[dict[str, Any]]:
    """The recorded events of an approval, the oldest first: asked, seconded, approved, used. Not verified here."""
    found: list[dict[str, Any]] = []
    needle = approval.encode("utf-8", "replace")
    for path in sorted(folder.glob("????-??-??/*.events")):
        if path.is_symlink() or path.stat().st_size > _LARGEST:
            continue
        for line in path.read_bytes().split(b"\n"):
            if b'"approval.' in line and needle in line:
                found += _event(line)
    return sorted(found, key=lambda event: float(event["time"]))


def facts(folder: Path, exchange: str, approval: str) -> Iterator[tuple[str, object]]:
    """Names and values to show. Whatever cannot be read is left out: `verify` is what judges it."""
    try:
        for event in approval_events(folder, approval) if approval else ():
            yield "approval", _told(event)
    except OSError:
        pass
    try:
        head = Store(folder / FOLDER).head()
        if head is None:
            return
        size = head.checkpoint.size
        if size > LOOKED_THROUGH:
            yield "ledger", f"{size} entries; sluicegate-replay verify {exchange[:8]} says which are its own"
            return
        own = [(seq, fields) for seq, _, fields in entries_of(folder, exchange, size)]
        places = ", ".join(f"{fields['type']} {seq}" for seq, fields in own)
        yield "ledger", f"{places or 'not yet'} of {size} signed entries (not verified here)"
        for key in {str(fields.get("key")) for _, fields in own if fields["type"] == "sealed"}:
            if key.isalnum() and not (folder / KEYS / f"{key}.age").exists():
                yield "original", without_key(folder, f"{KEYS}/{key}.age")
    except (OSError, NoteError, TileError):
        yield "ledger", "cannot be read; see sluicegate-replay verify"


def _event(line: bytes) -> list[dict[str, Any]]:
    try:
        fields = orjson.loads(line)
    except ValueError:
        return []
    whole = isinstance(fields, dict) and isinstance(fields.get("body"), dict)
    return [fields] if whole and isinstance(fields.get("time"), int | float) else []


def _told(event: dict[str, Any]) -> str:
    body = event["body"]
    parts = [str(event.get("kind")).removeprefix("approval."), moment(float(event["time"]))]
    by = body.get("by")
    if isinstance(by, dict):
        parts.append(f"by {by.get('name') or by.get('subject')}")
    if body.get("reason"):
        parts.append(f"because: {body['reason']}")
    return ", ".join(parts)
