"""Names that are ways: what is inside a masked column is masked with it, also where a service writes it in one level."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.exchange import Method, Obligation, Output
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.names import levels, normal
from sluicegate.masking.rules import Plan

SECRET = "Hauptstrasse 1234"


def plan(method: Method = "redact", column: str = "address") -> Plan:
    return Plan((Obligation("m", method, frozenset({column})),), Methods(b"k" * 32))


def masked(body: bytes, media: str = "application/json", owed: Plan | None = None) -> bytes:
    reply = Reply("GET", 200, ((b"content-type", media.encode()),), body)
    return mask(reply, owed or plan(), (), 1 << 20).body


NAMES = [
    "address.street",
    "Address.home.street",
    "staff[2].address[0].street",
    "address.0",
    "ａddress．street",
    '"address".x',
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["redact", "last4", "first", "hmac"])
def test_what_is_inside_a_masked_column_shows_no_part_of_it(name: str, method: Method) -> None:
    owed = plan(method)
    rows = [{"id": 1, name: SECRET}] * 3
    table = {"columns": ["id", {"name": name}["name"]], "rows": [[1, SECRET]]}
    described = {"fields": [{"name": "id", "type": "int"}, {"name": name, "type": "text"}], "data": [[1, SECRET]]}
    for document in (rows, rows[0], {"rows": rows}, table, described, {"text": json.dumps(rows)}):
        out = masked(json.dumps(document).encode(), owed=owed).decode()
        assert "[redacted]" in out
        assert "Haupt" not in out and "1234" not in out
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows * 400)
    assert b"Haupt" not in masked(lines, "application/x-ndjson", owed)


def test_tables_and_markup() -> None:
    name = "address.street"
    assert masked(f"id,{name}\n1,{SECRET}\n".encode(), "text/csv") == f"id,{name}\n1,[redacted]\n".encode()
    xml = masked(f"<r {name}='{SECRET}'><a:{name} xmlns:a='a'>{SECRET}</a:{name}></r>".encode(), "application/xml")
    assert SECRET.encode() not in xml
    sink = io.BytesIO()
    made = pa.table({"id": [1], name: [SECRET]})
    with pa.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made)
    read = pa.ipc.open_stream(masked(sink.getvalue(), "application/vnd.apache.arrow.stream")).read_all()
    assert read.to_pydict() == {"id": [1], name: ["[redacted]"]}


def test_by_origin() -> None:
    for method in ("redact", "last4"):
        owed = plan(method).origins.owes(Output("street", frozenset({("emp", "address.street")}), copied=True))
        assert owed is not None and owed.method == "redact"


@pytest.mark.parametrize("name", ["street", "my address.street", "addresses.street", "1.5", "street.address2", "."])
def test_what_is_inside_other_columns_stays(name: str) -> None:
    body = json.dumps([{name: SECRET}], separators=(",", ":")).encode()
    assert masked(body) == body


def test_sentences_that_describe_a_column_are_no_ways() -> None:
    told = "Not an address. Just a number"
    document = {"columns": [{"name": "id", "comment": told}, {"name": "street", "comment": "x"}], "rows": [[1, "a"]]}
    assert json.loads(masked(json.dumps(document).encode(), owed=plan(column="an address"))) == document


@given(st.text(alphabet='ab.[]0" ', max_size=12))
def test_the_first_level_is_the_name_itself(name: str) -> None:
    assert levels(name)[0] == normal(name)
