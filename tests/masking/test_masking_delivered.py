"""Rows that a dialect has found: whatever the service calls a column, it owes what its origins owe."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Obligation, Output, Rows
from sluicegate.masking.body import Masked, Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan

SECRET = "123-45-6789"
LAST4 = Obligation("ids", "last4", frozenset({"ssn"}), dataset="emp")
OWED = (LAST4, Obligation("pay", "redact", frozenset({"salary"}), dataset="emp"))
METHODS = Methods(b"k" * 32)


def out(name: str, *origins: str, copied: bool = False, dataset: str = "emp") -> Output:
    return Output(name, frozenset((dataset, column) for column in origins), copied)


ID, SSN = out("id", "id", copied=True), out("x", "ssn", copied=True)


def send(
    body: bytes, delivery: Delivery | None, owed: tuple[Obligation, ...] = OWED, kind: str = "text/html", **more: Any
) -> Masked:
    headers = ((b"content-type", kind.encode()), *more.get("headers", ()))
    reply = Reply("GET", more.get("status", 200), headers, body)
    return mask(reply, Plan(owed, METHODS), (), 1 << 20, delivery)


def run(document: Any, delivery: Delivery | Rows, owed: tuple[Obligation, ...] = OWED) -> Any:
    told = delivery if isinstance(delivery, Delivery) else Delivery((delivery,))
    return json.loads(send(json.dumps(document).encode(), told, owed).body)


def refused(document: Any, delivery: Delivery | Rows, owed: tuple[Obligation, ...] = OWED) -> str:
    with pytest.raises(Refusal) as caught:
        run(document, delivery, owed)
    assert SECRET not in caught.value.detail
    return caught.value.detail


# -- where rows are, and in which shape ---------------------------------------------------------------------------

ARRAYS = Rows(path="$.data", shape="arrays", columns=(ID, SSN))
OBJECTS = Rows(path="$.rows", columns=(ID, SSN))


def test_arrays_are_masked_by_position() -> None:
    body = {"columns": [{"name": "id"}, {"name": "x"}], "data": [[1, SECRET], [2, None]], "next": "u"}
    assert run(body, ARRAYS) == {**body, "data": [[1, "****6789"], [2, None]]}


def test_objects_are_masked_by_what_their_names_stand_for() -> None:
    assert run({"rows": [{"id": 1, "X": SECRET}]}, OBJECTS) == {"rows": [{"id": 1, "X": "****6789"}]}


def test_a_name_that_no_column_has_may_be_any_column() -> None:
    assert run({"rows": [{"id": 1, "_x1": SECRET}]}, OBJECTS)["rows"] == [{"id": 1, "_x1": "[redacted]"}]


def test_cells_in_objects() -> None:
    rows = Rows(path="$.rows[*].f", shape="one", cell="v", columns=(ID, SSN))
    body = {"rows": [{"f": [{"v": "1"}, {"v": SECRET}]}, {"f": [{"v": "2"}, {"v": None}]}]}
    assert run(body, rows)["rows"] == [{"f": [{"v": "1"}, {"v": "****6789"}]}, {"f": [{"v": "2"}, {"v": None}]}]


def test_cells_in_objects_beside_the_names_of_their_columns() -> None:
    rows = Rows(path="$.rows[*].f", shape="one", cell="v", columns=(ID, SSN))
    schema = {"fields": [{"name": "id", "type": "STRING"}, {"name": "ssn", "type": "STRING"}]}
    body = {"schema": schema, "rows": [{"f": [{"v": "1"}, {"v": SECRET}]}]}
    assert run(body, rows) == {"schema": schema, "rows": [{"f": [{"v": "1"}, {"v": "****6789"}]}]}
    for other in ({"f": [{"v": "1"}, {"v": SECRET}], "g": SECRET}, {"g": {"v": SECRET}}, {"g": {}}):
        with pytest.raises(Refusal):
            run({"schema": schema, "rows": [other]}, rows)


def test_athena_with_its_row_of_names() -> None:
    rows = Rows(path="$.ResultSet.Rows[*].Data", shape="one", cell="VarCharValue", columns=(ID, SSN), header_row=True)

    def body(*lines: list[Any]) -> Any:
        return {
            "ResultSet": {"Rows": [{"Data": [{} if v is None else {"VarCharValue": v} for v in li]} for li in lines]}
        }

    masked = run(body(["id", "x"], ["1", SECRET], ["2", None]), rows)
    assert masked == body(["id", "x"], ["1", "****6789"], ["2", None])
    assert run(body(["id", "_col1"]), rows) == body(["id", "_col1"])
    # A first row that is no row of names is data.
    assert SECRET not in json.dumps(run(body(["1", SECRET], ["2", SECRET]), rows))


def test_dynamodb_attributes_stay_attributes() -> None:
    owed = (*OWED, Obligation("gone", "null", frozenset({"pin"})))
    item = {
        "id": {"N": "1"},
        "ssn": {"S": SECRET},
        "salary": {"N": "1000.50"},
        "pin": {"B": "AAEC"},
        "past": {"L": [{"M": {"ssn": {"S": SECRET}, "year": {"N": "1999"}}}]},
    }
    assert run({"Items": [item], "Count": 1}, Rows(path="$.Items", cell="*"), owed)["Items"] == [
        {
            "id": {"N": "1"},
            "ssn": {"S": "****6789"},
            "salary": {"S": "[redacted]"},
            "pin": {"NULL": True},
            "past": {"L": [{"M": {"ssn": {"S": "****6789"}, "year": {"N": "1999"}}}]},
        }
    ]


def test_the_data_api_keeps_its_fields() -> None:
    rows = Rows(path="$.Records", shape="arrays", cell="*", columns=(ID, SSN, out("salary", "salary")))
    record = [{"longValue": 1}, {"stringValue": SECRET}, {"doubleValue": 1000.5}]
    assert run({"Records": [record]}, rows)["Records"] == [
        [{"longValue": 1}, {"stringValue": "****6789"}, {"stringValue": "[redacted]"}]
    ]


def test_numbers_in_typed_rows_become_null() -> None:
    rows = Rows(path="$.data", shape="arrays", columns=(ID, out("y", "salary")))
    assert run({"data": [[1, 1000.5], [2, "x"]]}, rows)["data"] == [[1, None], [2, "[redacted]"]]


def test_the_rest_of_the_document_is_still_masked_by_name() -> None:
    body = {"data": [[1, SECRET]], "echo": {"ssn": SECRET}, "text": json.dumps({"ssn": SECRET})}
    assert SECRET not in json.dumps(run(body, ARRAYS))


def test_json_inside_cells_is_masked() -> None:
    note = json.dumps({"ssn": SECRET})
    body = {"data": [[note, SECRET], [{"ssn": SECRET}, None], [[{"ssn": SECRET}], None]]}
    assert SECRET not in json.dumps(run(body, ARRAYS))


def test_matrices_in_a_known_column_are_no_unknown_rows() -> None:
    body = {"columns": ["id", "ssn"], "data": [[[[1, 2], [3, 4]], SECRET]]}
    assert run(body, ARRAYS)["data"] == [[[[1, 2], [3, 4]], "****6789"]]


def test_numbers_keep_their_digits() -> None:
    body = b'{"data": [[123456789012345678901234567890, "s"], [1.10, "s"], [1e400, "s"]]}'
    masked = send(body, Delivery((ARRAYS,))).body
    assert b"[123456789012345678901234567890," in masked
    assert b"[1.10," in masked
    assert b"[1e400," in masked


# -- what a column owes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        (out("x", "ssn", copied=True), "****6789"),
        (out("ssn", "SSN", copied=True), "****6789"),
        (out("ssn", "ssn"), "[redacted]"),  # perhaps only made from it
        (out("x", "ssn", "id", copied=True), "[redacted]"),
        (out("ssn", "id", copied=True), "[redacted]"),  # another column under this name
        (out("ssn"), "[redacted]"),  # a text that the client chose
        (Output("x", None), "[redacted]"),
        (out("x", "ssn", copied=True, dataset="EMP"), "****6789"),
        (out("x", "ssn", copied=True, dataset="other"), SECRET),
        (out("x", "id"), SECRET),
        (out("x"), SECRET),
    ],
)
def test_what_a_column_owes(output: Output, wanted: str) -> None:
    assert run({"data": [[SECRET]]}, replace(ARRAYS, columns=(output,)))["data"] == [[wanted]]


def test_the_strictest_mask_of_all_origins_wins() -> None:
    owed = (*OWED, Obligation("none", "null", frozenset({"pin"})))
    output = out("x", "ssn", "pin", "id")
    assert run({"data": [[SECRET]]}, replace(ARRAYS, columns=(output,)), owed)["data"] == [[None]]


def test_an_obligation_of_no_dataset_means_every_dataset() -> None:
    owed = (Obligation("ids", "redact", frozenset({"ssn"})),)
    rows = replace(ARRAYS, columns=(out("x", "ssn", dataset="other"),))
    assert run({"data": [[SECRET]]}, rows, owed)["data"] == [["[redacted]"]]


def test_pseudonyms_join_under_another_name() -> None:
    owed = (Obligation("ids", "hmac", frozenset({"ssn"}), dataset="emp"),)
    one = run({"data": [[SECRET]]}, replace(ARRAYS, columns=(out("x", "ssn", copied=True),)), owed)["data"]
    two = run({"rows": [{"ssn": SECRET}]}, Delivery(), owed)["rows"]
    assert one[0][0] == two[0]["ssn"]
    assert one[0][0].startswith("h1.")


def test_paths_of_masks_reach_into_delivered_rows() -> None:
    owed = (Obligation("p", "redact", path="$.rows[0].id"), LAST4)
    body = {"rows": [{"id": 1, "x": SECRET}, {"id": 2, "x": SECRET}]}
    assert run(body, OBJECTS, owed)["rows"] == [{"id": "[redacted]", "x": "****6789"}, {"id": 2, "x": "****6789"}]


@pytest.mark.parametrize("path", ["$", "$.rows", "$.rows[*]", "$..rows", "$.*"])
def test_a_mask_on_the_rows_themselves_takes_them_away(path: str) -> None:
    owed = (Obligation("p", "redact", path=path), LAST4)
    assert "7" not in json.dumps(run({"rows": [{"id": 7, "x": SECRET}]}, OBJECTS, owed))


# -- what does not fit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        [[1]],
        [[1, SECRET, 3]],
        [[1, SECRET], [SECRET]],
        [[]],
        [{"id": SECRET}],
        [SECRET],
        [[1, SECRET], None],
        {"a": [1, SECRET]},
        SECRET,
        0,
    ],
)
def test_rows_that_do_not_fit_their_columns_are_refused(data: Any) -> None:
    refused({"data": data}, ARRAYS)


def test_no_rows_at_all() -> None:
    for body in ({"data": None}, {"data": []}, {}, {"error": {"message": "no"}}):
        assert run(body, ARRAYS) == body


def test_rows_elsewhere_than_the_dialect_says_are_refused() -> None:
    refused({"payload": [[1, SECRET]]}, ARRAYS)


def test_arrays_that_nothing_describes_are_refused() -> None:
    refused({"data": [[1, SECRET]], "preview": [[1, SECRET]]}, ARRAYS)
    refused({"data": [[1, SECRET]], "columns": ["a", "ssn", "c"]}, Rows(path="$.data", shape="arrays"))


def test_an_unreadable_delivery_is_refused_with_its_reason() -> None:
    assert "spooled" in refused({"rows": []}, Delivery(unreadable="they are spooled"))


@pytest.mark.parametrize("body", [b"", b" "])
def test_an_unreadable_delivery_without_a_body(body: bytes) -> None:
    if body:
        with pytest.raises(Refusal):
            send(body, Delivery(unreadable="x"))
    else:
        assert send(body, Delivery(unreadable="x")).body == b""


@pytest.mark.parametrize("kind", ["text/html; charset=utf-16", "text/plain; charset=latin-1; charset=utf-8"])
def test_text_in_another_charset_is_refused(kind: str) -> None:
    with pytest.raises(Refusal):
        send(b"{}", Delivery((ARRAYS,)), kind=kind)


# -- leaks and headers --------------------------------------------------------------------------------------------


def test_leaks_say_nothing_and_keep_their_type() -> None:
    body = {"data": [[1, SECRET]], "stats": {"max": SECRET}, "facets": [SECRET], "token": SECRET, "n": 5, "ok": 1}
    told = Delivery((ARRAYS,), ("$.stats", "$.facets", "$.token", "$.n", "$.missing"))
    assert run(body, told) == {
        "data": [[1, "****6789"]],
        "stats": {},
        "facets": [],
        "token": "[redacted]",
        "n": None,
        "ok": 1,
    }


def test_headers_that_may_carry_values_are_taken_out() -> None:
    sent = ((b"X-ClickHouse-Summary", SECRET.encode()), (b"x-id", b"1"))
    masked = send(b'{"data": []}', Delivery((ARRAYS,), headers=("x-clickhouse-summary",)), headers=sent)
    assert SECRET.encode() not in b"".join(value for _, value in masked.headers)
    assert (b"x-id", b"1") in masked.headers


def test_the_exposure_says_what_left() -> None:
    exposure = send(json.dumps({"data": [[1, SECRET], [2, SECRET]]}).encode(), Delivery((ARRAYS,))).exposure
    assert exposure.rows == 2
    assert exposure.columns == {"id": "clear", "x": "masked", "ssn": "masked"}
    assert exposure.masks == {"ids": 2}


# -- lines --------------------------------------------------------------------------------------------------------


def test_lines_of_objects_and_of_arrays() -> None:
    objects = send(f'{{"id":1,"x":"{SECRET}"}}\n{{"id":2,"x":null}}\n'.encode(), Delivery((Rows(columns=(ID, SSN)),)))
    assert objects.body == b'{"id":1,"x":"****6789"}\n{"id":2,"x":null}\n'
    told = Delivery((Rows(shape="arrays", columns=(ID, SSN)),))
    assert send(f'[1,"{SECRET}"]\n[2,"{SECRET}"]\n'.encode(), told).body == b'[1,"****6789"]\n[2,"****6789"]\n'
    assert send(f'[1,"{SECRET}"]'.encode(), told).body == b'[1,"****6789"]\n'
    assert json.loads(send(f'[[1,"{SECRET}"]]'.encode(), told).body) == [[1, "****6789"]]


def test_lines_with_a_row_of_names() -> None:
    told = Delivery((Rows(shape="arrays", header_row=True),))
    assert send(f'["id","ssn"]\n[2,"{SECRET}"]\n'.encode(), told).body == b'["id","ssn"]\n[2,"****6789"]\n'


@pytest.mark.parametrize(
    "body", [b'{"id":1}\n[1]\n', b'{"id":1}\n{"x"\n', b'{"id":1}\nnull\n', b'{"id":1}\n{"x":"\xff"}\n']
)
def test_lines_that_are_no_rows_are_refused(body: bytes) -> None:
    with pytest.raises(Refusal):
        send(body, Delivery((Rows(columns=(ID, SSN)),)))


def test_declared_lines_are_masked_by_name() -> None:
    body = f'{{"id":1,"ssn":"{SECRET}"}}\n\n{{"a":{{"ssn":"{SECRET}"}}}}\n'.encode()
    masked = send(body, None, kind="application/x-ndjson")
    assert masked.body == b'{"id":1,"ssn":"****6789"}\n{"a":{"ssn":"****6789"}}\n'
    sequence = b"".join(b"\x1e" + line + b"\n" for line in body.split(b"\n") if line)
    assert send(sequence, None, kind="application/json-seq").body == b'\x1e{"id":1,"ssn":"****6789"}\n' + (
        b'\x1e{"a":{"ssn":"****6789"}}\n'
    )


@pytest.mark.parametrize("body", [b'["id","ssn"]\n[1,"123-45-6789"]\n', b'["ssn"]\n["123-45-6789"]\n'])
def test_declared_lines_of_arrays_say_no_columns_and_are_refused(body: bytes) -> None:
    with pytest.raises(Refusal):
        send(body, None, kind="application/x-ndjson")


# -- compared with a naive implementation -------------------------------------------------------------------------

VALUES = st.one_of(st.integers(), st.text('ab12 "\\é', max_size=6), st.none(), st.booleans())


@given(st.data())
def test_as_a_naive_masking_would(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 5))
    owes = [data.draw(st.booleans()) for _ in range(width)]
    columns = tuple(out(f"c{i}", "salary" if owes[i] else "id") for i in range(width))
    table = data.draw(st.lists(st.lists(VALUES, min_size=width, max_size=width), max_size=6))

    def hide(value: Any) -> Any:
        return None if isinstance(value, int) else "[redacted]"

    wanted = [[hide(v) if owes[i] else v for i, v in enumerate(row)] for row in table]
    rows = Rows(path="$.data", shape="arrays", columns=columns)
    assert run({"data": table}, rows)["data"] == wanted
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in table)
    if len(table) > 1:
        masked = send(lines, Delivery((replace(rows, path="$"),))).body
        assert [json.loads(line) for line in masked.splitlines()] == wanted
    named = [{f"c{i}": v for i, v in enumerate(row)} for row in table]
    objects = run({"data": named}, replace(rows, shape="objects"))["data"]
    assert objects == [{f"c{i}": "[redacted]" if owes[i] else v for i, v in enumerate(row)} for row in table]
    # Keys in any order, and rows of different keys.
    shuffled = [dict(reversed(list(row.items()))) if i % 2 else row for i, row in enumerate(named)]
    assert run({"data": shuffled}, replace(rows, shape="objects"))["data"] == objects
