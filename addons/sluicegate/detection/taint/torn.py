"""Rows in a piece of JSON that begins and ends somewhere: in what passed and was not kept as a whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from sluicegate.rows import HEADER_KEYS, column_names

_BEFORE = re.compile(r"(?:\A|(?<=[\[,\n}\]]))\s*(?=[\[{])")
"""What stands before an element of a list that is a list or an object, or before a document."""
_LISTED = re.compile(rf'"(?:{"|".join(sorted(HEADER_KEYS))})"\s*:\s*(?=[\[{{])')
_MISSES = 256
_read = json.JSONDecoder().raw_decode


def torn(text: str) -> list[Any]:
    """Every list and object that is whole and an element of a list, the outermost ones."""
    found: list[Any] = []
    at = misses = 0
    while misses < _MISSES:
        begin = _BEFORE.search(text, at)
        if begin is None:
            break
        at = begin.end()
        try:
            value, end = _read(text, at)
        except (ValueError, RecursionError):
            misses += 1
            at += 1
            continue
        at = end
        if value:
            found.append(value)
    return found


def columns_of(text: str) -> Iterator[tuple[str, ...]]:
    """Lists of columns at the beginning of a text, which may stand before rows that do not name theirs."""
    for match in _LISTED.finditer(text[:65_536]):
        try:
            value, _ = _read(text, match.end())
        except (ValueError, RecursionError):
            continue
        names = column_names(value)
        if names is not None:
            yield names
