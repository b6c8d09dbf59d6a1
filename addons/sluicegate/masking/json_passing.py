"""A JSON document that is masked while it passes: containers that are too large to be here at once are opened, and
their elements and members leave a batch at a time, each masked from its own place as in a document that is whole.

What a document says twice, or says too late, ends it: a member that comes again, a list of columns behind its rows.
"""

from __future__ import annotations

from typing import Any

from sluicegate import rows
from sluicegate.masking import alike
from sluicegate.masking.beside import Beside, Said
from sluicegate.masking.content_walk import mask_content_of
from sluicegate.masking.flat import flat
from sluicegate.masking.json_body import MAX_DEPTH, Unfit, parse, serialise
from sluicegate.masking.json_ends import Border, Ends, blank
from sluicegate.masking.neighbours import Neighbours
from sluicegate.masking.rules import Plan, State
from sluicegate.masking.tally import Tally
from sluicegate.masking.walk import Walk
from sluicegate.rows import HEADER_KEYS

LONGEST = 4 << 20
"""Bytes that a row, or another value that leaves as one, may have."""
OPENS = 16 << 10
"""Bytes of a container that are not all of it, after which its members leave by themselves."""
ROW_OPENS = 256 << 10  # a row is better masked as one
_MEMBERS = 100_000
_BROKEN = "its body is not valid JSON"
_CUT = "its JSON ends in the middle"
_FIRST, _VALUE, _COMMA = range(3)
_OPENERS = (b"{", b"[")
_CLOSERS = {b"{": b"}", b"[": b"]"}


class _Opened:
    """A container that is never here as a whole."""

    def __init__(self, sign: bytes, state: State, depth: int, name: str) -> None:
        self.sign = sign
        self.state = state
        self.depth = depth
        self.name = name
        self.expects = _FIRST
        self.left = 0
        """How many of its elements or members have left."""
        self.came = 0
        """How many have come."""
        self.keys: set[str] = set()
        self.shown: set[str] = set()
        self.beside: Beside | None = None
        """What stands beside the members of an object, or beside the array that this is."""
        self.inner = False
        """Whether it is inside an element of an array."""
        self.table: bool | None = None
        """Whether the elements are arrays that something beside them may name; None before the first of them."""
        self.border: Border | None = None
        self.where: str | None = None
        self.listed = False
        """Whether its elements count as rows, at `where`."""
        self.row = False
        """Whether it is such a row."""
        self.neighbours: Neighbours | None = None


class JsonPassing:
    """One document. Raises Unfit."""

    def __init__(self, plan: Plan, tally: Tally) -> None:
        self._plan = plan
        self._tally = tally
        self._rest = bytearray()
        self._at = 0
        self._ends = Ends()
        self._open: list[_Opened] = []
        self._begun = False
        self._out: list[bytes] = []
        self._said = Said(plan.headers)
        self._lists: list[rows.Table] = []
        self._positional = False

    def feed(self, piece: bytes) -> bytes:
        """The next bytes; what may leave."""
        self._rest += piece
        while self._step():
            pass
        del self._rest[: self._at]
        self._ends.moved(self._at)
        self._at = 0
        if len(self._rest) > LONGEST:
            raise Unfit("one of its values is too long")
        return self._taken()

    def end(self) -> bytes:
        """Nothing more comes; the rest."""
        if self._open or not self._begun or self._rest.strip(b" \t\r\n"):
            raise Unfit(_CUT)
        for table in () if self._positional else self._lists:
            self._tell(table)
        return self._taken()

    def _taken(self) -> bytes:
        out, self._out = b"".join(self._out), []
        return out

    def _step(self) -> bool:
        """Takes the next part of the document, where it is here."""
        data = self._rest
        at = self._at = blank(data, self._at)
        if at == len(data):
            return False
        sign = bytes(data[at : at + 1])
        if not self._open:
            return self._root(sign)
        top = self._open[-1]
        if sign == _CLOSERS[top.sign] and top.expects != _VALUE:
            self._close(top)
            return True
        if top.expects == _COMMA:
            if sign != b",":
                raise Unfit(_BROKEN)
            self._at, top.expects = at + 1, _VALUE
            return True
        return self._elements(top, sign) if top.sign == b"[" else self._member(top, sign)

    def _root(self, sign: bytes) -> bool:
        if self._begun:
            raise Unfit("something stands behind its JSON")
        if sign not in _OPENERS:
            raise Unfit("it is one long value and no object or array")
        self._begun = True
        self._opens(_Opened(sign, self._plan.start, 0, ""), self._at)
        self._open[0].listed = sign == b"["
        return True

    def _opens(self, new: _Opened, at: int) -> None:
        if new.depth >= MAX_DEPTH:
            raise Unfit("its JSON is nested too deeply")
        above = self._open[-1] if self._open else None
        new.inner = above is not None and (above.inner or above.sign == b"[")
        if new.sign == b"{":
            new.beside = Beside(self._plan, self._said)
        elif above is not None and above.sign == b"{":
            new.beside = above.beside
        if new.sign == b"[" and self._plan.content is not None:
            new.neighbours = Neighbours(self._plan.content, self._tally.counts, new.name)
        self._out.append(new.sign)
        self._open.append(new)
        self._at = at + 1

    def _close(self, top: _Opened) -> None:
        if top.neighbours is not None:
            self._leave(top, top.neighbours.end())
        self._out.append(_CLOSERS[top.sign])
        self._open.pop()
        self._at += 1
        if self._open:
            above = self._open[-1]
            above.expects = _COMMA
            if above.sign == b"[" and above.beside is not None and top.sign == b"{":
                above.beside.large(above.name, tuple(top.keys))

    def _waits(self, top: _Opened, at: int) -> bool:
        """Whether the rest of a value is waited for; else its container is opened."""
        return len(self._rest) - at <= (ROW_OPENS if top.inner or top.sign == b"[" else OPENS)

    def _elements(self, top: _Opened, sign: bytes) -> bool:
        if sign == b"{" and self._alike(top):
            return True
        found = self._batch(top)
        if found is None:
            return self._large_element(top, sign)
        values, end, raw = found
        if top.table is None:
            beside = top.beside is not None and bool(self._plan.columns)
            top.table = beside and type(values[0]) is list
        self._mask(top, values, raw)
        self._at, top.expects = end, _COMMA
        return True

    def _alike(self, top: _Opened) -> bool:
        """Masks rows that are all written alike in their text, which is quicker; whether there were any."""
        if len(self._rest) - self._at < alike.LEAST or top.table or self._plan.content is not None:
            return False
        below, apply, _ = top.state.element(top.came, top.name)
        if not top.state.uniform or apply is not None or self._said.relied:
            return False
        data = bytes(self._rest[self._at :])
        laid = alike.layout(data, 0, alike.ELEMENTS)
        masked = None if laid is None else alike.mask(data, 0, laid[0], below)
        if laid is None or masked is None:
            return False
        top.table = False
        top.came += masked.rows
        self._said.unseen()
        for hit, count in masked.counts.items():
            self._tally.hit(hit, count)
        if top.beside is not None:
            top.beside.rows(top.name, [dict.fromkeys(laid[0].keys)])
        if top.listed:
            self._tell_later(rows.Table(top.where, laid[0].keys, masked.rows))
        self._comma(top)
        top.left += masked.rows - 1
        self._out += masked.pieces
        self._at, top.expects = self._at + masked.end, _COMMA
        return True

    def _large_element(self, top: _Opened, sign: bytes) -> bool:
        below, apply, _ = top.state.element(top.came, top.name)
        if apply is not None or sign not in _OPENERS or self._waits(top, self._at):
            return False
        if sign == b"[" and self._plan.columns:
            raise Unfit("it holds arrays of arrays, and nothing says which column is where in them")
        top.table = bool(top.table)
        if top.neighbours is not None:
            self._leave(top, top.neighbours.end())
        self._said.unseen()
        self._comma(top)
        top.came += 1
        new = _Opened(sign, below, top.depth + 1, top.name)
        if top.listed and sign == b"{":
            self._tally.rows += 1
            new.row, new.where = True, top.where
        self._opens(new, self._at)
        return True

    def _batch(self, top: _Opened) -> tuple[list[Any], int, bytes] | None:
        """The elements that are here, where the last of them ends, and how they are written."""
        data, start = self._rest, self._at
        likely = top.border.last(data, start) if top.border is not None else None
        if likely is not None and top.border is not None:
            raw = b"[" + data[start:likely] + b"]"
            try:
                values = parse(raw)
            except Unfit:
                values = []  # it stands inside an element too
            if values:
                return values, likely, raw
            top.border.missed()
        last = position = start
        while (end := self._ends.end(data, position)) is not None and end > position:
            last, position = end, blank(data, end)
            if data[position : position + 1] != b",":
                break
            position = blank(data, position + 1)
            if position == len(data):
                break
            if top.border is None:
                top.border = Border(data, end, position)
        if last == start:
            if end == start:
                raise Unfit(_BROKEN)
            return None
        raw = b"[" + data[start:last] + b"]"
        return parse(raw), last, raw

    def _mask(self, top: _Opened, values: list[Any], raw: bytes) -> None:
        walk = Walk(self._plan, 0)
        if self._said.relied and not top.table:
            self._said.value(parse(raw))
        elif not top.table:
            self._said.unseen()
        if top.table and top.beside is not None:
            if any(type(value) is not list for value in values):
                raise Unfit("its columns and its rows do not agree")
            top.beside.table(walk, top.name, values, top.state, top.depth)
        elif top.state.uniform:
            if flat(values, raw, values):
                walk.flat = values
            walk.value(values, top.state, top.depth, top.name)
        else:
            self._one_by_one(top, walk, values)
        self._done(walk)
        top.came += len(values)
        if top.beside is not None:
            top.beside.rows(top.name, values)
        if top.listed:
            self._count(top.where, values, top.beside if top.table else None)
        self._leave(top, values if top.neighbours is None else top.neighbours.take(values))

    def _one_by_one(self, top: _Opened, walk: Walk, values: list[Any]) -> None:
        """Elements of which a path counts some."""
        for index, value in enumerate(values):
            below, apply, hit = top.state.element(top.came + index, top.name)
            if apply is not None and hit is not None:
                values[index] = apply([value])[0]
                walk.counts[hit] = walk.counts.get(hit, 0) + 1
            else:
                walk.loose |= isinstance(value, list)
                values[index] = walk.value(value, below, top.depth + 1, top.name)

    def _done(self, walk: Walk) -> None:
        self._tally.add(walk.counts)
        if walk.loose and self._plan.columns:
            raise Unfit("it holds arrays of arrays, and nothing before them says which column is where in them")

    def _leave(self, top: _Opened, values: list[Any]) -> None:
        if values:
            self._comma(top)
            top.left += len(values) - 1
            self._out.append(serialise(values)[1:-1])

    def _comma(self, top: _Opened) -> None:
        if top.left:
            self._out.append(b",")
        top.left += 1

    def _member(self, top: _Opened, sign: bytes) -> bool:
        data = self._rest
        if sign != b'"':
            raise Unfit(_BROKEN)
        end = self._ends.end(data, self._at)
        if end is None:
            return False
        at = blank(data, end)
        if at == len(data):
            return False
        if data[at : at + 1] != b":":
            raise Unfit(_BROKEN)
        at = blank(data, at + 1)
        if at == len(data):
            return False
        last = self._ends.end(data, at)
        if last is None and self._waits(top, at):
            return False
        key = parse(bytes(data[self._at : end]))
        if key in top.keys:
            raise Unfit("a member of it comes twice")
        if len(top.keys) >= _MEMBERS:
            raise Unfit("one of its objects has too many members")
        if last is None:
            return self._large_member(top, key, at)
        if last == at:
            raise Unfit(_BROKEN)
        top.keys.add(key)
        self._whole_member(top, key, bytes(data[at:last]))
        self._at, top.expects = last, _COMMA
        return True

    def _large_member(self, top: _Opened, key: str, at: int) -> bool:
        sign = bytes(self._rest[at : at + 1])
        below, apply, _ = top.state.move(key)
        # A list of columns has to be known before the rows that it names.
        if apply is not None or sign not in _OPENERS or (self._plan.columns and key in HEADER_KEYS):
            return False
        assert top.beside is not None
        top.keys.add(key)
        top.beside.open(key)
        self._comma(top)
        if top.row:
            self._tell(rows.Table(top.where, (key,), 0))
        self._out.append(serialise(self._shown(top, key)) + b":")
        new = _Opened(sign, below, top.depth + 1, key)
        new.where, new.listed = key, sign == b"[" and top is self._open[0]
        self._opens(new, at)
        return True

    def _whole_member(self, top: _Opened, key: str, raw: bytes) -> None:
        plan, walk = self._plan, Walk(self._plan, 0)
        node = {key: parse(raw)}
        value = node[key]
        if plan.columns:
            self._said.value(parse(raw))
        below, apply, _ = top.state.move(key)
        assert top.beside is not None
        rowed = isinstance(value, list) and bool(value) and type(value[0]) is list
        if plan.columns and apply is None and rowed:
            top.beside.table(walk, key, value, below, top.depth + 1)
        else:
            walk.value(node, top.state, top.depth, top.name)
        self._done(walk)
        if key in node:
            value = node[key]
            if isinstance(value, list):
                top.beside.rows(key, value)
                if top is self._open[0] and value:
                    self._count(key, value, top.beside if rowed else None)
            top.beside.member(key, value)
            if plan.content is not None:
                value = mask_content_of([value], plan.content, self._tally.counts, key)[0]
            if top.row:
                self._tell(rows.Table(top.where, (key,), 0))
            self._comma(top)
            self._out.append(serialise({self._shown(top, key): value})[1:-1])

    def _shown(self, top: _Opened, key: str) -> str:
        """The key as it may leave."""
        content = self._plan.content
        if content is None:
            return key
        made = content.texts([key], "", self._tally.counts)
        shown = new = key if made is None else str(made[0])
        number = 1
        while new in top.shown and new != key:
            number += 1
            new = f"{shown} {number}"
        if new in top.shown:
            raise Unfit("a member of it comes twice")
        top.shown.add(new)
        return new

    def _count(self, where: str | None, values: list[Any], beside: Beside | None) -> None:
        """Says which columns left, as it is said of a document that is whole. `beside` names those of arrays."""
        node = values if where is None else {where: values} if beside is None else {**beside.lists, where: values}
        for table in rows.tables(node):
            self._positional |= table.positional
            if table.where == where:
                self._tell_later(table)

    def _tell_later(self, table: rows.Table) -> None:
        """Lists of columns are rows only where nothing turns out to be named by them."""
        if table.where in HEADER_KEYS:
            self._lists.append(table)
        else:
            self._tell(table)

    def _tell(self, table: rows.Table) -> None:
        self._tally.rows += table.count
        for name, word in self._plan.covered(table.where, table.columns, table.positional).items():
            self._tally.column(name, word == "masked")
