"""CSV and TSV: every way of writing them, and every way of getting a value past by writing them oddly."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Obligation, Output, Rows
from sluicegate.mask_method import Manner
from sluicegate.masking.body import Masked, Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan

SECRET = "123-45-6789"
METHODS = Methods(b"k" * 32)
OWED = (Obligation("ids", "last4", frozenset({"ssn"})),)
ID, SSN = Output("id", frozenset({("emp", "id")}), True), Output("x", frozenset({("emp", "ssn")}), True)
COLUMNS = Rows("csv", columns=(ID, SSN))
HEADED = replace(COLUMNS, header_row=True)


def send(
    body: bytes | str, rows: Rows | None = None, kind: str = "text/csv", owed: tuple[Obligation, ...] = OWED
) -> Masked:
    body = body.encode() if isinstance(body, str) else body
    told = None if rows is None else Delivery((rows,))
    return mask(Reply("GET", 200, ((b"content-type", kind.encode()),), body), Plan(owed, METHODS), (), 1 << 22, told)


def text(*args: Any, **how: Any) -> str:
    return send(*args, **how).body.decode()


def refused(*args: Any, **how: Any) -> str:
    with pytest.raises(Refusal) as caught:
        send(*args, **how)
    assert SECRET not in caught.value.detail
    return caught.value.detail


# -- by name ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("between", [",", ";", "|", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_by_the_names_in_the_first_row(between: str, end: str, last: str, bom: str) -> None:
    lines = ["id,ssn,note", f"007,{SECRET},1.10", f"1e5,{SECRET},"]
    body = bom + (end.join(lines) + (end if last else "")).replace(",", between)
    assert text(body) == body.replace(SECRET, "****6789")


@pytest.mark.parametrize("name", ["SSN", " ssn", '"ssn"', "\uff53sn", "s\u200bsn", "emp.ssn"])
def test_names_are_compared_in_their_normal_form(name: str) -> None:
    assert SECRET not in text(f"id,{name}\n1,{SECRET}\n")


def test_quoted_values() -> None:
    rows = [["id", "ssn", "note"], ["1", SECRET, 'a "b", c'], ["2", 'x,"y"\n' + SECRET, "line\r\nline"], ["", "", "z"]]
    sink = io.StringIO()
    csv.writer(sink, quoting=csv.QUOTE_ALL).writerows(rows)
    masked = list(csv.reader(io.StringIO(text(sink.getvalue()), newline="")))
    assert masked == [rows[0], ["1", "****6789", 'a "b", c'], ["2", "****6789", "line\r\nline"], ["", "****", "z"]]


def test_a_first_row_without_an_owed_name_may_be_a_row_of_values() -> None:
    assert "names" in refused(f"1,{SECRET}\n2,{SECRET}\n")
    refused("id,name\n1,Ann\n")
    assert text("id,name\n1,Ann\n", kind="text/csv; header=present") == "id,name\n1,Ann\n"


def test_a_name_that_shows_in_another_reading_is_refused() -> None:
    refused(f"id;ssn,name\n1;{SECRET},Ann\n")
    refused(f"id;ssn,name\n1;{SECRET},Ann\n", replace(COLUMNS, columns=None, header_row=True))
    assert SECRET not in text(f"id;ssn;a,b\n1;{SECRET};c,d\n")


@pytest.mark.parametrize(
    "body",
    [
        f'id,ssn\n1,"{SECRET}\n',
        f'id,ssn\n1,"{SECRET}"x\n',
        f'id,ssn\n1,x"{SECRET}"\n',
        f"id,ssn\n1,{SECRET},3\n",
        f"id,ssn\n{SECRET}\n",
        f"id,ssn\n\n1,{SECRET}\n",
        f"id,ssn\r1,{SECRET}\r",
        f"id,ssn\n1,{SECRET}\r\n",
        f"id,ssn\n1\r,{SECRET}\n",
        f'id,ssn\n"a\\",b",{SECRET}\n',
        f'id,note,ssn\n1,"a\\",{SECRET},"x"\n',
        f"id,ssn\n1,\0{SECRET}\n",
        "\ufeff",
        " ",
    ],
)
def test_rows_that_can_be_read_in_two_ways_are_refused(body: str) -> None:
    refused(body)


@pytest.mark.parametrize(
    "body", [b"id,ssn\n1,\xff\n", "id,ssn\n1,2\n".encode("utf-16-le"), b"PAR1", b"{}", b"\x1f\x8b\0"]
)
def test_bytes_that_are_no_csv_are_refused(body: bytes) -> None:
    refused(body)


def test_another_charset_is_refused() -> None:
    refused(b"id,ssn\n1,2\n", kind="text/csv; charset=latin-1")


def test_a_header_alone() -> None:
    assert text("id,ssn\n") == "id,ssn\n"
    assert text("id,ssn") == "id,ssn"


def test_json_in_a_value_is_masked() -> None:
    sink = io.StringIO()
    csv.writer(sink).writerows([["id", "note", "ssn"], ["1", json.dumps({"ssn": SECRET, "n": 1}), ""]])
    (_, row) = csv.reader(io.StringIO(text(sink.getvalue())))
    assert json.loads(row[1]) == {"ssn": "****6789", "n": 1}


# -- by position --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text/plain", "text/html", "application/json", ""])
def test_by_position_whatever_the_type_says(kind: str) -> None:
    assert text(f"1,{SECRET}\n", COLUMNS, kind=kind) == "1,****6789\n"
    assert text(f"id,x\n1,{SECRET}\n", HEADED, kind=kind) == "id,x\n1,****6789\n"
    assert text(f'"id","x"\n"1","{SECRET}"\n', HEADED, kind=kind) == '"id","x"\n"1","****6789"\n'


def test_a_first_row_that_is_no_row_of_names_is_masked() -> None:
    assert SECRET not in text(f"1,{SECRET}\n2,{SECRET}\n", HEADED)
    assert SECRET not in text(f'"1","{SECRET}"\n', HEADED)
    assert text(f"id,_col1\n2,{SECRET}\n", HEADED) == "id,_col1\n2,****6789\n"


@pytest.mark.parametrize("body", [f"1,{SECRET},3\n", f"{SECRET}\n", f"1,{SECRET}\n{SECRET}\n", "", "{}", "a,b;c\n"])
def test_rows_that_do_not_fit_their_columns_are_refused(body: str) -> None:
    if body:
        refused(body, COLUMNS)
    else:
        assert send(body, COLUMNS).body == b""


def test_a_delivery_that_names_nothing_is_refused() -> None:
    refused(f"1,{SECRET}\n", Rows("csv"))
    refused(f"1\t{SECRET}\n", Rows("tsv"))


def test_in_a_text_in_json() -> None:
    rows = replace(HEADED, path="$.Records[*].CSVRecords")
    body = {"Records": [{"CSVRecords": f"id,x\r\n1,{SECRET}\r\n"}]}
    assert json.loads(text(json.dumps(body), rows)) == {"Records": [{"CSVRecords": "id,x\r\n1,****6789\r\n"}]}


# -- TSV ----------------------------------------------------------------------------------------------------------

TABS = replace(COLUMNS, format="tsv")


def test_tabs() -> None:
    body = f'1\t{SECRET}\n5" pipe\t\\N\n{{"a":"b"}}\t{SECRET}\n'
    assert text(body, TABS) == '1\t****6789\n5" pipe\t****N\n{"a":"b"}\t****6789\n'
    body = f'id\tssn\n"a"\t{SECRET}\n'
    assert text(body, kind="text/tab-separated-values") == body.replace(SECRET, "****6789")


@pytest.mark.parametrize(
    "body",
    [
        f'"a\t{SECRET}"\n',
        f'"a\nb"\t{SECRET}\n',
        f'x\t"{SECRET}\n"y\tz"\n',
        f'"a"b\t{SECRET}\n',
        f"a\t{SECRET}\r",
        f"a\r\t{SECRET}\n",
    ],
)
def test_quotes_that_would_move_a_tab_are_refused(body: str) -> None:
    refused(body, TABS)


# -- compared with a naive implementation -------------------------------------------------------------------------

VALUE = st.text("ab1.0,;\"'\\\n\r é{[=", max_size=6)


@given(st.data())
def test_as_a_naive_masking_would(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 4))
    owes = [data.draw(st.booleans()) for _ in range(width)]
    table = data.draw(st.lists(st.lists(VALUE, min_size=width, max_size=width), min_size=1, max_size=5))
    quoting = data.draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    columns = tuple(Output(f"c{i}", frozenset({("emp", "ssn" if o else "id")})) for i, o in enumerate(owes))
    sink = io.StringIO()
    csv.writer(sink, quoting=quoting, lineterminator=end).writerows(table)
    try:
        masked = text(sink.getvalue(), Rows("csv", columns=columns))
    except Refusal:
        assert quoting != csv.QUOTE_ALL
        return
    wanted = [["[redacted]" if owes[i] else value for i, value in enumerate(row)] for row in table]
    assert list(csv.reader(io.StringIO(masked, newline=""))) == wanted


@given(st.lists(st.sampled_from([SECRET, "a", '"', ",", "\n", "\r\n", "\\", ";", "\t", ""]), max_size=12))
def test_no_planted_value_survives_in_any_reading(pieces: list[str]) -> None:
    """Every field whose own column is masked is masked, for each reader that sees two columns everywhere."""
    body = "".join(pieces)
    if not body:
        return
    for rows in (COLUMNS, TABS):
        try:
            masked = text(body, rows)
        except Refusal:
            continue
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            how: Any = {"delimiter": "," if rows is COLUMNS else "\t", "quoting": quoting}
            try:
                before = list(csv.reader(io.StringIO(body, newline=""), strict=True, **how))
                after = list(csv.reader(io.StringIO(masked, newline=""), **how))
            except csv.Error:
                continue
            if all(len(row) == 2 for row in before):
                assert all(SECRET not in row[-1] for row in after)


@pytest.mark.parametrize("method", ["redact", "null", "last4", "hmac"])
@pytest.mark.parametrize("body", [f"id,ssn\n1,{SECRET}\n", f'"id","ssn"\n"1","{SECRET}"\n', f"id,ssn\n1,{SECRET}\n2,"])
def test_a_mask_that_refuses_lets_nothing_out_whatever_its_method(method: Any, body: str) -> None:
    owed = Obligation("ids", method, frozenset({"ssn"}), manner=Manner(on_match="refuse"))
    assert "does not let out" in refused(body, owed=(owed,))
    assert text("id,ssn\n", owed=(owed,)) == "id,ssn\n"
