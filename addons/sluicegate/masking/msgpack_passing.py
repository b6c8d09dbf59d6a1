"""MessagePack that is masked while it passes: the rows of one large document, or documents one behind the other.

How many members a map has stands before the first of them. So what a mask takes out of a map that has begun to leave
ends the response; as long as its members are few they wait, and are counted.
"""

from __future__ import annotations

from typing import Any

from sluicegate.masking import document_passing, msgpack_ends
from sluicegate.masking.document_passing import ARRAY, OBJECT, Container, DocumentPassing, Front
from sluicegate.masking.documents import mask_documents
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.msgpack_body import mask_msgpack, packed, several, unpacked
from sluicegate.masking.msgpack_check import check
from sluicegate.masking.msgpack_ends import Ends, array_of, map_of
from sluicegate.masking.neighbours import Neighbours
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

HELD = 16 << 10
"""Bytes of members of a map that wait before it is said how many there are."""


class _Map:
    """A map of which not all is here."""

    def __init__(self) -> None:
        self.held: list[bytes] | None = []
        """Members that wait; None once it has begun to leave."""
        self.size = 0
        self.gone = 0
        """Members that were taken out."""


class MsgpackPassing(DocumentPassing):
    """One body. Raises Unfit."""

    def __init__(self, plan: Plan, tally: Tally) -> None:
        super().__init__(plan, tally)
        self._ends = Ends()
        self._key_end: int | None = None
        """Where the key of the member ends that waits for its value: it is not looked for again with every piece."""
        self._maps: list[_Map] = []
        self._opened = b""
        """What the first document is, where that is so large that it was opened."""
        self._left = 0
        """Documents that have left as a whole."""
        self._next: Neighbours | None = None
        if plan.content is not None:
            self._next = Neighbours(plan.content, tally.counts)

    def end(self) -> bytes:
        """Nothing more comes; the rest, or all of it."""
        if self._open:
            raise Unfit("its MessagePack ends in the middle")
        if not (self._left or self._opened):
            return mask_msgpack(bytes(self._rest), self._plan, self._tally)
        if self._rest:
            raise Unfit("its MessagePack ends in the middle")
        self._told()
        if self._next is not None:
            self._out += map(packed, self._next.end())
        return self._taken()

    def _moved(self, count: int) -> None:
        self._ends.moved(count)
        self._key_end = None if self._key_end is None else self._key_end - count

    def _step(self) -> bool:
        if not self._open:
            return self._documents()
        top = self._open[-1]
        if (len(top.keys) if top.sign == OBJECT else top.came) == top.due:
            self._end(top)
            return True
        if self._at == len(self._rest):
            return False
        return self._next_elements(top) if top.sign == ARRAY else self._next_member(top)

    def _documents(self) -> bool:
        """Takes the documents that are here; of one that may be all there is nobody knows yet how it is masked."""
        data, start = self._rest, self._at
        last, count = start, 0
        while last < len(data) and (end := self._ends.end(data, last)) is not None:
            last, count = end, count + 1
        if start < len(data) and self._opened:
            self._behind()
        first = not (self._left or self._opened)
        if not count:
            return first and start < len(data) and self._first()
        if first and count == 1 and last == len(data):
            return False
        documents = several(bytes(data[start:last]), count, self._plan)
        documents = mask_documents(documents, self._plan, self._tally, looked=False)
        self._out += map(packed, documents if self._next is None else self._next.take(documents))
        self._at, self._left = last, self._left + count
        return True

    def _behind(self) -> None:
        """Something comes behind a document that has left piece by piece."""
        apart = self._plan.content is None and not (self._plan.columns and self._opened == ARRAY)
        if not apart or self._said.relied:
            raise Unfit("something stands behind its document")

    def _first(self) -> bool:
        """Opens the first document, where it is large."""
        at = self._at
        if not msgpack_ends.opens(self._rest[at]):
            raise Unfit("it is one long value and no array or map")
        front = self._front(at)
        if front is None or len(self._rest) - at <= document_passing.OPENS:
            return False
        self._opened = front.sign
        new = Container(front, self._plan.start, 0, "")
        new.listed = front.sign == ARRAY
        self._begin(new, front.end)
        return True

    def _front(self, at: int) -> Front | None:
        found = msgpack_ends.front(self._rest, at)
        return None if found is None else Front(*found)

    def _next_elements(self, top: Container) -> bool:
        data, last, count = self._rest, self._at, 0
        while last < len(data) and count < top.due - top.came and (end := self._ends.end(data, last)) is not None:
            last, count = end, count + 1
        if not count:
            return self._large_element(top, self._front(self._at))
        raw = array_of(count) + bytes(data[self._at : last])
        values = unpacked(raw)
        check(values, self._plan, top.state, top.depth, top.name, top.came)
        self._elements(top, values, raw)
        self._at = last
        return True

    def _next_member(self, top: Container) -> bool:
        data = self._rest
        at = self._ends.end(data, self._at) if self._key_end is None else self._key_end
        if at is None or at == len(data):
            return False
        self._key_end = at
        last = self._ends.end(data, at)
        if last is None and self._waits(top, at):
            return False
        key = self._new_key(top, bytes(data[self._at : at]))
        if last is None:
            opened = self._large_member(top, key, self._front(at))
            self._key_end = None if opened else at
            return opened
        self._key_end = None
        raw = bytes(data[at:last])
        check({key: unpacked(raw)}, self._plan, top.state, top.depth)
        self._whole_member(top, key, raw)
        self._at = last
        return True

    def _parsed(self, raw: bytes) -> Any:
        return unpacked(raw)

    def _flat(self, values: list[Any], raw: bytes) -> bool:
        return False

    def _write_begin(self, new: Container) -> None:
        if new.sign == ARRAY:
            self._out.append(array_of(new.due))
        else:
            self._maps.append(_Map())

    def _write_end(self, top: Container) -> None:
        if top.sign == OBJECT:
            self._begun(top)
            self._maps.pop()

    def _begun(self, top: Container) -> None:
        """The map begins to leave."""
        inside = self._maps[-1]
        if inside.held is not None:
            self._out += [map_of(top.due - inside.gone), *inside.held]
            inside.held = None

    def _taken_out(self, top: Container) -> None:
        inside = self._maps[-1]
        inside.gone += 1
        if inside.held is None:
            raise Unfit("a member that a mask takes out stands late in a map that has begun to leave")

    def _write_elements(self, values: list[Any]) -> None:
        self._out.append(packed(values)[len(array_of(len(values))) :])

    def _write_member(self, top: Container, key: str, value: Any) -> None:
        self._held(top, packed({key: value})[1:])

    def _write_key(self, top: Container, key: str) -> None:
        self._begun(top)
        self._out.append(packed(key))

    def _held(self, top: Container, member: bytes) -> None:
        inside = self._maps[-1]
        if inside.held is None:
            self._out.append(member)
            return
        inside.held.append(member)
        inside.size += len(member)
        if inside.size > HELD:
            self._begun(top)
