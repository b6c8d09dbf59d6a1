"""A JSON document that passes in pieces leaves as the whole one would, or is refused; never something in between."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.exchange import Obligation
from sluicegate.mask_method import Manner
from sluicegate.masking import alike, document_passing, json_ends
from sluicegate.masking.body import Declared, mask_plain
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.json_passing import JsonPassing
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

METHODS = Methods(b"k" * 32)
BY_NAME = Plan(
    (Obligation("ids", "last4", frozenset({"ssn"})), Obligation("mail", "drop", frozenset({"email"}))), METHODS
)
BY_PATH = Plan(
    (
        Obligation("ids", "last4", path="$..ssn"),
        Obligation("few", "redact", path="$.rows[1:6:2].note"),
        Obligation("some", "null", path="$[0:3].email"),
    ),
    METHODS,
)
SAID = Declared("", "application/json", False)
SSN = "536-90-4399"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(document_passing, "OPENS", 0)
    monkeypatch.setattr(document_passing, "ROW_OPENS", 120)


def passed(body: bytes, cuts: list[int], plan: Plan = BY_NAME, tally: Tally | None = None) -> bytes:
    records = JsonPassing(plan, Tally() if tally is None else tally)
    pieces = [body[one:other] for one, other in pairwise([0, *cuts, len(body)])]
    return b"".join([*map(records.feed, pieces), records.end()])


def whole(body: bytes, plan: Plan = BY_NAME) -> bytes:
    return mask_plain(body, SAID, plan, None, 1 << 20, 200)[0]


ROW = {"id": 12345678901234567890123, "ssn": SSN, "email": "a@b.org", "n": 1.10, "in": {"ssn": [SSN], "x": ']},{"a'}}
DOCUMENTS = {
    "array": [ROW, {**ROW, "id": 2}, {}, {**ROW, "id": 3}],
    "rows": {"rows": [ROW] * 4, "next": None, "ssn": SSN, "total": 4},
    "deep": {"result": {"status": "ok", "chunk": {"data_array": [ROW] * 3, "row_count": 3}}, "more": [1, {}, "x"]},
    "columns": {"columns": ["id", "ssn"], "rows": [[1, SSN], [2, SSN], [3, SSN]], "n": 3},
    "named": {"schema": {"fields": [{"name": "ssn"}, {"name": "id"}]}, "data": [[SSN, 1]] * 5},
    "nothing owed": {"columns": ["id", "city"], "rows": [[1, "x"], [2, "y"], [3, ["z"]]]},
    "list behind named rows": {"data": [ROW] * 3, "columns": ["id", "ssn", "email"]},
    "texts": {"notes": ["a", "b,c", 'd"],[', ""], "numbers": [1, -2.50, 1e300, True, None]},
    "json in text": [{"text": json.dumps(ROW)}, {"text": json.dumps([ROW])}] * 3,
    "escapes": [{"\u0073sn": SSN, "ｓｓｎ": SSN, "x": "\\"}] * 3,
    "map": {str(number): ROW for number in range(5)},
    "rows in rows": [{"day": 1, "rows": [ROW] * 3}, {"day": 2, "rows": [ROW] * 2}],
    "empty": {"rows": [], "other": {}, "last": [[]][0]},
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("plan", [BY_NAME, BY_PATH], ids=["names", "paths"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_split_position_gives_the_same(name: str, plan: Plan, indent: int | None) -> None:
    body = json.dumps(DOCUMENTS[name], indent=indent).encode()
    expected = whole(body, plan)
    for place in range(len(body) + 1):
        assert passed(body, [place], plan) == expected, place
    assert passed(body, list(range(1, len(body))), plan) == expected
    assert plan is BY_PATH or SSN.encode() not in expected


@pytest.mark.parametrize("name", ["array", "rows", "columns", "named", "nothing owed"])
def test_what_is_said_of_it_is_the_same(name: str) -> None:
    body, tally = json.dumps(DOCUMENTS[name]).encode(), Tally()
    passed(body, [20, 90, 200][: len(body) // 70], BY_NAME, tally)
    assert tally.exposure() == mask_plain(body, SAID, BY_NAME, None, 1 << 20, 200)[1]


_NAMES = st.sampled_from(["ssn", "email", "rows", "data", "columns", "a", "id"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | _NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(_VALUES, st.data(), st.sampled_from([BY_NAME, BY_PATH]))
def test_any_document_cut_anywhere_is_masked_alike_or_refused(value, data, plan) -> None:
    body = json.dumps(value, indent=data.draw(st.sampled_from([None, 1]))).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    try:
        got = passed(body, cuts, plan)
    except Unfit:
        return
    assert got == whole(body, plan)


_ROWS = st.lists(st.dictionaries(st.sampled_from(["ssn", "email", "id", "note"]), st.text(max_size=6) | st.integers()))


@given(_ROWS, st.data(), st.booleans())
def test_plain_rows_always_pass(rows, data, top) -> None:
    body = json.dumps(rows if top else {"rows": rows, "n": 1}, ensure_ascii=data.draw(st.booleans())).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    assert passed(body, cuts) == whole(body)


@given(st.binary(max_size=40) | st.text('[]{}:,"\\ 1aé', max_size=30).map(str.encode), st.lists(st.integers(0, 30)))
def test_what_is_no_json_never_ends_well(body: bytes, cuts: list[int]) -> None:
    try:
        whole(body)
    except Unfit:
        with pytest.raises(Unfit):
            passed(body, sorted(min(cut, len(body)) for cut in cuts))


@pytest.mark.parametrize("by", ["name", "path"])
@pytest.mark.parametrize("top", [True, False])
def test_rows_that_are_written_alike_are_masked_in_their_text(monkeypatch, top: bool, by: str) -> None:
    owed = {"columns": frozenset({"ssn"})} if by == "name" else {"path": "$..ssn"}
    plan = Plan((Obligation("ids", "last4", **owed),), METHODS)
    monkeypatch.setattr(alike, "LEAST", 0)
    rows = [{"id": n, "ssn": SSN, "note": "a, b"} for n in range(9)]
    found = [*rows, {"ssn": SSN, "id": 1}, {"in": [{"ssn": SSN}]}, *rows, {"text": json.dumps(ROW), "n": 1}]
    body = json.dumps(found if top else {"rows": found, "n": 1}).encode()
    expected, exposure = mask_plain(body, SAID, plan, None, 1 << 20, 200)
    as_written = 0
    for place in range(len(body) + 1):
        tally = Tally()
        got = passed(body, [place], plan, tally)
        assert json.loads(got) == json.loads(expected) and SSN.encode() not in got, place
        assert tally.exposure() == exposure, place
        as_written += b'"id": 1, ' in got
    assert as_written > len(body) // 3
    for place in range(len(body)):
        with pytest.raises(Unfit):
            passed(body[:place], [place // 2], plan)


def row_of(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "body",
    [
        b'{"rows": [%s], "rows": [%s]}' % (row_of(ROW), row_of(ROW)),
        b'{"columns": ["id", "x"], "rows": [[1, "%s"]], "columns": ["id", "ssn"]}' % SSN.encode(),
        b'{"rows": [%s]} {"ssn": "%s"}' % (row_of(ROW), SSN.encode()),
        b'{"rows": [%s' % row_of(ROW),
        b'{"rows": [%s,]}' % row_of(ROW),
        b"[1 2]",
        b"[1,,2]",
        b'{"a" 1}',
        b'{"a": 1 "b": 2}',
        b'{"a": [1}, "b": 2]',
        b"{,}",
        b"]",
        b"",
        b'"a text"',
        b'\xef\xbb\xbf{"a": 1}',
        b'["\xff"]',
        b"[NaN]",
        b"[" * 300 + b"]" * 300,
    ],
)
def test_what_is_broken_or_said_twice_is_refused(body: bytes) -> None:
    for place in range(len(body) + 1):
        with pytest.raises(Unfit):
            passed(body, [place])


@pytest.mark.parametrize(
    "value",
    [
        {"rows": [[1, SSN]], "columns": ["id", "ssn"]},
        {"rows": [{"v": SSN}], "columns": ["ssn"]},
        {"rows": [{"f": [{"v": SSN}]}], "schema": {"fields": [{"name": "ssn"}]}},
        {"rows": [SSN], "columns": ["ssn"]},
        {"a": [[SSN]], "b": "x"},
        [[SSN]],
        [{"a": [[SSN]]}, ["ssn"]],
        {"columns": ["id"], "rows": [[1, SSN]]},
        {"title": "ssn", "columns": ["x", "y"], "rows": [[1, SSN]]},
        {"columns": ["ssn"], "rows": [{"v": SSN}]},
        {"columns": ["ssn"], "rows": [SSN]},
    ],
)
def test_rows_that_do_not_say_what_they_hold_do_not_leave_before_somebody_does(value: object) -> None:
    body = json.dumps(value).encode()
    for place in range(len(body) + 1):
        records, left = JsonPassing(BY_NAME, Tally()), b""
        with pytest.raises(Unfit):
            for piece in (body[:place], body[place:]):
                left += records.feed(piece)
            left += records.end()
        assert SSN.encode() not in left, place


def test_a_second_list_of_columns_behind_the_rows_ends_the_response() -> None:
    body = json.dumps({"columns": ["id", "ssn"], "rows": [[1, SSN]] * 3, "names": ["ssn", "id"]}).encode()
    with pytest.raises(Unfit, match="behind its rows"):
        passed(body, [len(body) - 9])
    same = json.dumps({"columns": ["id", "ssn"], "rows": [[1, SSN]] * 3, "names": ["x", "ssn"]}).encode()
    assert passed(same, [len(same) - 9]) == whole(same)


@pytest.mark.parametrize("member", ["data", "other"])
def test_rows_with_many_shapes_are_not_forgotten(member: str) -> None:
    value = {member: [{f"k{number}": 1} for number in range(200)], "columns": ["ssn"]}
    body = json.dumps(value).encode()
    if member == "data":
        with pytest.raises(Unfit):
            passed(body, [50])
    else:
        assert passed(body, [50]) == whole(body)


def test_a_value_that_refuses_refuses_in_passing_too() -> None:
    plan = Plan((Obligation("ids", "redact", frozenset({"ssn"}), manner=Manner(on_match="refuse")),), METHODS)
    body = json.dumps([{"id": 1}, {"id": 2}, {"ssn": SSN}]).encode()
    with pytest.raises(Unfit, match="ids"):
        passed(body, [30], plan)


def test_a_value_that_is_too_long_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(document_passing, "LONGEST", 1000)
    for body in (b'["' + b"x" * 2000, b'{"ssn": [' + b"1," * 1000, b'{"columns": [' + b"1," * 1000, b"[" + b"1" * 2000):
        with pytest.raises(Unfit, match="too long"):
            passed(body, list(range(0, len(body), 50)))


def test_memory_is_that_of_a_row() -> None:
    records = JsonPassing(BY_NAME, Tally())
    piece = b",".join([row_of(ROW)] * 50)
    records.feed(b"[")
    for number in range(2000):
        assert len(records.feed((b"," if number else b"") + piece)) > 100
        assert len(records._rest) < 10_000
    records.feed(b"]")
    assert records.end() == b""


class _Reading:
    """A pattern that adds up how many bytes it was given to look at."""

    def __init__(self, pattern: Any) -> None:
        self._pattern = pattern
        self.bytes = 0

    def match(self, data: bytes, at: int = 0) -> Any:
        found = self._pattern.match(data, at)
        self.bytes += (len(data) if found is None else found.end()) - at
        return found

    def finditer(self, data: bytes, at: int) -> Any:
        for found in self._pattern.finditer(data, at):
            self.bytes += found.end() - found.start()
            if found[0] == b'"':  # it had no end
                self.bytes += len(data) - found.end()
            yield found


LONG = 'x\\\\" ' * 1500
VALUES_OF = [{"n": 1, "a": LONG}, [{"a": LONG}], [LONG, LONG], {"a": {"b": {"c": [LONG, {"d": LONG}]}}}, {LONG: 1}]


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("document", VALUES_OF)
def test_what_waits_for_its_end_is_not_read_again_with_every_piece(monkeypatch, document, size: int) -> None:
    readers = [_Reading(getattr(json_ends, name)) for name in ("_PARTS", "_LETTERS", "_FRONT")]
    for name, reader in zip(("_PARTS", "_LETTERS", "_FRONT"), readers, strict=True):
        monkeypatch.setattr(json_ends, name, reader)
    looked = _Reading(alike._MEMBER)
    monkeypatch.setattr(alike, "_MEMBER", looked)
    monkeypatch.setattr(alike, "LEAST", 16)
    body = json.dumps(document).encode()
    assert passed(body, list(range(size, len(body), size))) == whole(body)
    assert sum(reader.bytes for reader in [*readers, looked]) < 12 * len(body)
