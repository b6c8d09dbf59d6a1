"""A JSON document that is masked while it passes: where its values are in the text, and how they are written."""

from __future__ import annotations

from typing import Any

from sluicegate import rows
from sluicegate.masking import alike
from sluicegate.masking.document_passing import COMMA, VALUE, Container, DocumentPassing, Front
from sluicegate.masking.flat import flat
from sluicegate.masking.json_body import Unfit, parse, serialise
from sluicegate.masking.json_ends import Border, Ends, blank
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

_BROKEN = "its body is not valid JSON"
_CUT = "its JSON ends in the middle"
_OPENERS = (b"{", b"[")
_CLOSERS = {b"{": b"}", b"[": b"]"}


class JsonPassing(DocumentPassing):
    """One document. Raises Unfit."""

    def __init__(self, plan: Plan, tally: Tally) -> None:
        super().__init__(plan, tally)
        self._ends = Ends()
        self._begun = False
        self._key_end: int | None = None
        """Where the key of the member ends that waits for its value: it is not looked for again with every piece."""
        self._least = alike.LEAST
        """Bytes below which nobody looks whether rows are written alike: twice as many as there were the last time."""

    def end(self) -> bytes:
        """Nothing more comes; the rest."""
        if self._open or not self._begun or self._rest.strip(b" \t\r\n"):
            raise Unfit(_CUT)
        self._told()
        return self._taken()

    def _moved(self, count: int) -> None:
        self._ends.moved(count)
        self._key_end = None if self._key_end is None else self._key_end - count

    def _step(self) -> bool:
        data = self._rest
        at = self._at = blank(data, self._at)
        if at == len(data):
            return False
        sign = bytes(data[at : at + 1])
        if not self._open:
            return self._root(sign)
        top = self._open[-1]
        if sign == _CLOSERS[top.sign] and top.expects != VALUE:
            self._end(top)
            self._at += 1
            return True
        if top.expects == COMMA:
            if sign != b",":
                raise Unfit(_BROKEN)
            self._at, top.expects = at + 1, VALUE
            return True
        return self._next_elements(top, sign) if top.sign == b"[" else self._next_member(top, sign)

    def _root(self, sign: bytes) -> bool:
        if self._begun:
            raise Unfit("something stands behind its JSON")
        if sign not in _OPENERS:
            raise Unfit("it is one long value and no object or array")
        self._begun = True
        self._begin(Container(Front(sign, 0), self._plan.start, 0, ""), self._at + 1)
        self._open[0].listed = sign == b"["
        return True

    def _front(self, at: int) -> Front | None:
        sign = bytes(self._rest[at : at + 1])
        return Front(sign, at + 1) if sign in _OPENERS else None

    def _next_elements(self, top: Container, sign: bytes) -> bool:
        if sign == b"{" and self._alike(top):
            return True
        found = self._batch(top)
        if found is None:
            self._least = max(alike.LEAST, 2 * (len(self._rest) - self._at))
            return self._large_element(top, self._front(self._at))
        self._least = alike.LEAST
        values, end, raw = found
        self._elements(top, values, raw)
        self._at, top.expects = end, COMMA
        return True

    def _alike(self, top: Container) -> bool:
        """Masks rows that are all written alike in their text, which is quicker; whether there were any."""
        if len(self._rest) - self._at < self._least or top.table or self._plan.content is not None:
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
        self._between(top)
        top.left += masked.rows - 1
        self._out += masked.pieces
        self._at, top.expects = self._at + masked.end, COMMA
        return True

    def _batch(self, top: Container) -> tuple[list[Any], int, bytes] | None:
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

    def _next_member(self, top: Container, sign: bytes) -> bool:
        data = self._rest
        if sign != b'"':
            raise Unfit(_BROKEN)
        end = self._ends.end(data, self._at) if self._key_end is None else self._key_end
        if end is None:
            return False
        self._key_end = end
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
        key = self._new_key(top, bytes(data[self._at : end]))
        if last is None:
            opened = self._large_member(top, key, self._front(at))
            self._key_end = None if opened else end
            return opened
        if last == at:
            raise Unfit(_BROKEN)
        self._key_end = None
        self._whole_member(top, key, bytes(data[at:last]))
        self._at, top.expects = last, COMMA
        return True

    def _parsed(self, raw: bytes) -> Any:
        return parse(raw)

    def _flat(self, values: list[Any], raw: bytes) -> bool:
        return flat(values, raw, values)

    def _write_begin(self, new: Container) -> None:
        self._out.append(new.sign)

    def _write_end(self, top: Container) -> None:
        self._out.append(_CLOSERS[top.sign])

    def _write_elements(self, values: list[Any]) -> None:
        self._out.append(serialise(values)[1:-1])

    def _write_member(self, top: Container, key: str, value: Any) -> None:
        self._out.append(serialise({key: value})[1:-1])

    def _write_key(self, top: Container, key: str) -> None:
        self._out.append(serialise(key) + b":")

    def _write_between(self, top: Container) -> None:
        self._out.append(b",")
