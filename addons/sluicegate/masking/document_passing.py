"""A document that is masked while it passes, whatever it is written in. Containers that are too large to be here at
once are opened: their elements and members leave a batch at a time, each masked as in a whole document.

What a document says twice, or says too late, ends it: a member that comes again, a list of columns behind its rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sluicegate import rows
from sluicegate.masking.beside import Beside, Said
from sluicegate.masking.content_walk import mask_content_of
from sluicegate.masking.json_body import MAX_DEPTH, Unfit
from sluicegate.masking.json_ends import Border
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
ARRAY, OBJECT = b"[", b"{"
FIRST, VALUE, COMMA = range(3)
"""What may come next in a container: its first element or member, another one, or what stands between two."""


class Front(NamedTuple):
    """How a container begins."""

    sign: bytes
    """ARRAY or OBJECT."""
    end: int
    """Where what is in it begins."""
    due: int = 0
    """How many elements or members it says that it has, where it says so."""


class Container:
    """One that is never here as a whole."""

    def __init__(self, front: Front, state: State, depth: int, name: str) -> None:
        self.sign = front.sign
        self.due = front.due
        self.state = state
        self.depth = depth
        self.name = name
        self.expects = FIRST
        self.left = 0
        """How many of its elements or members have left."""
        self.came = 0
        """How many have come."""
        self.keys: set[str] = set()
        self.shown: set[str] = set()
        self.numbers: dict[str, int] = {}
        """How many members so far were to have a name that one of them has."""
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


class DocumentPassing:
    """One document. Raises Unfit. Who knows how it is written finds the values in it, and writes them."""

    def __init__(self, plan: Plan, tally: Tally) -> None:
        self._plan = plan
        self._tally = tally
        self._rest = bytearray()
        self._at = 0
        self._open: list[Container] = []
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
        self._moved(self._at)
        self._at = 0
        if len(self._rest) > LONGEST:
            raise Unfit("one of its values is too long")
        return self._taken()

    def _step(self) -> bool:
        """Takes the next part of the document, where it is here."""
        raise NotImplementedError

    def _moved(self, count: int) -> None:
        """So many bytes were taken away at the front."""

    def _parsed(self, raw: bytes) -> Any:
        """The value that is written there. Raises Unfit."""
        raise NotImplementedError

    def _flat(self, values: list[Any], raw: bytes) -> bool:
        """Whether it is certain that nothing in these rows has an inside."""
        raise NotImplementedError

    def _write_begin(self, new: Container) -> None:
        raise NotImplementedError

    def _write_end(self, top: Container) -> None:
        raise NotImplementedError

    def _write_elements(self, values: list[Any]) -> None:
        raise NotImplementedError

    def _write_member(self, top: Container, key: str, value: Any) -> None:
        raise NotImplementedError

    def _write_key(self, top: Container, key: str) -> None:
        raise NotImplementedError

    def _write_between(self, top: Container) -> None:
        """What stands before each element and member but the first."""

    def _taken_out(self, top: Container) -> None:
        """A member does not leave, since a mask takes it out."""

    def _taken(self) -> bytes:
        out, self._out = b"".join(self._out), []
        return out

    def _told(self) -> None:
        """No more rows come: says what is known of lists that turned out to be rows."""
        for table in () if self._positional else self._lists:
            self._tell(table)

    def _begin(self, new: Container, end: int) -> None:
        """A container is opened; what is in it begins at `end`."""
        if new.depth >= MAX_DEPTH:
            raise Unfit("it is nested too deeply")
        above = self._open[-1] if self._open else None
        new.inner = above is not None and (above.inner or above.sign == ARRAY)
        if new.sign == OBJECT:
            new.beside = Beside(self._plan, self._said)
        elif above is not None and above.sign == OBJECT:
            new.beside = above.beside
        if new.sign == ARRAY and self._plan.content is not None:
            new.neighbours = Neighbours(self._plan.content, self._tally.counts, new.name)
        self._write_begin(new)
        self._open.append(new)
        self._at = end

    def _end(self, top: Container) -> None:
        """The container is whole."""
        if top.neighbours is not None:
            self._leave(top, top.neighbours.end())
        self._write_end(top)
        self._open.pop()
        if self._open:
            above = self._open[-1]
            above.expects = COMMA
            if above.sign == ARRAY and above.beside is not None and top.sign == OBJECT:
                above.beside.large(above.name, tuple(top.keys))

    def _waits(self, top: Container, at: int) -> bool:
        """Whether the rest of a value is waited for; else its container is opened."""
        return len(self._rest) - at <= (ROW_OPENS if top.inner or top.sign == ARRAY else OPENS)

    def _large_element(self, top: Container, front: Front | None) -> bool:
        """Opens an element that is not here as a whole; whether it is a container, and large."""
        below, apply, _ = top.state.element(top.came, top.name)
        if apply is not None or front is None or self._waits(top, self._at):
            return False
        if front.sign == ARRAY and self._plan.columns:
            raise Unfit("it holds arrays of arrays, and nothing says which column is where in them")
        top.table = bool(top.table)
        if top.neighbours is not None:
            self._leave(top, top.neighbours.end())
        self._said.unseen()
        self._between(top)
        top.came += 1
        new = Container(front, below, top.depth + 1, top.name)
        if top.listed and front.sign == OBJECT:
            self._tally.rows += 1
            new.row, new.where = True, top.where
        self._begin(new, front.end)
        return True

    def _elements(self, top: Container, values: list[Any], raw: bytes) -> None:
        """Elements that are here, and what they are written as: an array of them."""
        if top.table is None:
            beside = top.beside is not None and bool(self._plan.columns)
            top.table = beside and type(values[0]) is list
        walk = Walk(self._plan, 0)
        if self._said.relied and not top.table:
            self._said.value(self._parsed(raw))
        elif not top.table:
            self._said.unseen()
        if top.table and top.beside is not None:
            if any(type(value) is not list for value in values):
                raise Unfit("its columns and its rows do not agree")
            top.beside.table(walk, top.name, values, top.state, top.depth)
        elif top.state.uniform:
            if self._flat(values, raw):
                walk.flat = values
            walk.value(values, top.state, top.depth, top.name)
        else:
            self._one_by_one(top, walk, values)
        self._done(walk)
        top.came += len(values)
        if top.beside is not None:
            top.beside.rows(top.name, values)
        self._leave(top, values if top.neighbours is None else top.neighbours.take(values))

    def _one_by_one(self, top: Container, walk: Walk, values: list[Any]) -> None:
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

    def _leave(self, top: Container, values: list[Any]) -> None:
        if values:
            if top.listed:  # only now: a detector may have found something in a key
                self._count(top.where, values, top.beside if top.table else None)
            self._between(top)
            top.left += len(values) - 1
            self._write_elements(values)

    def _between(self, top: Container) -> None:
        if top.left:
            self._write_between(top)
        top.left += 1

    def _new_key(self, top: Container, raw: bytes) -> str:
        """The key of the next member. Raises Unfit for one that came before, and where there are too many."""
        key = self._parsed(raw)
        if not isinstance(key, str):
            raise Unfit("its keys are not all texts")
        if key in top.keys:
            raise Unfit("a member of it comes twice")
        if len(top.keys) >= _MEMBERS:
            raise Unfit("one of its objects has too many members")
        return key

    def _large_member(self, top: Container, key: str, front: Front | None) -> bool:
        """Opens a member that is not here as a whole; whether it is a container that may be opened."""
        below, apply, _ = top.state.move(key)
        # A list of columns has to be known before the rows that it names.
        if apply is not None or front is None or (self._plan.columns and key in HEADER_KEYS):
            return False
        assert top.beside is not None
        top.keys.add(key)
        top.beside.open(key)
        self._between(top)
        shown = self._shown(top, key)
        if top.row:
            self._tell(rows.Table(top.where, (shown,), 0))
        self._write_key(top, shown)
        new = Container(front, below, top.depth + 1, key)
        new.where, new.listed = key, front.sign == ARRAY and top is self._open[0]
        self._begin(new, front.end)
        return True

    def _whole_member(self, top: Container, key: str, raw: bytes) -> None:
        """A member that is here, and what its value is written as."""
        plan, walk = self._plan, Walk(self._plan, 0)
        top.keys.add(key)
        node = {key: self._parsed(raw)}
        value = node[key]
        if plan.columns:
            self._said.value(self._parsed(raw))
        below, apply, _ = top.state.move(key)
        assert top.beside is not None
        rowed = isinstance(value, list) and bool(value) and type(value[0]) is list
        if plan.columns and apply is None and rowed:
            top.beside.table(walk, key, value, below, top.depth + 1)
        else:
            walk.value(node, top.state, top.depth, top.name)
        self._done(walk)
        if key not in node:
            self._taken_out(top)
            return
        value = node[key]
        if isinstance(value, list):
            top.beside.rows(key, value)
        top.beside.member(key, value)
        if plan.content is not None:
            value = mask_content_of([value], plan.content, self._tally.counts, key)[0]
        if isinstance(value, list) and value and top is self._open[0]:
            self._count(key, value, top.beside if rowed else None)
        shown = self._shown(top, key)
        if top.row:
            self._tell(rows.Table(top.where, (shown,), 0))
        self._between(top)
        self._write_member(top, shown, value)

    def _shown(self, top: Container, key: str) -> str:
        """The key as it may leave."""
        content = self._plan.content
        if content is None:
            return key
        made = content.texts([key], "", self._tally.counts)
        shown = new = key if made is None else str(made[0])
        number = top.numbers.get(shown, 1)
        while new in top.shown and new != key:
            number += 1
            new = f"{shown} {number}"
        if new in top.shown:
            raise Unfit("a member of it comes twice")
        if number > 1:
            top.numbers[shown] = number
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
