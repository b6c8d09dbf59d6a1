"""Rows wherever they are in a decoded JSON document, however deep, and the values in them by name.

`rows` finds those at the top, quickly; services wrap theirs: `hits.hits[*]._source`, `data.customers.edges[*].node`,
`resultSetMetaData` beside `data`, `{"f": [{"v": 1}]}`.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluicegate.rows import HEADER_KEYS, MAX_COLUMNS, MAX_NAME, Table, column_names

LOOKED = 16
"""Rows of one list of which the names are read, where only names are asked for."""
_FIRST = 8
"""Values of a row among which is the one that says which it is."""
_NODES = 2048
"""Places that are looked at in a hurry, the outer ones first."""
_TYPES = frozenset(
    (
        *("v", "value", "Value", "S", "N", "B", "BOOL", "NULL", "VarCharValue", "ScalarValue", "#text"),
        *("stringValue", "longValue", "doubleValue", "booleanValue", "blobValue", "isNull"),
        *("$date", "$oid", "$numberLong", "$numberDecimal", "$numberInt", "$numberDouble"),
    )
)
"""Members that say of what type the value of a cell is: `{"S": "x"}` is the value `x`."""
_HEADERS = HEADER_KEYS | {"ColumnInfo", "ColumnMetadata", "columnMetadata", "columnInfo"}

_NAME = re.compile(rf"[^\W\d][\w .:$/-]{{0,{MAX_NAME - 1}}}")
"""What else stands before a colon is data: an address, a number."""

_WRAPS = ("_source", "node", "fields", "payload", "attributes", "properties")
"""Members that are the row, where services put something of their own beside it."""

Line = list[tuple[str, Any]]
"""The values of a row with their names, in their order."""


@dataclass(slots=True)
class Block:
    """The rows at one place of a document. Elements of lists at the same place below several rows are one block."""

    where: str
    rows: list[Any] = field(default_factory=list)
    """Objects, or arrays by position."""
    names: tuple[str, ...] | None = None
    """Of arrays; None where nothing tells them."""

    def lines(self) -> Iterator[Line]:
        """The rows, as the values in them."""
        for row in self.rows:
            yield list(leaves(row, self.names))

    def subjects(self) -> list[str]:
        """Of each row the value that says which it is."""
        inner = [_unwrapped(row) for row in self.rows]
        kinds = set(map(type, inner))
        if len(inner) > 1 and len(kinds) == 1:
            places: Iterable[Any] = list(inner[0])[:_FIRST] if kinds == {dict} else range(min(map(len, inner)))
            for place in itertools.islice(places, _FIRST):
                found = [row.get(place) if kinds == {dict} else row[place] for row in inner]
                if {str, int}.issuperset(map(type, found)) and len(set(found)) == len(found):
                    return [str(value) for value in found]
        return subjects_of([list(itertools.islice(leaves(row, self.names), _FIRST)) for row in inner])

    def count(self) -> int:
        """How many rows there are; a first one that holds the names is none."""
        titled = self.names is not None and [value for _, value in leaves(self.rows[0])] == list(self.names)
        return len(self.rows) - titled

    def columns(self, declared: Collection[str] = ()) -> tuple[str, ...]:
        """Names of what is in the rows, of some of them if there are many. Never values that are keys. What is inside
        an object of a row is named where it is `declared` (folded); all of it where nothing is."""
        found: dict[str, None] = {}
        for row in self.rows[:: -(-len(self.rows) // LOOKED)]:
            row = _unwrapped(row)
            if _cells(row) is not None:
                found.update(dict.fromkeys(self.names or ()))
                continue
            found.update(dict.fromkeys(row))
            if any(isinstance(value, dict | list) for value in row.values()):
                found.update((name, None) for name, _ in leaves(row) if not declared or name.casefold() in declared)
        return tuple([name for name in found if _NAME.fullmatch(name)][:MAX_COLUMNS])


def blocks(
    document: Any, named: Sequence[tuple[str, ...]] = (), declared: Collection[str] = (), *, most: int | None = None
) -> list[Block]:
    """All rows. `named`: lists of columns that are known otherwise, for arrays of their length. `declared`: an object
    that is in no list is a row where one of these names (folded) is in it; without any list, the document is one row.

    `most`: so many rows of a list are looked into for rows inside them, and no more than `_NODES` places in all; None
    for all of both.
    """
    found: dict[str, Block] = {}
    headers: dict[str, tuple[str, ...]] = {}
    todo: deque[tuple[Any, str, bool]] = deque([(document, "", False)] if isinstance(document, dict | list) else [])
    visited = 0
    while todo and (most is None or visited < _NODES):
        node, path, listed = todo.popleft()
        visited += 1
        if isinstance(node, dict):
            turned = _turned(node)
            if turned is not None:
                known = found.setdefault(f"{path}/{' '.join(turned.names or ())}", turned)
                known.rows += turned.rows if known is not turned else ()
                continue
            if not listed and any(
                name.casefold() in declared and not isinstance(value, dict | list) for name, value in node.items()
            ):
                found.setdefault(path, Block(path)).rows.append(node)
            for key, value in node.items():
                if isinstance(value, dict | list) and value:
                    todo.append((value, f"{path}/{key}", listed))
                    names = _listed(value) if key in _HEADERS else None
                    if names is not None:
                        headers[f"{path}/{key}"] = names
            continue
        rows = [row for row in node if isinstance(row, dict | list) and row]
        if rows:
            found.setdefault(path, Block(path)).rows.extend(rows)
            inner = [row for row in rows[:most] if isinstance(row, dict) and _cells(row) is None]
            todo.extend((row, f"{path}/*", True) for row in inner)
    tables = [block for block in found.values() if not _is_header(block, headers, found.values())]
    for block in tables:
        block.names = block.names or _names(block, [*named, *headers.values()])
    if not tables and isinstance(document, dict) and document:
        return [Block("", [document])]
    return tables


def is_flat(document: Any, found: list[Table]) -> bool:
    """Whether the rows that `rows.tables` found are all that there is, and have no inside."""
    places = {table.where for table in found}
    if isinstance(document, dict):
        for name, value in document.items():
            if isinstance(value, dict | list) and value and name not in places and name not in HEADER_KEYS:
                return False
    for table in found:
        lines = document if table.where is None else document[table.where]
        row = next((line for line in lines if isinstance(line, dict | list)), ())
        if any(isinstance(value, dict | list) for value in (row.values() if isinstance(row, dict) else row)):
            return False
    return True


def outermost(found: list[Block]) -> list[Block]:
    """Those that are not inside the rows of others."""
    return [one for one in found if not any(one.where.startswith(f"{other.where}/*") for other in found)]


def leaves(row: Any, names: Sequence[str] | None = None) -> Iterator[tuple[str, Any]]:
    """The values of one row with their names, those of objects inside it too; of lists in it, what is no row itself."""
    cells = _cells(row)
    if cells is not None:
        for index, cell in enumerate(cells):
            name = names[index] if names is not None and index < len(names) else str(index)
            yield from _values([(name, cell)])
    else:
        yield from _values(row.items())


def subjects_of(lines: list[Line]) -> list[str]:
    """Of each row the value that says which it is: the first that is another in each of them; of one row alone, its
    id, or its first."""
    for index in range(min(map(len, lines), default=0) if len(lines) > 1 else 0):
        found = [str(line[index][1]) for line in lines]
        if len(set(found)) == len(found):
            return found
    places = [next((at for at, (name, _) in enumerate(line) if name.lower().endswith("id")), 0) for line in lines]
    return [str(line[at][1]) if line else "" for at, line in zip(places, lines, strict=True)]


def _values(items: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    todo = deque(items)
    while todo:
        name, value = todo.popleft()
        if isinstance(value, dict):
            if len(value) == 1:
                ((key, only),) = value.items()
                if key in _TYPES:
                    todo.appendleft((name, only))
                    continue
            todo.extendleft(reversed(value.items()))
        elif isinstance(value, list):
            todo.extendleft((name, one) for one in reversed(value) if not isinstance(one, dict | list))
        else:
            yield name, value


def _listed(value: Any) -> tuple[str, ...] | None:
    """The names in what may be a list of columns."""
    names = column_names(value)
    if names is None and isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
        found = [entry.get("Name") for entry in value]
        names = tuple(found) if all(isinstance(name, str) for name in found) else None
    return names


def _unwrapped(row: Any) -> Any:
    """The row itself, without what a service wraps it in."""
    if isinstance(row, dict):
        for name in _WRAPS:
            inner = row.get(name)
            if isinstance(inner, dict) and inner:
                return inner
    return row


def _cells(row: Any) -> list[Any] | None:
    """The cells of a row that is an array, by itself or as the only member of an object; None for all others."""
    if isinstance(row, list):
        return row
    if len(row) == 1:
        (only,) = row.values()
        if isinstance(only, list) and only and all(_is_cell(cell) for cell in only):
            return only
    return None


def _is_cell(value: Any) -> bool:
    return isinstance(value, dict) and (not value or (len(value) == 1 and next(iter(value)) in _TYPES))


def _turned(node: dict[str, Any]) -> Block | None:
    """A table that is written column by column, as rows; None where it is none."""
    columns = list(node.values())
    if len(columns) < 2 or not all(isinstance(column, list) for column in columns):
        return None
    if len(set(map(len, columns))) > 1 or any(isinstance(one, dict | list) for column in columns for one in column):
        return None
    return Block("", list(map(list, zip(*columns, strict=True))), tuple(node)) if columns[0] else None


def _is_header(block: Block, headers: dict[str, tuple[str, ...]], others: Iterable[Block]) -> bool:
    """Whether it is the list of another block's columns, or inside one."""
    names = next((names for path, names in headers.items() if f"{block.where}/".startswith(f"{path}/")), None)
    if names is None:
        return False
    for other in others:
        if other is block or not other.rows:
            continue
        first = other.rows[0]
        cells = _cells(first)
        if len(cells) == len(names) if cells is not None else set(names) <= first.keys():
            return True
    return False


def _names(block: Block, known: Iterable[tuple[str, ...]]) -> tuple[str, ...] | None:
    cells = _cells(block.rows[0])
    if cells is None:
        return None
    return next((names for names in known if len(names) == len(cells)), None)
