"""Rows are masked column by column where they are alike, and one by one where anything about them is odd."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from sluicegate.exchange import Obligation
from sluicegate.masking import rules
from sluicegate.masking.json_body import parse, serialise
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.walk import mask_document

SECRET = "123-45-6789"
PLAIN = {"id": 1, "ssn": SECRET, "note": "x"}
ODD: list[Any] = [
    {"id": {"ssn": SECRET}, "ssn": SECRET, "note": "x"},
    {"id": [{"ssn": SECRET}], "ssn": SECRET, "note": "x"},
    {"id": 1, "ssn": SECRET, "note": json.dumps({"ssn": SECRET})},
    {"note": "x", "ssn": SECRET, "id": 1},
    {"ssn": SECRET},
    {"id": 1},
    {"id": 1, "SSN": {"whole": SECRET}},
    {"x" * 200: 1, "ssn": SECRET},
    {f"k{number}": number for number in range(300)} | {"ssn": SECRET},
    {},
    json.dumps([{"ssn": SECRET}]),
    [{"ssn": SECRET}],
    None,
    7,
    "plain",
]


def plan() -> Plan:
    return Plan((Obligation("m", "last4", frozenset({"ssn"})),), Methods(b"k" * 32))


def masked(document: Any, by: Plan) -> tuple[Any, int]:
    data = json.dumps(document).encode()
    result, counts = mask_document(parse(data), by, data)
    return json.loads(serialise(result)), sum(counts.values())


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: json.dumps(odd)[:40])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_an_odd_element_among_rows_fares_as_it_does_alone(odd: Any, place: int) -> None:
    by = plan()
    rows = [copy.deepcopy(PLAIN) for _ in range(3)]
    rows.insert(place, odd)
    result, count = masked({"rows": rows}, by)
    alone, of_it = masked({"rows": [odd]}, by)
    assert SECRET not in json.dumps(result)
    assert result["rows"].pop(place) == alone["rows"][0]
    assert result["rows"] == [PLAIN | {"ssn": "****6789"}] * 3
    assert count == 3 + of_it


def test_rows_of_ever_other_shapes_are_masked_and_not_all_kept() -> None:
    by = plan()
    rows = [{f"k{number}": number, "ssn": SECRET} for number in range(5000)]
    result, count = masked({"rows": rows}, by)
    assert count == 5000
    assert [row["ssn"] for row in result["rows"]] == ["****6789"] * 5000
    at_rows = by.start.move("rows")[0].element(0, "rows")[0]
    assert 0 < len(at_rows.shapes) <= rules._KEPT_SHAPES
    at_rows.forget()
    assert not at_rows.shapes


def test_a_masked_array_of_any_length_counts_each_element() -> None:
    by = Plan((Obligation("m", "redact", path="$.rows[*]"),), Methods(b"k" * 32))
    assert masked({"rows": []}, by) == ({"rows": []}, 0)
    assert masked({"rows": [PLAIN, None, 1]}, by) == ({"rows": ["[redacted]"] * 3}, 3)
