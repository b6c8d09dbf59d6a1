"""A value that is cut by the border of two neighbouring texts of one document, however mixed the list is they stand in."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.exchange import Obligation
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.content_proof import columns_of
from sluicegate.masking.methods import REDACTED, Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.stream import open_stream

PLAN = Plan((Obligation("m", "redact", detect=frozenset(("email", "card", "national-id"))),), Methods(b"k" * 32))
ONE, OTHER = "my number is 536-90", "-4399 as you know"
LEFT, RIGHT = f"my number is {REDACTED}", f"{REDACTED} as you know"
FIRST: dict[str, Any] = {
    "an object": {},
    "a number": 7,
    "null": None,
    "an array": [],
    "a text": "x",
    "another": {"a": 1},
}
MANY = 100
"""Elements before it: more than are looked at to see what a column holds."""


def whole(value: Any, media: str = "application/json") -> Any:
    pack = media == "application/msgpack"
    body = msgspec.msgpack.encode(value) if pack else json.dumps(value).encode()
    masked = mask(Reply("GET", 200, ((b"content-type", media.encode()),), body), PLAN, (), 1 << 22).body
    return msgspec.msgpack.decode(masked) if pack else json.loads(masked)


def in_pieces(value: Any, size: int) -> Any:
    body = json.dumps(value).encode()
    stream = open_stream(((b"content-type", b"application/json"),), 200, PLAN, (), None)
    assert stream is not None
    pieces = [piece for at in range(0, len(body), size) for piece in stream.feed(body[at : at + size])]
    return json.loads(b"".join([*pieces, *stream.end()]))


def both(value: Any) -> Any:
    found = whole(value)
    for size in (7, 64, 1 << 20):
        assert in_pieces(value, size) == found
    return found


@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
def test_texts_behind_something_else(first: Any) -> None:
    assert both([first, ONE, OTHER]) == [first, LEFT, RIGHT]
    assert whole([first, ONE, OTHER], "application/msgpack") == [first, LEFT, RIGHT]
    assert both({"chunks": [first, ONE, OTHER]}) == {"chunks": [first, LEFT, RIGHT]}


@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
def test_members_that_the_first_row_lacks(first: Any) -> None:
    rows = [first, {"id": 1, "text": ONE}, {"id": 2, "text": OTHER}]
    assert both(rows) == [first, {"id": 1, "text": LEFT}, {"id": 2, "text": RIGHT}]


@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
def test_rows_that_are_arrays(first: Any) -> None:
    assert both([first, [1, ONE], [2, OTHER]]) == [first, [1, LEFT], [2, RIGHT]]
    assert both([first, [ONE], [OTHER, 1]]) == [first, [LEFT], [RIGHT, 1]]


@pytest.mark.parametrize("filling", [None, "", 5])
def test_a_column_that_holds_nothing_at_first(filling: Any) -> None:
    rows = [{"text": filling}] * MANY + [{"text": ONE}, {"text": OTHER}]
    assert both(rows)[-2:] == [{"text": LEFT}, {"text": RIGHT}]
    assert both([filling] * MANY + [ONE, OTHER])[-2:] == [LEFT, RIGHT]
    assert both([[filling]] * MANY + [[ONE], [OTHER]])[-2:] == [[LEFT], [RIGHT]]


def test_more_columns_than_are_remembered() -> None:
    rows = [{f"{number}": "x"} for number in range(5000)] + [{"text": ONE}, {"text": OTHER}]
    assert in_pieces(rows, 1000)[-2:] == [{"text": LEFT}, {"text": RIGHT}]


ROW = st.one_of(
    st.dictionaries(st.sampled_from("abcd"), st.integers(), max_size=4),
    st.lists(st.integers(), max_size=4),
    st.integers(),
    st.text(max_size=2),
)


@given(st.lists(ROW, max_size=8))
def test_each_member_of_each_row_is_in_one_column(node: list[Any]) -> None:
    found = [(id(row), key) for key, rows in columns_of(node) for row in rows]
    assert sorted(found, key=repr) == sorted(
        [(id(row), key) for row in node if isinstance(row, dict) for key in row]
        + [(id(row), place) for row in node if isinstance(row, list) for place in range(len(row))],
        key=repr,
    )


def test_rows_with_little_in_common_take_no_longer_than_others() -> None:
    """Counted, not timed: what is gone through is what there is."""
    rows: list[Any] = [{f"{number}": number for number in range(2000)}, *({} for _ in range(2000))]
    assert sum(len(rows) for _, rows in columns_of(rows)) == 2000
