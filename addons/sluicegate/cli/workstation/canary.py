"""Whether what a canary brought back is masked as the policy says: judged by what stands in the answer.

A method leaves a form that can be told (`null`, `[redacted]`, `****6789`, `h1.` and 26 letters). Some leave what looks
like a value (`fpe`, `number`, `date`), and a service may have masked forms of its own; so the operator can name values
of the record that is asked for, and none of those may be in the answer.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sluicegate.cli.workstation.checks import Level
from sluicegate.exchange import Obligation
from sluicegate.mask_method import PLACEHOLDER, Manner, Method, strictness

HASHED = "scrypt:"  # then the salt and the digest, in hex
MOST_HASHED = 200
"""So many different cells are hashed, at ten milliseconds each."""
_WIDE = re.compile(r"h\d+\.[a-z2-7]{26}")
_NO_FORM = frozenset({"fpe", "number", "date"})

Cell = tuple[str, Any]
"""A column's name and a value in it."""


@dataclass(frozen=True, slots=True)
class Judged:
    level: Level
    said: str


def hashed(value: str, salt: bytes | None = None) -> str:
    """A value as [services.*.canary] may hold it, where it is not to be read there. Short ones can be guessed still."""
    salt = secrets.token_bytes(12) if salt is None else salt
    digest = hashlib.scrypt(value.encode(), salt=salt, n=1 << 12, r=8, p=1, dklen=32)
    return f"{HASHED}{salt.hex()}:{digest.hex()}"


def judge(body: bytes, kind: str, owed: Sequence[Obligation], known: Sequence[str]) -> Judged:
    """What an answer shows that the policy let through. `kind` is its Content-Type. Quotes no value of it."""
    if not owed:
        return Judged("ok", "no mask is owed")
    cells = read(body, kind)
    text = body.decode("utf-8", "replace")
    if any(_is_known(value, text, cells or ()) for value in known):
        return Judged("fail", "a value that the policy's canary names came back in clear")
    forms = _forms(owed)
    if cells is None:
        return _only_known(known, "is in no form that doctor reads")
    seen = {name for name, _ in cells if name in forms}
    clear = sorted({name for name, value in cells if name in forms and not _masked(value, *forms[name])})
    if clear:
        return Judged("fail", f"came back in clear: {', '.join(clear)}")
    if not seen and not any(method == "drop" for method, _ in forms.values()):
        return _only_known(known, "has none of the columns that are masked")
    silent = sorted(name for name in seen if forms[name][0] in _NO_FORM)
    if silent and not known:
        return Judged("warn", f"the form of {', '.join(silent)} does not say whether it is masked: name a known value")
    return Judged("ok", f"came back masked: {', '.join(sorted(seen)) or 'left out'}")


def _only_known(known: Sequence[str], why: str) -> Judged:
    if known:
        return Judged("ok", f"the answer {why}; none of the known values is in it")
    return Judged("warn", f"the answer {why}, so it shows nothing: declare a canary with known values")


def read(body: bytes, kind: str) -> list[Cell] | None:
    """The cells of a JSON, JSON lines or CSV answer, by the column's normal name; None for anything else."""
    kind = kind.partition(";")[0].strip().lower()
    text = body.decode("utf-8", "replace")
    try:
        if kind == "text/csv":
            return [
                (_normal(str(name)), value) for row in csv.DictReader(io.StringIO(text)) for name, value in row.items()
            ]
        if "ndjson" in kind or "jsonl" in kind or "json-seq" in kind:
            return [cell for line in text.splitlines() if line.strip() for cell in _cells("", json.loads(line))]
        if kind == "application/json" or kind.endswith("+json"):
            return list(_cells("", json.loads(text)))
    except (ValueError, RecursionError, csv.Error):
        return None
    return None


def _cells(name: str, node: Any) -> Iterator[Cell]:
    if isinstance(node, dict):
        columns, rows = node.get("columns"), node.get("rows")
        if isinstance(columns, list) and isinstance(rows, list) and all(isinstance(row, list) for row in rows):
            # Rows by position, beside the list of their names.
            names = [each.get("name", "") if isinstance(each, dict) else each for each in columns]
            for row in rows:
                for column, value in zip(names, row, strict=False):
                    yield from _cells(_normal(str(column)), value)
            return
        if name:
            yield name, node
        for key, value in node.items():
            yield from _cells(_normal(key), value)
    elif isinstance(node, list) and node:
        for value in node:
            yield from _cells(name, value)
    else:
        yield name, node


def _normal(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _forms(owed: Iterable[Obligation]) -> dict[str, tuple[Method, Manner]]:
    """By column, the strictest of what it owes."""
    found: dict[str, tuple[Method, Manner]] = {}
    for one in owed:
        for column in one.columns:
            name, new = _normal(column), (one.method, one.manner)
            if one.manner.on_match == "report":
                continue
            if name not in found or strictness(*new) < strictness(*found[name]):
                found[name] = new
    return found


def _masked(value: Any, method: Method, manner: Manner) -> bool:
    """Whether a value has the form that a method leaves; True where the form says nothing."""
    if method == "drop":
        return False
    if value is None or value == "" or value == "[redacted]":
        return True
    if method in _NO_FORM or (manner.typed and not isinstance(value, str) and not value):
        return True
    if not isinstance(value, str):
        return False
    match method:
        case "null" | "redact":
            return False
        case "last" | "last4":
            return value.startswith("****") and len(value) <= 4 + (4 if method == "last4" else manner.keep)
        case "first":
            return value.endswith("****") and len(value) <= 4 + manner.keep
        case "hmac":
            return _WIDE.fullmatch(value) is not None
        case "template":
            return re.fullmatch(_template(manner.text), value, re.S) is not None
    return False


def _template(text: str) -> str:
    parts, end = "", 0
    for match in PLACEHOLDER.finditer(text):
        parts += re.escape(text[end : match.start()])
        parts += _WIDE.pattern if match[3] else f".{{0,{match[2]}}}"
        end = match.end()
    return parts + re.escape(text[end:])


def _is_known(known: str, text: str, cells: Iterable[Cell]) -> bool:
    if not known.startswith(HASHED):
        return known in text or any(known in str(value) for _, value in cells)
    _, salt, _ = known.split(":")
    said = list(dict.fromkeys(str(value) for _, value in cells if isinstance(value, str | int | float)))
    words = said or list(dict.fromkeys(re.findall(r"[^\s,;\"'<>{}\[\]|]+", text)))
    return any(hmac.compare_digest(hashed(each, bytes.fromhex(salt)), known) for each in words[:MOST_HASHED])
