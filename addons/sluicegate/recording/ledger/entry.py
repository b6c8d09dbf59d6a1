"""Entries of the ledger: canonical JSON (RFC 8785) about one thing that happened, with no personal data in clear.

What an entry is about stands in a recording: `file`, `offset`, `length` say where, `sha256` is of those bytes. They
hold a random salt, so that the hash says nothing about them once they are deleted. Times (`at`) are microseconds since
the epoch, UTC. Every entry has `v`, `seq` (its index), `type` and `at`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

VERSION = 1
_LARGEST = (1 << 53) - 1
"""The largest number that every reader of JSON understands."""

Fields = Mapping[str, str | int | bool | list[Any] | dict[str, Any] | None]


def encode(seq: int, kind: str, at: float, fields: Fields) -> bytes:
    """The canonical bytes of an entry. `at` is in seconds. Values are texts, whole numbers, lists and tables of them.

    orjson with sorted keys writes what RFC 8785 asks for as long as keys are ASCII and no number has a fraction.
    """
    micros = max(0, min(int(at * 1_000_000), _LARGEST))
    return orjson.dumps({**fields, "v": VERSION, "seq": seq, "type": kind, "at": micros}, option=orjson.OPT_SORT_KEYS)


def about(file: str, offset: int, record: bytes) -> dict[str, Any]:
    """The fields that tie an entry to bytes of a recording."""
    digest = hashlib.sha256(record).hexdigest()
    return {"file": file, "offset": offset, "length": len(record), "sha256": digest}


def decode(data: bytes, seq: int) -> dict[str, Any]:
    """The fields of an entry. Raises ValueError where it is none of ours, or stands in another place than it says."""
    fields = orjson.loads(data)
    if not isinstance(fields, dict) or fields.get("v") != VERSION or not isinstance(fields.get("type"), str):
        raise ValueError("this is no entry of a version that is known")
    if fields.get("seq") != seq:
        raise ValueError(f"the entry says that it is number {fields.get('seq')}")
    if not isinstance(fields.get("at"), int):
        raise ValueError("the entry has no time")
    if orjson.dumps(fields, option=orjson.OPT_SORT_KEYS) != data:
        raise ValueError("the entry is not in its canonical form")
    return fields


def place(fields: Mapping[str, Any]) -> tuple[str, int, int, str] | None:
    """(file, offset, length, SHA-256 in hex) of the bytes that an entry ties down; None where it ties none."""
    found = tuple(fields.get(name) for name in ("file", "offset", "length", "sha256"))
    file, offset, length, digest = found
    if file is None:
        return None
    if not (isinstance(file, str) and isinstance(offset, int) and isinstance(length, int) and isinstance(digest, str)):
        raise ValueError("the entry does not say what it is about")
    if offset < 0 or length < 0 or len(digest) != 64:
        raise ValueError("the entry does not say what it is about")
    return file, offset, length, digest
