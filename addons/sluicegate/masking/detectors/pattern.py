"""Patterns that cannot be made to hang, on texts of any length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import re2

_AT_ONCE = 16 << 10
_OVERLAP = 1 << 10


def compiled(expression: str) -> Any:
    """An RE2 pattern."""
    return re2.compile(expression)


def places(pattern: Any, text: str) -> Iterator[tuple[int, int]]:
    """Where the pattern matches. Long texts are read in pieces that overlap: no match is longer than the overlap."""
    if len(text) <= _AT_ONCE:
        for match in pattern.finditer(text):
            yield match.span()
        return
    done = 0
    for start in range(0, len(text), _AT_ONCE):
        for match in pattern.finditer(text[start : start + _AT_ONCE + _OVERLAP]):
            first, last = match.start() + start, match.end() + start
            if first >= done and match.start() < _AT_ONCE:
                yield first, last
                done = last
