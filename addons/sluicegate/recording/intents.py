"""Intents: one line of JSON for each request that goes out, on the disk before it does.

An intent without an outcome means "forwarded, outcome unknown". Keys are sorted, and `crc32` covers the rest of the
line, so that a line that was torn or damaged is told from a whole one. It is no protection against forgery.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import orjson

from sluicegate.exchange import Exchange
from sluicegate.recording.redact import Redactor
from sluicegate.recording.summary import VERSION, describe, valid_text

_CANONICAL = orjson.OPT_SORT_KEYS
MAX_LINE = 4 << 20


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent as it was read; `fields` is everything in it."""

    id: str
    time: float
    file: str
    offset: int
    fields: dict[str, Any]


def encode(exchange: Exchange, redact: Redactor, now: float, run: str, body_sha256: str, salt: str) -> bytes:
    """The line for an exchange. `body_sha256` is of the request body as it will be recorded; `now` is event time.

    `salt` makes the line one that nobody can guess from the ledger's hash of it.
    """
    principal, operation, verdict = exchange.principal, exchange.operation, exchange.verdict
    return seal(
        {
            "version": VERSION,
            "id": exchange.id,
            "run": run,
            "time": now,
            "subject": principal.subject if principal else None,
            "name": principal.label if principal else None,
            "session": principal.session if principal else None,
            "client": exchange.client,
            "method": exchange.method,
            "host": exchange.host,
            "port": exchange.port,
            "target": redact.target(exchange.target),
            "service": exchange.service,
            "operation": describe(operation, redact) if operation else None,
            "effect": verdict.effect if verdict else None,
            "rules": list(verdict.rules) if verdict else [],
            "approval": exchange.approval,
            "policy": verdict.policy if verdict else "",
            "body_sha256": body_sha256,
            "salt": salt,
        }
    )


def seal(fields: dict[str, Any]) -> bytes:
    """The canonical line of some fields, with its checksum and line feed."""
    try:
        rest = orjson.dumps(fields, option=_CANONICAL)
    except TypeError:
        # Names off the wire may hold what is no valid Unicode.
        fields = valid_text(fields)
        rest = orjson.dumps(fields, option=_CANONICAL)
    return orjson.dumps({**fields, "crc32": f"{zlib.crc32(rest):08x}"}, option=_CANONICAL) + b"\n"


def parse(line: bytes, file: str, offset: int) -> Intent:
    """The intent in a line (without its line feed). Raises ValueError when the line is not whole and ours."""
    fields = orjson.loads(line)  # JSONDecodeError is a ValueError
    if not isinstance(fields, dict):
        raise ValueError("the line is not an object")
    checksum = fields.pop("crc32", None)
    if checksum != f"{zlib.crc32(orjson.dumps(fields, option=_CANONICAL)):08x}":
        raise ValueError("the checksum does not fit")
    if fields.get("version") != VERSION or not isinstance(fields.get("id"), str):
        raise ValueError("the line is no intent of a version that is known")
    if not isinstance(fields.get("time"), int | float):
        raise ValueError("the line has no time")
    return Intent(fields["id"], float(fields["time"]), file, offset, fields)
