"""roapi: tables, SQL and GraphQL; an export is stopped at the request, since read-only servers carry it out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.exchange import Output
from sluicegate.operations.built_in import graphql
from sluicegate.operations.view import Unreadable
from tests.operations.one_service import SENTENCE, Asking

IT = Asking("roapi", {"emp": {"columns": {"ssn": "restricted"}}})
TABLE, SQL, GRAPHQL = "GET /api/tables/emp", "POST /api/sql", "POST /api/graphql"


def test_a_table():
    operation = IT.read(f"{TABLE}?columns=id,ssn&limit=2&sort=-name&filter[ssn]like=%27123%25%27")
    assert (operation.kind, operation.dataset, operation.columns) == ("read", "emp", ("id", "ssn"))
    assert (operation.predicates, operation.rows) == (("name", "ssn"), 2)
    assert IT.read("GET /api/tables/EMP").dataset == "emp"  # DataFusion folds names
    assert IT.read(TABLE).column_scope == "all"


@pytest.mark.parametrize(
    "request_",
    [
        f"{TABLE}?columns=id&columns=ssn",  # the last one would count
        f"{TABLE}?columns=upper(ssn)",
        f'{TABLE}?columns="ssn"',
        f"{TABLE}?limit=x",
        f"{TABLE}?filter[ssn]matches=1",
        f"{TABLE}?select=ssn",
        "GET /api/tables/emp/keys/1",
        "DELETE /api/tables/emp",
        "GET /api/sql",
        "GET /api/kv/x/y",
        "GET /",
    ],
)
def test_what_is_not_understood(request_):
    assert IT.read(request_).kind == "unknown"


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT * FROM emp) TO '/var/export/exfil.csv'",
        "COPY emp TO 's3://acme-x/y'",
        "cOpY(select ssn from emp)to/**/'/x.csv' stored as csv",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'http://evil.example'",
        "select 1; COPY emp TO '/x'",
        "INSERT INTO emp VALUES (1)",
        "select * from read_csv('/etc/passwd')",
    ],
)
def test_statements_that_do_more_than_read_are_not_reads(statement):
    operation = IT.read(SQL, statement.encode())
    assert operation.kind != "read"


def test_sql_is_read_and_goes_out_regenerated():
    operation = IT.read(SQL, b"select ssn as x from emp -- , id")
    assert (operation.kind, operation.columns) == ("read", ("ssn",))
    assert IT.rewritten(SQL, b"select ssn as x from emp -- , id").body == b"SELECT ssn AS x FROM emp"
    assert IT.read(SQL, b"\xff").kind == "unknown"
    assert IT.read(SQL + "?x=1", b"select 1").kind == "unknown"


@pytest.mark.parametrize(
    ("query", "columns", "predicates"),
    [
        ("query { emp(limit: 1) { id ssn } }", ("id", "ssn"), ()),
        ("{emp{ssn}}", ("ssn",), ()),
        ('{ emp(filter: {ssn: {gt: "1"}}, sort: [{field: "name"}]) { id } }', ("id",), ("ssn", "gt", "field", "name")),
        ("# a comment\n{ emp { id, ssn } }", ("id", "ssn"), ()),
    ],
)
def test_graphql(query, columns, predicates):
    operation = IT.read(GRAPHQL, query.encode())
    assert (operation.kind, operation.dataset, operation.columns, operation.predicates) == (
        "read",
        "emp",
        columns,
        predicates,
    )


@pytest.mark.parametrize(
    "query",
    [
        "{ emp { x: ssn } }",
        "{ e: emp { id } }",
        "{ emp { id ...f } } fragment f on emp { ssn }",
        "{ emp { id @include(if: true) } }",
        "query q($x: Int) { emp(limit: $x) { id } }",
        "mutation { emp { id } }",
        "{ emp { id } other { ssn } }",
        "{ emp { id } } { emp { ssn } }",
        "{ emp { id { ssn } } }",
        "{ emp }",
        "{ emp { } }",
        '{"query": "{ emp { id } }"}',
        '{ emp(filter: """ssn""") { id } }',
        "{ emp(offset: 1) { id } }",
        "{ emp(limit: 1, limit: 2) { id } }",
        "{ emp(limit: -1) { id } }",
        "{ emp(filter: " + "[" * 100 + "]" * 100 + ") { id } }",
        "",
    ],
)
def test_graphql_that_is_not_understood(query):
    assert IT.read(GRAPHQL, query.encode()).kind == "unknown"


@given(st.text(alphabet='{}()[]:,"\\ abc1-.#\n') | st.text())
def test_graphql_raises_nothing_else(text):
    try:
        found = graphql.parse(text)
    except Unreadable:
        return
    assert found.table and found.columns


@pytest.mark.parametrize(
    ("request_", "kind"), [("GET /health", "poll"), ("GET /api/schema/emp", "poll"), ("POST /api/table", "admin")]
)
def test_kinds(request_, kind):
    assert IT.read(request_).kind == kind


def test_rows():
    own = tuple(Output(name, frozenset({("emp", name)}), copied=True) for name in ("id", "ssn"))
    (rows,) = IT.delivered(TABLE, [{"id": 1, "ssn": "x"}]).rows
    assert (rows.path, rows.shape, rows.columns) == ("$", "objects", own)
    (rows,) = IT.delivered(SQL, [{"a": 1, "b": "x"}], b"select id as a, ssn as b from emp").rows
    assert [column.origins for column in rows.columns] == [{("emp", "id")}, {("emp", "ssn")}]


def test_rows_from_which_a_null_was_left_out_have_no_positions():
    answer = [{"b": "x"}, {"a": 1, "b": "y"}]
    (rows,) = IT.delivered(SQL, answer, b"select id as a, ssn as b from emp").rows
    assert [(column.name, column.origins) for column in rows.columns] == [("b", None), ("a", None)]


@pytest.mark.parametrize(
    ("media", "form"),
    [("application/vnd.apache.arrow.stream", "arrow"), ("application/vnd.apache.arrow.file", "arrow-file"), ("application/parquet", "parquet")],
)  # fmt: skip
def test_columnar_rows(media, form):
    assert [rows.format for rows in IT.delivered(TABLE, b"...", media=media).rows] == [form]
    (rows,) = IT.delivered(SQL, b"...", b"select ssn as x from emp", media=media).rows
    assert (rows.format, rows.columns) == (form, (Output("x", frozenset({("emp", "ssn")}), copied=True),))
    assert IT.delivered(SQL, b"...", b"select * from emp", media=media).unreadable


@pytest.mark.parametrize(
    ("answer", "media"),
    [({"a": 1}, "application/json"), (b"x", "application/json"), ([1], "application/json"), (b"x", "text/csv")],
)
def test_rows_that_cannot_be_found(answer, media):
    assert IT.delivered(TABLE, answer, media=media).unreadable


def test_a_refusal_is_said_as_roapi_says_it():
    answer = IT.refused(SQL, 503)
    assert json.loads(answer.body) == {"code": 403, "error": "policy-denied", "message": SENTENCE}


@given(st.text(), st.text(), st.sampled_from(["GET", "POST"]), st.binary(max_size=100))
def test_nothing_is_raised(path, query, method, body):
    assert IT.read(f"{method} /api/{path}?{query}", body).kind in (
        "read",
        "poll",
        "unknown",
        "admin",
        "export",
        "write",
    )
