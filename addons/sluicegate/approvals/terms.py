"""The terms of a hold in the database: JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from sluicegate.exchange import Terms

_NAMES = {field.name for field in fields(Terms)}


def document(terms: Terms) -> dict[str, Any]:
    """As JSON."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(terms).items()}


def read(document: Mapping[str, Any]) -> Terms:
    """From JSON. Raises ValueError for terms that this version does not know: they may forbid something."""
    unknown = document.keys() - _NAMES
    if unknown:
        raise ValueError(f"unknown terms of an approval: {', '.join(sorted(unknown))}")
    values: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in document.items()}
    return Terms(**values)
