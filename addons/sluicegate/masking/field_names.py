"""Whether the value of a header field, a cookie or an address names a masked column: JSON in it, or `name=value`."""

from __future__ import annotations

import re
from collections.abc import Container
from urllib.parse import unquote

from sluicegate.masking import nested
from sluicegate.masking.names import levels

_PAIR = re.compile(r"(?:\A|[;,&?\s])([^;,&?=\s\"']{1,256})=(?=[^;,&\s])")


def names_column(value: str, columns: Container[str]) -> bool:
    """Whether a value does; also where it is percent-encoded. `columns` are in normal form."""
    forms = (value, unquote(value)) if "%" in value else (value,)
    return any(_owes(name, columns) for form in forms for name in _names(form))


def names_in_json(value: str, columns: Container[str]) -> bool:
    """The same, where only JSON counts."""
    text = nested.strip(unquote(value) if "%" in value else value)
    return text[:1] in nested.BEGINNINGS and any(_owes(name, columns) for name in nested.names_in(text, text))


def _names(text: str) -> list[str]:
    names = _PAIR.findall(text) if "=" in text else []
    if nested.strip(text)[:1] in nested.BEGINNINGS:
        names += nested.names_in(nested.strip(text), nested.strip(text))
    return names


def _owes(name: str, columns: Container[str]) -> bool:
    return any(level in columns for level in levels(name))
