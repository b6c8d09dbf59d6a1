"""JSON inside strings: which strings may hold it, and what a forgiving reader would find in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sluicegate.masking.json_body import Unfit

_BLANK = " \t\r\n\f\v\ufeff\u200b\u2060"

BEGINNINGS = ("{", "[", '"')
"""How a text begins that may be an object, an array, or a string with one of them in it."""

OPENERS = frozenset((*BEGINNINGS, *_BLANK))
"""The first characters of strings that are worth a second look."""


def strip(text: str) -> str:
    """The text without what some readers of JSON skip around it."""
    return text.strip(_BLANK)


def forgiving(text: str) -> Iterator[Any]:
    """Each object and array that stands at the front of the text, one behind the other, as lax readers take them.

    NaN, control characters and joined documents are let pass; of a duplicate key every value is there, in a list.
    """
    position = 0
    try:
        while position < len(text):
            document, position = _decoder.raw_decode(text, position)
            if isinstance(document, dict | list | str):
                yield document
            while position < len(text) and text[position] in _BETWEEN:
                position += 1
    except ValueError:
        return
    except RecursionError:
        raise Unfit("JSON is nested in its strings too deeply") from None


def _with_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = dict(pairs)
    if len(members) == len(pairs):
        return members
    every: dict[str, list[Any]] = {}
    for key, value in pairs:
        every.setdefault(key, []).append(value)
    return dict(every)


_BETWEEN = _BLANK + ",;\x1e"
# Digits do not matter here, and texts of any length are cheaper and safer than numbers.
_decoder = json.JSONDecoder(
    object_pairs_hook=_with_duplicates, parse_int=str, parse_float=str, parse_constant=str, strict=False
)
