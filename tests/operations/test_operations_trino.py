"""Trino: requests as its Python client sends them; pages and spooling in the documented shape."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.operations.built_in.trino import TrinoDialect
from tests.operations.asking import SENTENCE, Asker, origins

POST = "POST /v1/statement"
COLUMNS = [{"name": "id", "type": "bigint"}, {"name": "x", "type": "varchar"}]


def sql(asker, text, **headers):
    headers = {"x_trino_user": "eng", "x_trino_catalog": "db1", "x_trino_schema": "s1", **headers}
    return asker.ask(
        POST, text if isinstance(text, bytes) else text.encode(), **{k: v for k, v in headers.items() if v}
    )


def page(asker, token, **more):
    following = f"https://db.test/v1/statement/executing/20261126_1/yslug/{token}"
    return asker.answer({"id": "20261126_1", "nextUri": following, "stats": {"state": "RUNNING"}, **more})


def test_a_statement_with_what_its_headers_say():
    asker = Asker(TrinoDialect())
    operation = sql(asker, "select id, ssn as x /* hi */ from emp", x_trino_role="system=ROLE{admin}")
    assert (operation.kind, operation.dataset, operation.route) == ("read", "emp", "statement")
    assert origins(operation.outputs) == [("id", ["id"]), ("x", ["ssn"])]
    assert operation.claims == ("user=eng", "role=system=ROLE{admin}")
    assert not sql(asker, "select ssn from emp", x_trino_schema="s2").declared
    assert sql(asker, "select ssn from emp", x_trino_schema=None).dataset == "emp"


def test_what_goes_out_is_what_was_judged_without_spooling():
    asker = Asker(TrinoDialect())
    sql(asker, "select id /* x */ from emp -- y", x_trino_query_data_encoding="json+zstd,json")
    assert asker.sent.body == b"SELECT id FROM emp"
    assert ("x-trino-query-data-encoding", None) in asker.sent.headers


def test_pages_are_followed_by_who_asked_alone():
    asker = Asker(TrinoDialect())
    asked = sql(asker, "select id, ssn as x from emp")
    assert page(asker, 1).rows == ()
    got = asker.ask("GET /v1/statement/executing/20261126_1/yslug/1")
    assert (got.kind, got.dataset, got.outputs, got.chunks) == ("read", "emp", asked.outputs, ("1",))
    (rows,) = page(asker, 2, columns=COLUMNS, data=[[1, "123-45-6789"]]).rows
    assert (rows.path, rows.shape) == ("$.data", "arrays") and origins(rows.columns) == [("id", ["id"]), ("x", ["ssn"])]
    asker.ask("GET /v1/statement/executing/20261126_1/yslug/2")
    (rows,) = page(asker, 3, data=[[1, "2"]]).rows
    assert origins(rows.columns) == [("id", ["id"]), ("x", ["ssn"])]
    for line in ("GET /v1/statement/executing/20261126_2/yslug/1", "GET /v1/statement/other/20261126_1/y/1"):
        assert asker.ask(line).kind == "unknown"
    assert asker.another("idp eve").ask("GET /v1/statement/executing/20261126_1/yslug/1").owner == "idp ada"
    cancelled = asker.ask("DELETE /v1/statement/executing/20261126_1/yslug/2")
    assert (cancelled.kind, cancelled.dataset) == ("cancel", "emp")
    assert asker.ask("DELETE /v1/query/20261126_1").kind == "cancel"
    assert asker.ask("DELETE /v1/query/20261126_9").kind == "unknown"


def test_pages_of_what_is_not_known_exactly():
    asker = Asker(TrinoDialect())
    asked = sql(asker, "select * from a.b.c")
    page(asker, 1, columns=COLUMNS)
    assert asker.ask("GET /v1/statement/executing/20261126_1/yslug/1").outputs == asked.outputs
    (rows,) = page(asker, 2, data=[[1, "2"]]).rows
    assert origins(rows.columns) == [("id", None), ("x", None)]


def test_what_cannot_be_masked_says_so():
    asker = Asker(TrinoDialect())
    sql(asker, "select id, ssn from emp")
    assert page(asker, 1, data={"encoding": "json+zstd", "segments": []}).unreadable
    assert asker.answer(b"<html>").unreadable and asker.answer(b"", decoded=False).unreadable
    assert (
        "next page"
        in asker.answer({"id": "q", "nextUri": "https://db.test/v1/statement/executing/other/y/1"}).unreadable
    )
    assert asker.answer({"id": "q", "nextUri": 3}).unreadable
    assert asker.answer({"id": "q", "data": "text"}).unreadable
    failed = asker.answer({"id": "q", "error": {"message": "bad value '123-45-6789'"}})
    assert "$.error.message" in failed.leaks and not failed.unreadable


def test_prepared_statements_come_with_each_request():
    asker = Asker(TrinoDialect())
    assert sql(asker, "EXECUTE IMMEDIATE 'SELECT 1'").kind == "read"
    inner = sql(asker, "EXECUTE IMMEDIATE 'SELECT ssn FROM emp WHERE id = ?' USING 3")
    assert (inner.kind, inner.dataset, inner.columns) == ("read", "emp", ("ssn",)) or "ssn" in inner.columns
    header = f"st_1={quote('select ssn from emp where id = ?')},other={quote('select 1')}"
    run = sql(asker, "EXECUTE st_1 USING 3", x_trino_prepared_statement=header)
    assert run.dataset == "emp" and "ssn" in run.columns
    assert sql(asker, "PREPARE st_2 FROM select ssn from emp").dataset == "emp"
    assert sql(asker, "EXECUTE st_9 USING 3").kind == "unknown"
    assert sql(asker, "EXECUTE st_1", x_trino_prepared_statement="st_1=select+1,st_1=drop").kind == "unknown"
    assert sql(asker, "EXECUTE st_1", x_trino_prepared_statement="st_1=%ff").kind == "unknown"


@pytest.mark.parametrize(
    "headers",
    [
        {"x_trino_path": "evil"},
        {"x_presto_catalog": "other"},
        {"x_trino_surprise": "1"},
        {"content_encoding": "gzip"},
        {"content_type": "application/json"},
        {"content_type": "text/plain; charset=utf-16"},
    ],
)
def test_what_may_change_the_meaning_is_not_understood(headers):
    asker = Asker(TrinoDialect())
    assert sql(asker, "select id from emp", **headers).kind == "unknown" and asker.sent is None


@pytest.mark.parametrize("body", [b"", b"\xff", b"bogus (((", b"select 1;" * 40_000])
def test_bodies_that_are_no_statement(body):
    assert sql(Asker(TrinoDialect()), body).kind == "unknown"


def test_exports_and_writes():
    asker = Asker(TrinoDialect())
    copied = sql(asker, "create table x with (external_location = 's3://evil/x') as select ssn from emp")
    assert copied.kind == "export" and copied.destination_side == "external"
    assert sql(asker, "insert into other.s1.t select ssn from emp").kind == "write"
    assert sql(asker, "drop table emp").kind == "admin"


def test_routes():
    asker = Asker(TrinoDialect())
    assert asker.ask("GET /v1/info").kind == "poll"
    for line in (
        "GET /v1/query",
        "GET /v1/query/1",
        "PUT /v1/statement",
        "GET /v1/statement",
        "GET /v1/spooled/x",
        "GET /",
    ):
        assert asker.ask(line).kind == "unknown"
        assert asker.refused() is None


def test_a_refusal_ends_the_query_and_is_not_tried_again():
    asker = Asker(TrinoDialect())
    sql(asker, "select ssn from emp")
    answer = asker.refused()
    document = json.loads(answer.body)
    assert answer.status == 200 and "nextUri" not in document and document["stats"]["state"] == "FAILED"
    assert document["error"] == {
        "message": SENTENCE, "errorCode": 4, "errorName": "PERMISSION_DENIED", "errorType": "USER_ERROR",
    }  # fmt: skip
    assert asker.refused(Refusal(407, "x", "T", "D")) is None


@given(
    st.sampled_from([POST, "GET /v1/statement/executing/20261126_1/y/1", "DELETE /v1/query/x"]),
    st.binary(max_size=60) | st.text(max_size=60).map(str.encode),
    st.dictionaries(st.sampled_from(["x_trino_catalog", "x_trino_prepared_statement", "x_trino_session", "x_presto_user"]),
                    st.text(max_size=30), max_size=3),
    st.binary(max_size=40) | st.dictionaries(st.sampled_from(["id", "nextUri", "columns", "data", "error"]),
                                             st.none() | st.integers() | st.text(max_size=9) | st.lists(st.lists(st.text(max_size=3)))),
)  # fmt: skip
def test_nothing_is_raised(line, body, headers, reply):
    asker = Asker(TrinoDialect())
    asker.ask(line, body, **headers)
    asker.answer(reply)
    asker.refused()
    if asker.operation.kind != "unknown":
        assert asker.sent is None or asker.sent.body is None or asker.sent.body.decode()
