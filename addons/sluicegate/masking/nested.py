"""JSON inside strings: which strings may hold it, and what a forgiving reader would find in them."""

from __future__ import annotations

import json
import re
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
    yield from read(text)[0]


def read(text: str) -> tuple[list[Any], str]:
    """The same, and what stands behind them that not even such a reader takes."""
    found: list[Any] = []
    position = 0
    try:
        while position < len(text):
            document, position = _decoder.raw_decode(text, position)
            if isinstance(document, dict | list | str):
                found.append(document)
            while position < len(text) and text[position] in _BETWEEN:
                position += 1
    except ValueError:
        return found, text[position:]
    except RecursionError:
        raise Unfit("JSON is nested in its strings too deeply") from None
    return found, ""


def names_in(broken: str, rest: str) -> Iterator[str]:
    """What may be names in a text that begins as JSON does and is none: it was cut off, has a comma too many, or is
    what a program prints of its objects. `rest` is what a forgiving reader does not take of it; where that does not go
    on as JSON does (`[12:30] "ssn" is missing`), only what a colon and a value follow is a name.
    """
    places = [(_KEY, broken)]
    if _FRONT.match(rest):
        places += [(_QUOTED, rest), (_BARE, rest)] if _OBJECT.match(rest) else [(_QUOTED, rest)]
    for form, text in places:
        for found in form.finditer(text):
            yield _ESCAPED.sub(lambda code: chr(int(code[1], 16)), found[1]).replace("\\", "")


def _with_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = dict(pairs)
    if len(members) == len(pairs):
        return members
    every: dict[str, list[Any]] = {}
    for key, value in pairs:
        every.setdefault(key, []).append(value)
    return dict(every)


_KEY = re.compile(r"""["']([^"'\n]{1,1024})["']\s*+:[\s"'\\]*+(?!\Z)""")
_QUOTED = re.compile(r"""["']([^"'\n]{1,1024})(?=["'])""")  # the quote behind a text is at the front of the next one
_FRONT = re.compile(
    r"""\[\s*+(?:["'\[{]|/[/*]|(?:-?\d++(?:\.\d++)?(?:[eE][-+]?\d++)?|true|false|null|NaN|None|True|False)\s*+[,\]])"""
    r"""|\{\s*+(?:["']|/[/*]|\w++\s*+:)"""
)
_OBJECT = re.compile(r"[\s\[]*+\{")
_BARE = re.compile(r"[{,]\s*+(\w{1,1024})\s*+:")
_ESCAPED = re.compile(r"\\+u([0-9a-fA-F]{4})")
_BETWEEN = _BLANK + ",;\x1e"
# Digits do not matter here, and texts of any length are cheaper and safer than numbers.
_decoder = json.JSONDecoder(
    object_pairs_hook=_with_duplicates, parse_int=str, parse_float=str, parse_constant=str, strict=False
)
