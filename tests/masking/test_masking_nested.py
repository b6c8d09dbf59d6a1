"""JSON inside strings, and arrays without names: the places where a walk over keys sees nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.exchange import Method, Obligation
from sluicegate.masking.json_body import Unfit, parse, serialise
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.walk import mask_document

SECRET = "123-45-6789"
SSN = (Obligation("m", "redact", frozenset({"ssn"})),)


def run(document: Any, obligations: tuple[Obligation, ...] = SSN) -> Any:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    result, _ = mask_document(parse(data), Plan(obligations, Methods(b"k" * 32)), data)
    return json.loads(serialise(result))


def wrap(document: Any, times: int) -> Any:
    for _ in range(times):
        document = {"inner": json.dumps(document)}
    return document


# -- strings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2, 3])
def test_json_in_strings_is_masked(times: int) -> None:
    out = run(wrap({"ssn": SECRET, "n": 12345678901234567890123}, times))
    assert SECRET not in json.dumps(out)
    for _ in range(times):
        out = json.loads(out["inner"])
    assert out == {"ssn": "[redacted]", "n": 12345678901234567890123}


def test_json_nested_deeper_is_refused() -> None:
    with pytest.raises(Unfit, match="too deeply"):
        run(wrap({"ssn": SECRET}, 4))


@pytest.mark.parametrize(
    "text",
    [
        '{"ssn": "123-45-6789"}',
        '  \n {"ssn": "123-45-6789"} ',
        '\ufeff{"ssn": "123-45-6789"}',
        '[[{"ssn": "123-45-6789"}]]',
        '{"\\u0073sn": "123-45-6789"}',
        '{"ssn": "123-45-6789", "ssn": 1}',
        '{"a": {"ssn": "123-45-6789"}, "a": 2}',
        json.dumps('{"ssn": "123-45-6789"}'),
        '{"columns": ["ssn"], "rows": [["123-45-6789"]]}',
    ],
)
@pytest.mark.parametrize("place", ["member", "element", "cell", "root"])
def test_no_way_to_write_it_gets_through(text: str, place: str) -> None:
    document = {
        "member": {"a": text},
        "element": [text],
        "cell": {"columns": ["id", "ssn"], "rows": [[text, "x"]]},
        "root": text,
    }[place]
    try:
        out = run(document)
    except Unfit:  # arrays of arrays beside the name of the column: refused, since nobody knows what they are
        assert text.startswith("[[")
        assert place == "cell"
    else:
        assert SECRET not in json.dumps(out)


@pytest.mark.parametrize(
    "text",
    [
        '{"ssn": "123-45-6789", "x": NaN}',
        '{"ssn": "123-45-6789"}\n{"ssn": 1}',
        '{"a": 1}\n{"ssn": "123-45-6789"}',
        '[1] {"ssn": "123-45-6789"}',
        '{"ssn": "123-45-6789"} trailing',
        '{"ssn": "123-\n45-6789"}',
        '{"ssn": "123-45-6789\\ud800"}',
        '{"a": "{\\"ssn\\": 1, \\"b\\": \\"\\ud800\\"}"}',
        '{"ssn": "123-45-6789", "na',
        '{"\\u0073sn": "123-45-6789", "na',
        '{"id": 1, "SSN" : "123-45-6789",}',
        '[{"id": 1}, {"ssn": "123-45-6789"}, {"id"',
        '{"id": 1} and {"ssn": "123-45-6789"}',
        '"ssn": "123-45-6789"',
        '"{\\"ssn\\": \\"123-45-6789\\", ',
        '{"columns": ["id", "ssn"], "rows": [[1, "123-45-6789"], [2',
        "{'id': 1, 'ssn': '123-45-6789'}",
        "[{id: 1, ssn: '123-45-6789'}]",
        '{"a": {/* of */ "ssn": "123-45-6789"}}',
        '[1, 2, {"columns": ["ssn"], "rows": [["123-45-6789"',
        '[None, {"ssn", "123-45-6789"}]',
        '[info] {"ssn": "123-45-6789"}',
    ],
)
@pytest.mark.parametrize("method", ["redact", "hmac"])
def test_json_that_only_lax_readers_take_is_refused(text: str, method: Method) -> None:
    with pytest.raises(Unfit):
        run({"notes": text}, (Obligation("m", method, frozenset({"ssn"})),))


@pytest.mark.parametrize(
    "text",
    [
        "[note] call back",
        "{}",
        "[1, 2]",
        '{ "a" : 1 }',
        '"quoted" words',
        "{not json",
        " ",
        "[",
        '"',
        "[1] see ssn",
        '"ssn" is no column of it',
        '"ssn":',
        "{name} has no ssn",
        "[note] one, ssn: asked for",
        '[info] the column "ssn" is set',
        '[2026-01-31 12:30:01] "ssn" is missing',
        '[12] "ssn" is missing',
        '[link](https://example.org) "ssn" here',
        "{ 'ssn } is no name",
        "",
    ],
)
def test_strings_without_masked_columns_stay_as_they_are(text: str) -> None:
    assert run({"notes": text}) == {"notes": text}


def test_descending_paths_reach_into_strings() -> None:
    owed = (Obligation("m", "redact", path="$.payload..ssn"),)
    out = run({"payload": json.dumps({"deep": [{"ssn": SECRET}]}), "ssn": "kept"}, owed)
    assert SECRET not in json.dumps(out)
    assert out["ssn"] == "kept"


@pytest.mark.parametrize(
    ("path", "text", "refused"),
    [
        ("$.notes.ssn", '{"ssn": "123-45-6789", "na', True),
        ("$..who.*", '{"who": {"id": "123-45-6789", "na', True),
        ("$.notes[*]", '[1, 2, "123-45-6789", "na', True),
        ("$.other.ssn", '{"ssn": "123-45-6789", "na', False),
        ("$..who.*", '{"id": "123-45-6789", "na', False),
    ],
)
def test_broken_json_is_refused_where_a_path_that_is_open_may_lead_into_it(path: str, text: str, refused: bool) -> None:
    owed = (Obligation("m", "redact", path=path),)
    if not refused:
        assert run({"notes": text}, owed) == {"notes": text}
        return
    with pytest.raises(Unfit):
        run({"notes": text}, owed)


def test_long_texts_that_are_nearly_json_take_no_quadratic_time() -> None:
    for text in (
        '{"' * 100_000,
        "['a" * 100_000,
        "{" * 300 + "a," * 100_000,
        '"' + "b '" * 100_000,
        '{"a' + "\\" * 200_000,
    ):
        assert run({"notes": text}) == {"notes": text}


def test_many_duplicate_keys_take_no_quadratic_time() -> None:
    inner = "{" + ",".join(f'"k{i}":1' for i in range(20_000)) + ',"k0":2}'
    assert run({"notes": inner}) == {"notes": inner}


@given(st.text(alphabet='{}[]":,\\ ns1', max_size=30))
def test_any_text_is_kept_or_refused(text: str) -> None:
    try:
        out = run({"notes": text})["notes"]
    except Unfit:
        return
    if "ssn" not in text:
        assert out == text or json.loads(out) == json.loads(text)


# -- arrays beside column names -----------------------------------------------------------------------------------

ROW = [1, SECRET, "x"]


@pytest.mark.parametrize(
    "document",
    [
        {"columns": ["id", "ssn", "c"], "rows": [ROW, ROW]},
        {"rows": [ROW], "columns": ["id", "SSN", "c"]},
        {"columns": [{"name": "id"}, {"name": "ssn"}, {"name": "c"}], "data": [ROW]},
        {"columns": [{"label": "id"}, {"type": "text", "label": "ssn"}, {"x": "c"}], "data": [ROW]},
        {"schema": {"fields": [{"name": "id"}, {"name": "ssn"}, {"name": "c"}]}, "data": [ROW]},
        {"anything": ["id", "s\u200bsn", "c"], "else": [ROW], "index": [0]},
        {"data": {"rowtype": [{"name": "ID"}, {"name": "SSN"}, {"name": "C"}], "rowset": [ROW]}},
        [{"columns": ["id", "ssn", "c"], "rows": [ROW]}],
    ],
)
def test_columns_are_masked_by_position(document: Any) -> None:
    out = json.dumps(run(document))
    assert SECRET not in out
    assert '[1, "[redacted]", "x"]' in out


@pytest.mark.parametrize(
    "document",
    [
        {"columns": ["id", "ssn"], "rows": [ROW]},
        {"columns": ["id", "ssn", "c"], "rows": [ROW, [1, "x"]]},
        {"columns": ["id", "ssn", "c"], "rows": [ROW, SECRET]},
        {"columns": ["id", "ssn", "c"], "names": ["ssn", "x"], "rows": [ROW]},
        {"columns": ["ssn"], "rows": [SECRET]},
        {"columns": ["id", "ssn"], "rows": [1, SECRET]},
        {"schema": {"fields": [{"name": "ssn"}]}, "rows": [{"f": [{"v": SECRET}]}]},
        {"meta": {"columns": ["id", "ssn", "c"]}, "result": {"rows": [ROW]}},
        {"columns": {"id": 0, "ssn": 1, "c": 2}, "rows": [ROW]},
        [["id", "ssn", "c"], ROW],
        {"columns": [["id", "int"], ["ssn", "text"], ["c", "text"]], "rows": [ROW]},
        {"rows": [{"columns": ["ssn"]}, [SECRET]]},
        {"head": '{"columns": ["id", "ssn", "c"]}', "rows": [ROW]},
        {"fields": "id,ssn,c", "rows": [ROW]},
        {"head": "id; ssn; c", "rows": [ROW]},
        {"head": "id\tssn\tc", "rows": [ROW]},
        {"at": {"id": 0, "ssn": 1, "c": 2}, "rows": [ROW]},
        {"at": {"c": 3, "ssn": 2, "id": 1}, "rows": [ROW]},
    ],
)
def test_where_nobody_knows_which_column_is_where_it_is_refused(document: Any) -> None:
    with pytest.raises(Unfit):
        run(document)


@pytest.mark.parametrize(
    "document",
    [
        {"columns": ["id", "c"], "rows": [[1, "x"]]},
        {"points": [[1, 2], [3, 4]], "name": "track"},
        {"dataset": "customers", "rows": 10000, "columns": ["id", "ssn"]},
        {"columns": ["id", "ssn"], "rows": [{"id": 1}, {}]},
        {"columns": ["id", "ssn"], "rows": []},
        {"columns": [], "rows": [[]]},
        [[]],
        {"columns": ["id", "ssn"], "links": [{"rel": "next"}]},
        {"points": [[1, 2], [3, 4]], "note": "nothing, or the ssn, is in it"},
        {"points": [[1, 2], [3, 4]], "count": {"a": 0, "b": 1}},
    ],
)
def test_what_holds_no_masked_column_passes(document: Any) -> None:
    assert run(document) == document


def test_position_and_path_on_one_cell_give_the_stricter_mask() -> None:
    owed = (
        Obligation("a", "last4", frozenset({"ssn"})),
        Obligation("b", "redact", path="$.rows[*][1]"),
        Obligation("c", "null", path="$.rows[*][0]"),
    )
    out = run({"columns": ["id", "ssn", "c"], "rows": [ROW]}, owed)
    assert out["rows"] == [[None, "[redacted]", "x"]]


def test_cells_are_walked_too() -> None:
    out = run({"columns": ["id", "ssn", "c"], "rows": [[1, SECRET, {"deep": {"ssn": SECRET}}]]})
    assert SECRET not in json.dumps(out)
