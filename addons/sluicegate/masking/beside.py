"""What stands beside rows in an object whose members leave one by one: lists of columns before them, and behind them.

A list that stands before the rows is used as in a document that is here as a whole. One that comes behind them may not
say anything else than what they were masked by; what it would have said of them first is not known when they leave, so
rows that do not name their columns themselves leave only behind such a list.
"""

from __future__ import annotations

import re
from typing import Any

from sluicegate.masking.columnar import ROW_KEYS, Header, Headers
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.rules import Plan
from sluicegate.masking.walk import Walk
from sluicegate.rows import HEADER_KEYS, column_names, header_entries

_SHAPES = 64
_LISTS = 64
_NUMBERED = re.compile(r"(?:_?c|col|column|field|f|v|value)?_?\d*_?", re.IGNORECASE)
_GENERIC = frozenset(("values", "cells", "row", "rows", "data", "fields", "columns", "items"))
_LATE = "its columns are listed behind its rows, of which some have left"
_UNNAMED = "its rows do not name their columns, and no list of columns stands before them"


class _Rows:
    """Rows that have left, or some of them."""

    def __init__(self) -> None:
        self.shapes: set[tuple[str, ...]] = set()
        self.strange = False
        """Whether some are neither objects nor arrays, or come in more shapes than are kept."""
        self.header: Header | None = None
        """What the arrays among them were masked by."""
        self.arrays = False


class Said:
    """Whether texts of a document may name columns that owe a mask, and whether rows left because none did."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers
        self._named = False
        self._relied = False

    def unseen(self) -> None:
        """Something was not looked at."""
        self._named = True

    @property
    def relied(self) -> bool:
        """Whether rows left because nothing named such a column."""
        return self._relied

    def value(self, value: Any) -> None:
        """A part of the document, as it came."""
        self._named = self._named or self._headers.mentions(value)
        self._check()

    def rely(self) -> None:
        """Rows are about to leave whose columns are listed without one that owes a mask."""
        self._relied = True
        self._check()

    def _check(self) -> None:
        if self._relied and self._named:
            raise Unfit("it holds arrays of arrays, and something in it may name their columns")


class Beside:
    """The members of one object, as far as they say what others hold."""

    def __init__(self, plan: Plan, said: Said) -> None:
        self._plan = plan
        self._said = said
        self.lists: dict[str, Any] = {}
        """Members so far that may be lists of columns."""
        self._rows: dict[str, _Rows] = {}
        self._opened: set[str] = set()

    def open(self, key: str) -> None:
        """A member begins that is never here as a whole."""
        if any(rows.arrays for rows in self._rows.values()):
            raise Unfit(_LATE)  # it may be such a list
        self._opened.add(key)

    def member(self, key: str, value: Any) -> None:
        """A member is about to leave, masked: it may list columns."""
        if not self._plan.columns or not isinstance(value, list | dict) or header_entries(value) is None:
            return
        header = self._plan.headers.read(value)
        if header is None and key not in HEADER_KEYS:
            return
        if header is not None:
            for name, rows in self._rows.items():
                self._fits(header, key, name, rows)
        if len(self.lists) >= _LISTS:
            raise Unfit("it has too many lists that may name columns")
        self.lists[key] = value

    def table(self, walk: Walk, key: str, rows: list[Any], state: Any, depth: int) -> None:
        """Masks arrays that are rows. Raises Unfit where no list before them names their columns."""
        if self._opened - {key}:
            raise Unfit("its lists are too long to say which of them names the columns of its rows")
        node = {**self.lists, key: rows}
        header = self._plan.headers.beside(node)
        seen = self._rows.setdefault(key, _Rows())
        if seen.arrays and seen.header != header:
            raise Unfit(_LATE)
        seen.arrays, seen.header = True, header
        if header is not None:
            if not state.uniform:
                raise Unfit("one of the masks counts its rows, which are named beside them")
            walk.table(node, key, state, depth, header)
            return
        self._unowed(rows)
        walk.value(rows, state, depth, key)
        walk.loose = False

    def rows(self, key: str, rows: list[Any]) -> None:
        """Rows are about to leave, masked. Raises Unfit where a list before them does not name what they hold, and
        where one behind them could.
        """
        if not self._plan.columns or key not in ROW_KEYS:
            return
        seen = self._rows.setdefault(key, _Rows())
        listed = [member for member in self.lists if member in HEADER_KEYS]
        for member in listed:
            self._plan.headers.check_rows({member: self.lists[member], key: rows}, member)
        for row in rows:
            if isinstance(row, dict):
                shape = tuple(row)
                if shape not in seen.shapes and not seen.strange:
                    self._shape(seen, shape, known=bool(listed))
            elif not isinstance(row, list):
                if not listed:
                    raise Unfit(_UNNAMED)
                seen.strange = True

    def large(self, key: str, row: tuple[str, ...]) -> None:
        """A row has left that was never here as a whole: these are its members."""
        if self._plan.columns and key in ROW_KEYS:
            listed = any(member in HEADER_KEYS for member in self.lists)
            if listed:
                raise Unfit("one of its rows is too long to compare it with the list of its columns")
            self._shape(self._rows.setdefault(key, _Rows()), row, known=False)

    def _shape(self, seen: _Rows, shape: tuple[str, ...], *, known: bool) -> None:
        if shape and not known and all(_NUMBERED.fullmatch(key) or key in _GENERIC for key in shape):
            raise Unfit(_UNNAMED)
        if len(seen.shapes) >= _SHAPES:
            seen.strange = True
        else:
            seen.shapes.add(shape)

    def _unowed(self, rows: list[Any]) -> None:
        """Arrays whose columns are listed, and none of them owes a mask: nothing may be the name of one that does."""
        names = [column_names(value) for key, value in self.lists.items() if key in HEADER_KEYS]
        widths = {len(each) for each in names if each is not None}
        if len(widths) != 1 or not all(type(row) is list and len(row) in widths for row in rows):
            raise Unfit("it holds arrays of arrays, and no list before them says which column is where in them")
        self._said.rely()
        self._said.value(rows)

    def _fits(self, header: Header, member: str, key: str, rows: _Rows) -> None:
        """A list of columns has come behind rows."""
        if rows.arrays and (
            rows.header is None
            or header.width != rows.header.width
            or any(rows.header.owed.get(place) != owed for place, owed in header.owed.items())
        ):
            raise Unfit(_LATE)
        if member not in HEADER_KEYS or key not in ROW_KEYS:
            return
        if rows.strange or any(shape and not header.names(dict.fromkeys(shape)) for shape in rows.shapes):
            raise Unfit(_LATE)
