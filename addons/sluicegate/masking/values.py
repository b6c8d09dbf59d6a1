"""The text of a JSON value, in the forms that methods work on."""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec

from sluicegate.masking.json_body import canonical

ENDLESS = frozenset((bool, dict, list))
"""Kinds of values whose text has no end that would be the end of one value."""

NUMBERS = (int, float, msgspec.Raw)
"""Numbers as they are decoded; a truth value is an int to Python too, and none here."""


def text(value: Any) -> str:
    """The string form of a JSON value; a number and the string of its digits have the same one."""
    if isinstance(value, str):
        return value
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    return canonical(value.data if isinstance(value, msgspec.msgpack.Ext) else value)


def clean(value: Any) -> str:
    """The form in which equal values are equal: composed characters, and no blanks at the ends."""
    form: str = value if value.__class__ is str else text(value)
    return form.strip() if form.isascii() else unicodedata.normalize("NFC", form).strip()


def single(value: Any) -> str | None:
    """The stripped text of one plain value; None for what is several, or a text that holds several."""
    if value.__class__ in ENDLESS:
        return None
    shown = (value if value.__class__ is str else text(value)).strip()
    return None if shown[:1] in ("{", "[") else shown
