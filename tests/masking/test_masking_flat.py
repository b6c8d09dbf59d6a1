"""Rows of which it is certain that nothing is inside: the short way masks what the long way masks."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.exchange import Delivery, Obligation, Output, Rows
from sluicegate.masking import delivered, walk
from sluicegate.masking.delivered import mask_delivered
from sluicegate.masking.flat import flat, widest
from sluicegate.masking.json_body import Unfit, parse, serialise
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.walk import mask_document

PLAN = Plan(
    (Obligation("a", "redact", frozenset({"ssn"})), Obligation("b", "hmac", frozenset({"mail"}), path="$.rows[*].x")),
    Methods(b"k" * 32),
)
PADDING = "x" * 2048
SECRET = "123-45-6789"


def certain(document: Any, text: bytes | None = None) -> bool:
    text = text or json.dumps(document).encode()
    parsed = parse(text)
    rows = widest(parsed)
    return rows is not None and flat(parsed, text, rows)


ROWS = [{"id": 1, "ssn": SECRET, "pad": PADDING}, {"id": 2, "ssn": None, "pad": "y"}]


def test_plain_rows_are_flat() -> None:
    assert certain(ROWS)
    assert certain({"rows": ROWS, "meta": {"a": [1, {"b": 2}]}, "n": 3})
    assert certain({"rows": [list(row.values()) for row in ROWS], "columns": ["id", "ssn", "pad"]})
    assert certain({"columns": ["c"] * 50, "rows": [[1]] * 9, "pad": PADDING})


@pytest.mark.parametrize(
    "row",
    [
        {"a": {"ssn": SECRET}},
        {"a": [SECRET]},
        {"a": {}},
        {"a": json.dumps({"ssn": SECRET})},
        {"a": " " + json.dumps({"ssn": SECRET})},
        {"a": "\n" + json.dumps({"ssn": SECRET})},
        {"a": "\ufeff" + json.dumps({"ssn": SECRET})},
        {"a": "\u200b[]"},
        {"a": "\u2060[]"},
        {"a": json.dumps(json.dumps({"ssn": SECRET}))},
        {"a": "f"},
        [1],
        5,
        None,
    ],
)
@pytest.mark.parametrize("escaped", [True, False])
def test_rows_with_something_inside_are_not(row: Any, escaped: bool) -> None:
    for document in ([*ROWS, row], {"rows": [*ROWS, row]}):
        text = json.dumps(document, ensure_ascii=escaped).encode()
        if row == {"a": "f"}:
            text = text.replace(b'"f"', b'"\\u007b\\u007d"')
        assert not certain(document, text)


def test_what_a_duplicate_key_hides_is_counted() -> None:
    text = json.dumps(ROWS).encode().replace(b'"id": 2', b'"id": {}, "id": 2')
    assert not certain(ROWS, text)


VALUE = st.one_of(
    st.integers(), st.text("a {[\"\\", max_size=4), st.none(), st.lists(st.integers(), max_size=1),
    st.just({"ssn": SECRET}), st.just(json.dumps({"ssn": SECRET})), st.just(SECRET),
)  # fmt: skip
ROW = st.dictionaries(st.sampled_from(["ssn", "mail", "x", "note"]), VALUE, max_size=4)


@given(st.lists(st.one_of(ROW, st.just({"ssn": SECRET, "note": "n"})), max_size=6), st.booleans(), st.booleans())
def test_the_short_way_is_the_long_way(rows: list[Any], wrapped: bool, spaced: bool) -> None:
    document = {"rows": rows, "pad": PADDING} if wrapped else [*rows, {"note": PADDING}]
    text = json.dumps(document, separators=None if spaced else (",", ":")).encode()

    def both(work: Any) -> list[Any]:
        found = [work()]
        with patch.object(walk, "flat", return_value=False), patch.object(delivered, "flat", return_value=False):
            return [*found, work()]

    def named() -> Any:
        try:
            masked, counts = mask_document(parse(text), PLAN, text)
        except Unfit as error:
            return str(error)
        return serialise(masked), {(hit.mask, hit.column): count for hit, count in counts.items()}

    short, long = both(named)
    assert short == long
    columns = tuple(Output(name, frozenset({("d", name)})) for name in ("ssn", "mail", "x", "note"))
    told = Delivery((Rows(path="$.rows" if wrapped else "$", columns=columns),))

    def placed() -> Any:
        try:
            masked, tally = mask_delivered(parse(text), text, PLAN, told, lambda text, rows, tally: text)
        except Unfit as error:
            return str(error)
        return serialise(masked), tally.exposure()

    short, long = both(placed)
    assert short == long
