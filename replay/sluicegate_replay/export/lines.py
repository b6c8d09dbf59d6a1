"""JSON lines and CSV: one line an exchange."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from sluicegate.recording.recorded import Message, Recorded
from sluicegate.recording.shown import verdict_of
from sluicegate_replay.escape import moment, plain
from sluicegate_replay.export.bodies import as_text, content
from sluicegate_replay.rows import line_of

COLUMNS = (
    *("id", "time", "started", "who", "subject", "session", "service", "dataset", "kind", "verdict", "status", "rules"),
    *("findings", "risk", "masked", "rows", "approval", "method", "url", "file", "offset"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With what a cell begins that a spreadsheet would run."""


def jsonl(items: Iterable[Recorded], bodies: bool) -> Iterator[bytes]:
    """A JSON object each: everything that was recorded."""
    for item in items:
        yield json.dumps(_whole(item, bodies), default=str).encode() + b"\n"


def table(items: Iterable[Recorded], _bodies: bool) -> Iterator[bytes]:
    """CSV (RFC 4180) in UTF-8: the facts, without headers and bodies. No cell is one that a spreadsheet would run."""
    yield _row(COLUMNS)
    for item in items:
        line = line_of(item)
        values = {**line.as_json(), "time": moment(line.started)}
        values |= {"rules": ", ".join(line.rules), "findings": ", ".join(line.findings)}
        yield _row([_cell(values[name]) for name in COLUMNS])


def _whole(item: Recorded, bodies: bool) -> dict[str, Any]:
    return {
        **{name: value for name, value in item.summary.items() if name != "crc32"},
        "verdict": verdict_of(item),
        "url": item.url,
        "file": item.file,
        "offset": item.offset,
        "request": _message(item.request, bodies),
        "response": _message(item.response, bodies) if item.response else None,
    }


def _message(message: Message, bodies: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "line": message.line,
        "version": message.version,
        "headers": [list(pair) for pair in message.headers],
        "length": None if message.body is None else len(message.body),
    }
    if bodies and message.body is not None:
        text, coded = as_text(content(message)[0])
        found["base64" if coded else "text"] = text
    return found


def _cell(value: object) -> str:
    text = plain("" if value is None else value)
    return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, int | float) else text


def _row(values: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue().encode("utf-8", "backslashreplace")
