"""Where the rows of a decoded JSON document are, and what their columns are called. Counts and names, never values."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

MAX_COLUMNS = 256
"""More distinct names than this in one document are data, not columns; the rest is not counted."""

MAX_NAME = 128
"""Longer names, in characters, are data as well."""

HEADER_KEYS = frozenset(
    (
        *("columns", "cols", "column_names", "columnNames", "names", "fields"),
        *("schema", "header", "headers", "rowtype", "rowType", "metadata", "meta"),
    )
)
"""Members of an object that are its list of columns, where it has one."""

_NAME_KEYS = ("name", "column_name", "columnName", "column", "field", "label", "title", "key", "id")


@dataclass(frozen=True, slots=True)
class Table:
    """The rows at one place: the top-level key (None when the document itself is the list), columns, row count."""

    where: str | None
    columns: tuple[str, ...]
    count: int
    positional: bool = False
    """Whether rows are arrays whose columns are named beside them, not objects."""


def tables(document: Any) -> list[Table]:
    """Lists of objects at the top or under a top-level key, and arrays of arrays that stand beside column names."""
    if isinstance(document, list):
        return _objects(None, document)
    if not isinstance(document, dict):
        return []
    found: list[Table] = []
    listed: dict[int, tuple[str, ...]] | None = None
    for key, value in document.items():
        if isinstance(value, list) and value:
            if isinstance(value[0], list):
                listed = _columns_beside(document) if listed is None else listed
                columns = listed.get(len(value[0]))
                if columns is not None:
                    found.append(Table(key, columns, len(value), positional=True))
            else:
                found.extend(_objects(key, value))
    if any(table.positional for table in found):
        return [table for table in found if table.where not in HEADER_KEYS]
    return found if len(found) < 2 else [table for table in found if not _names_others(document, table, found)]


def column_names(value: Any) -> tuple[str, ...] | None:
    """The names in `["id", "ssn"]`, `[{"name": "id"}, ...]` or `{"fields": [...]}`; None when it is no such thing."""
    names = [_name(entry) for entry in header_entries(value) or ()]
    return tuple(name for name in names if name is not None) if names and None not in names else None


def header_entries(value: Any) -> list[Any] | None:
    """The entries of what may be a list of columns: strings, or objects with a string in them. None when it is not."""
    if isinstance(value, dict):
        inner = [
            entries for member in value.values() if isinstance(member, list) for entries in [header_entries(member)]
        ]
        lists = [entries for entries in inner if entries is not None]
        return lists[0] if len(lists) == 1 else None
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(entry, str) for entry in value):
        return value
    if all(isinstance(entry, dict) and any(isinstance(v, str) for v in entry.values()) for entry in value):
        return value
    return None


def _name(entry: Any) -> str | None:
    if isinstance(entry, str):
        return entry
    return next((entry[key] for key in _NAME_KEYS if isinstance(entry.get(key), str)), None)


def _objects(where: str | None, value: list[Any]) -> list[Table]:
    rows = [row for row in value if isinstance(row, dict)]
    if not rows:
        return []
    names = rows[0]
    if len(rows) > 1 and len(set().union(*rows)) != len(names):
        names = dict.fromkeys(chain.from_iterable(rows))
    return [Table(where, _bounded(tuple(names)), len(rows))]


def _names_others(document: dict[str, Any], table: Table, found: list[Table]) -> bool:
    """Whether a list says what the columns of another are, and holds no rows."""
    if table.where not in HEADER_KEYS:
        return False
    names = column_names(document[table.where])
    return names is not None and any(other is not table and set(names) <= set(other.columns) for other in found)


def _columns_beside(document: dict[str, Any]) -> dict[int, tuple[str, ...]]:
    """The first list of columns of each length."""
    found: dict[int, tuple[str, ...]] = {}
    # Only where the key says so: other lists of texts are data, and data is not to be written down as names.
    for key, value in document.items():
        if key in HEADER_KEYS:
            names = column_names(value)
            if names is not None:
                found.setdefault(len(names), _bounded(names))
    return found


def _bounded(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) <= MAX_COLUMNS and max(map(len, names), default=0) <= MAX_NAME:
        return names
    return tuple(name for name in names if len(name) <= MAX_NAME)[:MAX_COLUMNS]
