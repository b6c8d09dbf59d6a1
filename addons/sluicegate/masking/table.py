"""Rows in JSON, masked column by column: what a cell owes is found once for each column and each open path."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, groupby
from typing import Any, NamedTuple

from sluicegate.exchange import Output, Rows
from sluicegate.masking import cells, nested
from sluicegate.masking.hit import Hit
from sluicegate.masking.json_body import MAX_DEPTH, Unfit
from sluicegate.masking.located import Place
from sluicegate.masking.methods import Action, Masker
from sluicegate.masking.names import normal
from sluicegate.masking.owed import action_of
from sluicegate.masking.rules import Plan, State
from sluicegate.masking.tally import Tally
from sluicegate.masking.walk import Walk

_UNNAMED = re.compile(r"_col\d+|col\d+|\?column\?|EXPR\$\d+|f\d+_", re.IGNORECASE)
"""What services call a column that the statement gives no name."""


_KEPT = 64
_WIDE = 256
_LONG = 128


class _Cell(NamedTuple):
    key: Any
    state: State
    apply: Masker | None
    hit: Hit | None


class _Line(NamedTuple):
    """What becomes of rows with the same keys."""

    masked: tuple[_Cell, ...]
    others: tuple[_Cell, ...]


class Table:
    """Masks the rows that one Rows describes, and counts them in `tally`."""

    def __init__(self, plan: Plan, rows: Rows, tally: Tally) -> None:
        self._plan = plan
        self._rows = rows
        self._tally = tally
        self._columns = rows.columns
        self._owed: list[tuple[str, Action | None]] = []
        self._by_name: dict[str, tuple[str, Action | None]] = {}
        self._lines: dict[tuple[int, tuple[Any, ...]], _Line] = {}
        self._met: set[tuple[int, tuple[Any, ...]]] = set()
        self._typed = rows.shape != "objects" or bool(rows.cell)
        if rows.columns is not None:
            # The same result comes in many pages, and small ones: what they owe is found once.
            known = plan.tables.get(rows)
            if known is None:
                self._set(rows.columns)
                known = self._owed, self._by_name, self._lines
                if len(plan.tables) >= _KEPT:
                    plan.tables.clear()
                plan.tables[rows] = known
            self._owed, self._by_name, self._lines = known

    @property
    def generic(self) -> bool:
        """Whether nothing is known of these rows but the names in them, so that the usual walk does as well."""
        return self._columns is None and not self._rows.header_row and not self._rows.cell

    def mask(self, place: Place, *, first: bool, flat: bool = False) -> Any:
        """The masked rows at a place. `first`: whether it is the first such place, where a header row would be."""
        node, state = place.node, place.state
        if self._rows.shape == "one":
            if not isinstance(node, dict | list):
                raise Unfit("its rows are not where its service puts them")
            if first and self._rows.header_row and isinstance(node, list):
                self._header(node)
            else:
                self._tally.rows += 1
                self._block([node], state)
            return node
        kind: type = dict if self._rows.shape == "objects" else list
        if not isinstance(node, list) or not {kind}.issuperset(map(type, node)):
            raise Unfit("its rows are not where its service puts them, or not of the shape that it gives them")
        start = 0
        if first and self._rows.header_row and node and kind is list:
            self._header(node[0])
            start = 1
        self._tally.rows += len(node) - start
        name = place.name
        states = [state.element(0, name)[:2]] if state.uniform else None
        if states is not None and states[0][1] is None:
            self._block(node[start:] if start else node, states[0][0], flat)
            return node
        for index in range(start, len(node)):
            below, apply, hit = state.element(index, name)
            if apply is not None and hit is not None:
                node[index] = apply([node[index]])[0]
                self._tally.hit(hit, 1)
            else:
                self._block([node[index]], below)
        return node

    def mask_lines(self, rows: list[Any], state: State) -> None:
        """Masks rows that are documents of their own, with the state of the masks at the root of each."""
        kinds = {"objects": (dict,), "arrays": (list,), "one": (dict, list)}[self._rows.shape]
        if not all(isinstance(row, kinds) for row in rows):
            raise Unfit("its rows are not of the shape that its service gives them")
        start = 0
        if self._rows.header_row and rows and isinstance(rows[0], list):
            self._header(rows[0])
            start = 1
        self._tally.rows += len(rows) - start
        self._block(rows[start:], state)

    def count(self, place: Place) -> None:
        """Counts rows that the usual walk masks."""
        node = place.node if isinstance(place.node, list) else [place.node]
        rows = [row for row in node if isinstance(row, dict)]
        state = place.state if self._rows.shape == "one" else place.state.element(0, place.name)[0]
        for key in dict.fromkeys(chain.from_iterable(rows)):
            self._tally.column(key, state.move(key)[1] is not None)
        self._tally.rows += 1 if self._rows.shape == "one" else len(node)

    def _set(self, columns: Iterable[Output]) -> None:
        origins = self._plan.origins
        for output in columns:
            pair = origins.domain(output), origins.owes(output)
            self._owed.append(pair)
            name = normal(output.name)
            before = self._by_name.get(name, pair)
            self._by_name[name] = min(before, pair, key=_strictness)

    def _header(self, row: list[Any]) -> None:
        """Reads the row of names. Where the columns are known it must be that row; else it says what they are."""
        if self._columns is None:
            if not all(isinstance(text := self._plain(cell), str) and text for cell in row):
                raise Unfit("its first row does not name its columns")
            names = [self._plain(cell) for cell in row]
            self._columns = tuple(map(Output, names))
            self._owed = [(name, action_of(self._plan.columns, name)) for name in names]
            return
        if len(row) != len(self._columns):
            raise Unfit("its columns and its rows do not agree")
        for index, (output, (name, action)) in enumerate(zip(self._columns, self._owed, strict=True)):
            said = self._plain(row[index])
            known = isinstance(said, str) and (normal(said) == normal(output.name) or is_unnamed(said))
            if action is not None and not known:
                hit = self._plan.hit(action, name)
                row[index] = cells.masker(hit.apply, self._rows.cell, self._typed)([row[index]])[0]

    def _plain(self, cell: Any) -> Any:
        if self._rows.cell and isinstance(cell, dict) and len(cell) == 1:
            return next(iter(cell.values()))
        return cell

    def _block(self, rows: list[Any], state: State, flat: bool = False) -> None:
        if flat and len(found := set(map(_keys, rows))) == 1:
            self._alike(rows, found.pop(), state, flat)
            return
        for keys, group in groupby(rows, key=_keys):
            self._alike(list(group), keys, state, flat)

    def _alike(self, rows: list[Any], keys: tuple[Any, ...], state: State, flat: bool) -> None:
        """Masks rows with the same keys; where they are flat, without a look at what owes nothing."""
        if type(rows[0]) is list:
            self._widths(len(keys))
        line = self._lines.get((state.bits, keys))
        if line is None:
            line = self._line(keys, state)
            if len(self._lines) >= _KEPT:
                self._lines.clear()
            if len(keys) <= _WIDE and all(isinstance(key, int) or len(key) <= _LONG for key in keys):
                self._lines[state.bits, keys] = line
        if (state.bits, keys) not in self._met:
            self._met.add((state.bits, keys))
            for cells_of, masked in ((line.masked, True), (line.others, False)):
                for cell in cells_of:
                    self._tally.column(self._label(cell.key), masked)
        openers, walk = nested.OPENERS, Walk(self._plan, 0)
        for key, below, _, _ in () if flat else line.others:
            for row in rows:
                value = row[key]
                kind = type(value)
                if kind is str:
                    if value[:1] in openers:
                        row[key] = walk.value(value, below, 0, _name(key))
                elif kind is dict or kind is list:
                    self._inside(row, key, value, below, walk, 0)
        self._tally.add(walk.counts)
        for key, _, apply, hit in line.masked:
            if apply is None or hit is None:
                raise RuntimeError("a masked column has no mask")
            for row, new in zip(rows, apply([row[key] for row in rows]), strict=True):
                row[key] = new
            self._tally.hit(hit, len(rows))

    def _inside(self, holder: Any, key: Any, value: Any, state: State, walk: Walk, depth: int) -> None:
        """Masks inside a cell that itself owes nothing. Attributes of a map are cells as the row's are."""
        if depth > MAX_DEPTH:
            raise Unfit("its JSON is nested too deeply")
        if self._rows.cell == "*" and isinstance(value, dict) and len(value) == 1:
            (kind, content), *_ = value.items()
            below = state.move(kind)[0]
            if kind == "M" and isinstance(content, dict):
                for name in content:
                    self._attribute(content, name, below, walk, depth + 1)
                return
            if kind == "L" and isinstance(content, list):
                for index in range(len(content)):
                    self._inside(content, index, content[index], below.element(index, "L")[0], walk, depth + 1)
                return
        holder[key] = walk.value(value, state, 0, _name(key))

    def _attribute(self, content: dict[str, Any], name: str, state: State, walk: Walk, depth: int) -> None:
        below, apply, hit = state.move(name)
        if apply is None or hit is None:
            self._inside(content, name, content[name], below, walk, depth)
        else:
            content[name] = cells.masker(apply, "*", self._typed)([content[name]])[0]
            walk.counts[hit] = walk.counts.get(hit, 0) + 1

    def _line(self, keys: tuple[Any, ...], state: State) -> _Line:
        masked, others = [], []
        for key in keys:
            below, apply, hit = self._move(key, state)
            if apply is None:
                others.append(_Cell(key, below, None, None))
            else:
                masked.append(_Cell(key, below, cells.masker(apply, self._rows.cell, self._typed), hit))
        return _Line(tuple(masked), tuple(others))

    def _move(self, key: Any, state: State) -> tuple[State, Masker | None, Hit | None]:
        if isinstance(key, int):
            name, owed = self._owed[key]
            return state.element(key, name, owed)
        if self._columns is None:
            return state.move(key)
        # A name that the dialect does not know may be any of the columns.
        name, owed = self._by_name.get(normal(key), (key, self._plan.origins.everything))
        return state.member(key, name, owed)

    def _label(self, key: Any) -> str:
        if isinstance(key, int) and self._columns is not None:
            return self._columns[key].name
        return str(key)

    def _widths(self, width: int) -> None:
        if self._columns is None:
            raise Unfit("it holds rows by position, and nothing says which column is where in them")
        if width != len(self._columns):
            raise Unfit("its columns and its rows do not agree")


def is_unnamed(name: str) -> bool:
    """Whether it is what a service calls a column that the statement gives no name."""
    return _UNNAMED.fullmatch(name) is not None


def _keys(row: Any) -> tuple[Any, ...]:
    return tuple(row) if type(row) is dict else _positions(len(row))


@lru_cache(maxsize=64)
def _positions(width: int) -> tuple[int, ...]:
    return tuple(range(width))


def _name(key: Any) -> str:
    return key if isinstance(key, str) else ""


def _strictness(pair: tuple[str, Action | None]) -> tuple[bool, tuple[Any, ...]]:
    return pair[1] is None, tuple(pair[1] or ())
