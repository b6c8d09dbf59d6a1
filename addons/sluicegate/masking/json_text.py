"""JSON documents whose rows are masked in their text, while what is around them is walked as usual.

In the place of the rows a number is put that nobody can guess, and what is left is decoded. Where that number then
stands alone in an array, the rows are what that array holds: in the grammar one value is as good as another there.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

from sluicegate.masking import alike
from sluicegate.masking.json_body import Unfit, parse, serialise
from sluicegate.masking.rules import Plan, State
from sluicegate.masking.walk import Counts, Walk
from sluicegate.rows import HEADER_KEYS

_ROWS = re.compile(rb"\[[ \t\r\n]*(?=\{)")
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]')
_CLOSING = {b"{": b"}", b"[": b"]"}
_TRIES = 4
_FRONT = 64 << 10  # bytes before the rows
_DEEP = 8
_OTHERS = 10_000  # objects and arrays beside the rows


class Document(NamedTuple):
    """A masked document."""

    text: bytes
    node: Any
    """It decoded, with one row only in the place of the rows."""
    more: int
    """How many rows there are beside that one, where the rows are the document or a member of it."""
    counts: Counts
    layout: alike.Layout
    """How the rows are written."""


class _Rows(NamedTuple):
    """Where the rows are in a decoded document."""

    holder: Any
    key: Any
    state: State
    """Of the masks at each row."""
    depth: int


def mask_text(plain: bytes, plan: Plan) -> Document | None:
    """The masked document. None where it has to be walked as a whole. Raises Unfit as the walk does."""
    if len(plain) < alike.LEAST or plan.root is not None:
        return None
    for start in _candidates(plain):
        laid = alike.layout(plain, start, alike.ELEMENTS)
        if laid is None:
            continue
        found = laid[0]
        mark = secrets.randbits(62) | 1 << 61
        told = _told(plain, start, mark, plan)
        masked = None if told is None else alike.mask(plain, start, found, told.state)
        if told is not None and masked is not None and masked.end - start > len(plain) // 2:
            return _around(plain, start, laid, masked, mark, plan, told)
    return None


def _candidates(plain: bytes) -> Iterator[int]:
    position = 0
    for _ in range(_TRIES):
        found = _ROWS.search(plain, position, _FRONT)
        if found is None:
            return
        position = found.end()
        yield position


def _told(plain: bytes, start: int, mark: int, plan: Plan) -> _Rows | None:
    """Where the rows are, as far as what stands before them says."""
    front, open_ones = plain[:start], []
    for bracket in _BRACKETS.findall(front):
        if bracket in _CLOSING:
            open_ones.append(_CLOSING[bracket])
        elif bracket[:1] != b'"' and (not open_ones or open_ones.pop() != bracket):
            return None
    try:
        document = parse(front + b"%d" % mark + b"".join(reversed(open_ones)))
    except Unfit:
        return None
    return _find(document, [document], 0, mark, plan.start)


def _around(
    plain: bytes, start: int, laid: tuple[alike.Layout, bytes], masked: alike.Masked, mark: int, plan: Plan, told: _Rows
) -> Document | None:
    """The whole document, of which the rows are done."""
    try:
        document = parse(plain[:start] + b"%d" % mark + plain[masked.end :])
    except Unfit:
        return None  # the walk says what is wrong with it
    box = [document]
    rows = _find(document, box, 0, mark, plan.start)
    if rows is None or rows.state is not told.state or not _simple(document):
        return None
    node = rows.holder[rows.key]
    node[:] = [parse(laid[1])]
    walk = Walk(plan, 0)
    document = walk.value(document, plan.start, 0, "")
    if walk.loose or rows.holder[rows.key] is not node:
        return None
    for hit, count in masked.counts.items():
        walk.counts[hit] = walk.counts.get(hit, 0) + count - 1
    rows.holder[rows.key] = [mark]
    before, found, after = serialise(box[0]).partition(b"%d" % mark)
    rows.holder[rows.key] = node
    if not found or b"%d" % mark in after:
        return None
    text = b"".join((before, *masked.pieces, after))
    return Document(text, document, masked.rows - 1 if rows.depth < 2 else 0, walk.counts, laid[0])


def _find(node: Any, holder: Any, key: Any, mark: int, state: State, name: str = "", depth: int = 0) -> _Rows | None:
    """The array with nothing but the mark in it, where no mask wants that as a whole. None where that is not so, and
    where it may be a list of columns and not of rows.
    """
    if depth > _DEEP:
        return None
    if type(node) is list:
        below, apply, _ = state.element(0, name)
        if not state.uniform or apply is not None:
            return None
        if node == [mark]:
            return _Rows(holder, key, below, depth)
        inner = [_find(value, node, index, mark, below, name, depth + 1) for index, value in enumerate(node)]
    elif type(node) is dict:
        inner = []
        for member, value in node.items():
            if member not in HEADER_KEYS and (type(value) is dict or type(value) is list):
                below, apply, _ = state.move(member)
                inner.append(None if apply else _find(value, node, member, mark, below, member, depth + 1))
    else:
        return None
    found = [each for each in inner if each is not None]
    return found[0] if len(found) == 1 else None


def _simple(document: Any) -> bool:
    """Whether there are no arrays of arrays in what is around the rows: what names their columns may be among them."""
    left, many = [document], 0
    while left:
        node = left.pop()
        many += 1
        if many > _OTHERS:
            return False
        inner = node.values() if type(node) is dict else node
        for value in inner:
            if type(value) is list and type(node) is list:
                return False
            if type(value) is dict or type(value) is list:
                left.append(value)
    return True
