"""Rows wherever they are in a decoded JSON document, however deep, and the values in them by name.

`rows` finds those at the top, quickly; services wrap theirs: `hits.hits[*]._source`, `data.customers.edges[*].node`,
`resultSetMetaData` beside `data`, `{"f": [{"v": 1}]}`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluicegate.rows import HEADER_KEYS, MAX_COLUMNS, MAX_NAME, column_names

LOOKED = 64
"""Rows of one list of which the names are read, where only names are asked for."""
_TYPES = frozenset(
    (
        *("v", "value", "Value", "S", "N", "B", "BOOL", "NULL", "VarCharValue", "ScalarValue", "#text"),
        *("stringValue", "longValue", "doubleValue", "booleanValue", "blobValue", "isNull"),
        *("$date", "$oid", "$numberLong", "$numberDecimal", "$numberInt", "$numberDouble"),
    )
)
"""Members that say of what type the value of a cell is: `{"S": "x"}` is the value `x`."""
_HEADERS = HEADER_KEYS | {"ColumnInfo", "ColumnMetadata", "columnMetadata", "columnInfo"}

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

    def columns(self) -> tuple[str, ...]:
        """Names of what is in the rows, of the first of them if there are many."""
        found: dict[str, None] = {}
        for row in self.rows[:LOOKED]:
            if isinstance(row, dict) or self.names is not None:
                found.update((name, None) for name, _ in leaves(row, self.names) if len(name) <= MAX_NAME)
        return tuple(found)[:MAX_COLUMNS]


def blocks(
    document: Any, named: Sequence[tuple[str, ...]] = (), declared: Collection[str] = (), *, most: int | None = None
) -> list[Block]:
    """All rows. `named`: lists of columns that are known otherwise, for arrays of their length. `declared`: an object
    that is in no list is a row where one of these names is in it; without any list, the document is one row.

    `most`: so many rows of a list are looked into for rows inside them; None for all.
    """
    found: dict[str, Block] = {}
    headers: dict[str, tuple[str, ...]] = {}
    todo: deque[tuple[Any, str, bool]] = deque([(document, "", False)])
    while todo:
        node, path, listed = todo.popleft()
        if isinstance(node, dict):
            turned = _turned(node)
            if turned is not None:
                found[f"{path}/"] = turned
                continue
            if not listed and any(
                name in declared and not isinstance(value, dict | list) for name, value in node.items()
            ):
                found.setdefault(path, Block(path)).rows.append(node)
            for key, value in node.items():
                if isinstance(value, dict | list) and value:
                    todo.append((value, f"{path}/{key}", listed))
                    names = column_names(value) if key in _HEADERS else None
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


def leaves(row: Any, names: Sequence[str] | None = None) -> Iterator[tuple[str, Any]]:
    """The values of one row with their names, those of objects inside it too; of lists in it, what is no row itself."""
    cells = _cells(row)
    if cells is not None:
        for index, cell in enumerate(cells):
            name = names[index] if names is not None and index < len(names) else str(index)
            yield from _values([(name, cell)])
    else:
        yield from _values(row.items())


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
    names = next((names for path, names in headers.items() if block.where.startswith(path)), None)
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
