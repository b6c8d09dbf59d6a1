"""Databricks SQL statement execution, in the documented shape: nothing of this has met a real workspace."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.operations.built_in.databricks import DatabricksDialect
from tests.operations.asking import SENTENCE, Asker, origins

SUBMIT = "POST /api/2.0/sql/statements/"


def sql(asker, text, **more):
    document = {"statement": text, "warehouse_id": "w", "catalog": "db1", "schema": "s1", **more}
    return asker.ask(SUBMIT, {name: value for name, value in document.items() if value is not None})


def manifest(*names, format_="JSON_ARRAY"):
    columns = [{"name": name, "type_name": "STRING", "position": i} for i, name in enumerate(names)]
    return {"format": format_, "schema": {"columns": columns}, "chunks": [], "total_chunk_count": 2}


def test_a_statement_and_its_limits():
    asker = Asker(DatabricksDialect())
    operation = sql(asker, "select id, ssn /* x */ from emp limit 50", row_limit=10)
    assert (operation.kind, operation.dataset, operation.rows) == ("read", "emp", 10)
    assert json.loads(asker.sent.body)["statement"] == "SELECT id, ssn FROM emp LIMIT 50"
    assert not sql(asker, "select ssn from emp", schema="other").declared
    assert sql(asker, "select ssn from emp", schema=None).dataset == "emp"


def test_links_are_asked_for_inline_where_columns_are_sensitive():
    asker = Asker(DatabricksDialect())
    sql(asker, "select id from emp", disposition="EXTERNAL_LINKS", format="ARROW_STREAM")
    sent = json.loads(asker.sent.body)
    assert (sent["disposition"], sent["format"]) == ("INLINE", "JSON_ARRAY")
    sql(asker, "select id from notes", disposition="EXTERNAL_LINKS", format="ARROW_STREAM")
    sent = json.loads(asker.sent.body)
    assert (sent["disposition"], sent["format"]) == ("EXTERNAL_LINKS", "ARROW_STREAM")
    sql(asker, "select n.id from notes n join emp e on e.id = n.id", disposition="EXTERNAL_LINKS")
    assert json.loads(asker.sent.body)["disposition"] == "INLINE"


def test_chunks_say_no_columns():
    asker = Asker(DatabricksDialect())
    asked = sql(asker, "select id, ssn as x from emp")
    result = {"chunk_index": 0, "data_array": [["1", "2"]], "next_chunk_index": 1}
    (rows,) = asker.answer({"statement_id": "s-1", "manifest": manifest("id", "x"), "result": result}).rows
    assert rows.path == "$.result.data_array" and origins(rows.columns) == [("id", ["id"]), ("x", ["ssn"])]
    got = asker.ask("GET /api/2.0/sql/statements/s-1/result/chunks/1")
    assert (got.outputs, got.chunks) == (asked.outputs, ("1",))
    (rows,) = asker.answer({"chunk_index": 1, "data_array": [["1", "2"]]}).rows
    assert rows.path == "$.data_array" and origins(rows.columns) == [("id", ["id"]), ("x", ["ssn"])]
    assert asker.ask("GET /api/2.0/sql/statements/s-1").dataset == "emp"
    assert asker.ask("POST /api/2.0/sql/statements/s-1/cancel").kind == "cancel"
    assert asker.ask("GET /api/2.0/sql/statements/s-2").kind == "unknown"
    assert asker.another("idp eve").ask("GET /api/2.0/sql/statements/s-1").owner == "idp ada"


@pytest.mark.parametrize(
    "line", [SUBMIT, "GET /api/2.0/sql/statements/s-1", "GET /api/2.0/sql/statements/s-1/result/chunks/1"]
)
def test_rows_in_a_form_that_is_not_known(line):
    asker = Asker(DatabricksDialect())
    sql(asker, "select ssn from emp")
    asker.answer({"statement_id": "s-1", "manifest": manifest("ssn"), "result": {}})
    if line != SUBMIT:
        asker.ask(line)
    result = {"chunk_index": 1, "attachment": "QVJST1cx"}
    assert asker.answer(result if "chunks" in line else {"statement_id": "s-1", "result": result}).unreadable


def test_what_an_error_says_may_quote_a_value():
    asker = Asker(DatabricksDialect())
    sql(asker, "select ssn from emp")
    found = asker.answer({"error_code": "BAD_REQUEST", "message": "'123-45-6789' is no number", "details": []}, 400)
    assert {"$.message", "$.details"} <= set(found.leaks)
    assert "$.message" not in asker.answer({"statement_id": "s-1", "manifest": manifest("ssn")}).leaks


def test_links_lead_to_storage_that_the_service_names():
    asker = Asker(DatabricksDialect())
    sql(asker, "select id, text from notes", disposition="EXTERNAL_LINKS", format="ARROW_STREAM")
    link = {"chunk_index": 0, "external_link": "https://store.test/a/b?sig=1", "expiration": "2026"}
    document = {"statement_id": "s-1", "manifest": manifest("id", "text", format_="ARROW_STREAM")}
    delivery = asker.answer({**document, "result": {"external_links": [link]}})
    assert not delivery.unreadable and delivery.rows == ()
    assert asker.ask("GET /a/b?sig=1", host="store.test").dataset == "notes"
    assert asker.answer(b"ARROW").rows[0].format == "arrow" and asker.answer(b"x", 403).unreadable
    assert asker.ask("GET /a/c", host="store.test").kind == "unknown"
    assert asker.ask("GET /a/b?sig=1", host="other.test").kind == "unknown"
    sql(asker, "select id from notes")
    assert asker.answer({**document, "result": {"external_links": [{"external_link": 3}]}}).unreadable
    assert asker.answer({**document, "result": {"external_links": "x"}}).unreadable


@pytest.mark.parametrize("form", ["JSON_ARRAY", "CSV", "PARQUET"])
def test_links_of_what_is_not_known_exactly(form):
    asker = Asker(DatabricksDialect())
    sql(asker, "select * from a.b.c", disposition="EXTERNAL_LINKS", format=form)
    links = {"external_links": [{"external_link": "https://store.test/a"}]}
    asker.answer({"statement_id": "s-1", "manifest": manifest("id", "text", format_=form), "result": links})
    asker.ask("GET /a", host="store.test")
    delivery = asker.answer(b"[]")
    assert (
        delivery.unreadable
        if form == "PARQUET"
        else origins(delivery.rows[0].columns) == [("id", None), ("text", None)]
    )


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"statement": 3},
        {"statement": "select 1", "surprise": 1},
        b'{"statement": "select 1", "Statement": "x"}',
        b"[]",
        b"\xff",
    ],
)
def test_what_is_not_understood(document):
    asker = Asker(DatabricksDialect())
    assert asker.ask(SUBMIT, document, content_type="application/json").kind == "unknown" and asker.sent is None


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("GET /.well-known/databricks-config", "login"),
        ("POST /oidc/v1/token", "login"),
        ("POST /telemetry-unauth", "telemetry"),
        ("POST /api/2.1/jobs/runs/submit", "unknown"),
        ("POST /api/1.2/commands/execute", "unknown"),
        ("GET /api/2.0/workspace/export", "unknown"),
        ("POST /sql/1.0/warehouses/abc", "unknown"),
    ],
)
def test_routes(line, kind):
    assert Asker(DatabricksDialect()).ask(line).kind == kind


def test_a_refusal():
    asker = Asker(DatabricksDialect())
    sql(asker, "select ssn from emp")
    assert asker.refused().status == 403
    assert json.loads(asker.refused().body) == {"error_code": "PERMISSION_DENIED", "message": SENTENCE}


VALUES = st.none() | st.integers() | st.text(max_size=8) | st.lists(st.lists(st.text(max_size=3)), max_size=3)


@given(
    st.sampled_from([SUBMIT, "GET /api/2.0/sql/statements/s-1", "GET /api/2.0/sql/statements/s-1/result/chunks/1", "GET /x"]),
    st.dictionaries(st.sampled_from(["statement", "catalog", "disposition", "row_limit"]), VALUES) | st.binary(max_size=30),
    st.dictionaries(st.sampled_from(["statement_id", "manifest", "result", "data_array", "external_links"]),
                    VALUES | st.dictionaries(st.sampled_from(["schema", "data_array", "external_links"]), VALUES))
    | st.binary(max_size=30),
)  # fmt: skip
def test_nothing_is_raised(line, body, reply):
    asker = Asker(DatabricksDialect())
    sql(asker, "select id from emp")
    asker.answer({"statement_id": "s-1"})
    asker.ask(line, body)
    asker.answer(reply)
    asker.refused()
    if asker.operation.kind != "unknown":
        assert asker.sent is None or json.loads(asker.sent.body)
