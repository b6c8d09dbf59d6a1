"""Datasette: tables by their parameters, SQL, and what leaves beside the rows."""

import json
from urllib.parse import parse_qs, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Output
from tests.operations.one_service import SENTENCE, Asking

IT = Asking(
    "datasette",
    {"emp": {"name": "hr.emp", "columns": {"ssn": "restricted"}}, "pay": {"columns": {"sum": "restricted"}}},
)
TABLE = "GET /hr/emp.json"
ROWS = {"rows": [[1, "123-45-6789"]], "columns": ["id", "ssn"], "primary_keys": ["id"], "next": "1", "next_url": "x"}


def sql(text, more="", form="json"):
    return f"GET /hr.{form}?sql={quote(text)}{more}"


def test_a_table():
    operation = IT.read(f"{TABLE}?_col=id&_col=ssn&_size=2&_next=2&_shape=objects")
    assert (operation.kind, operation.dataset, operation.declared) == ("read", "emp", True)
    assert (operation.columns, operation.column_scope, operation.rows) == (("id", "ssn"), "listed", 2)
    assert operation.chunks == ("next:2",)


@pytest.mark.parametrize(
    "path", ["/hr/emp", "/hr/emp.csv?_stream=on", "/HR/EMP.json", "/hr/emp.json?_nocol=ssn&_col=id"]
)
def test_without_columns_all_are_meant(path):
    operation = IT.read(f"GET {path}")
    assert (operation.dataset, operation.column_scope) == ("emp", "all")


def test_a_name_without_its_database_is_meant_in_any():
    assert IT.read("GET /fin/pay.json").dataset == "pay"
    assert IT.read("GET /fin/emp.json").declared is False


@pytest.mark.parametrize(
    ("query", "predicates", "columns"),
    [
        ("ssn__startswith=1&_col=id", ("ssn",), ("id",)),
        ("ssn=1&_col=id", ("ssn",), ("id",)),
        ("name__gt=a&ssn__isnull=1&_col=id", ("name", "ssn"), ("id",)),
        ("_sort=ssn&_col=id", ("ssn",), ("id", "ssn")),
        ("_sort_desc=ssn&_col=id", ("ssn",), ("id", "ssn")),
        ("_facet=ssn&_facet=name&_col=id", ("ssn", "name"), ("id", "ssn", "name")),
        ("_facet_array=ssn&_col=id", ("ssn",), ("id", "ssn")),
    ],
)
def test_what_chooses_and_what_leaks_is_read(query, predicates, columns):
    operation = IT.read(f"{TABLE}?{query}")
    assert (operation.kind, operation.predicates, operation.columns) == ("read", predicates, columns)


def test_a_paging_token_with_a_value_in_it_is_not_written_down():
    assert IT.read(f"{TABLE}?_sort=ssn&_next=123-45-6789%2C0").chunks == ("next",)


@pytest.mark.parametrize(
    "request_",
    [
        f"{TABLE}?_where=ssn%3D1",
        f"{TABLE}?_through=%7B%7D",
        f"{TABLE}?_labels=on",
        f"{TABLE}?_extra=x",
        f"{TABLE}?_trace=1",
        f"{TABLE}?_header=off",
        f"{TABLE}?_search=x",
        f"{TABLE}?_shape=arrayfirst",
        f"{TABLE}?_col=id&_COL=ssn",
        f"{TABLE}?_sort=a&_sort=ssn",
        f"{TABLE}?_facet=%7B%22column%22%3A%22ssn%22%7D",
        f"{TABLE}?_col=upper(ssn)",
        "GET /hr/emp.blob?_blob_column=ssn",
        "GET /hr/emp/1.blob?_blob_column=ssn",
        "GET /hr/emp.json/x/y/z",
        "GET /hr/-/query.json?sql=select%201",
        "GET /hr/~65mp.json",
        "GET /hr/emp%2Fx.json",
        "GET /-/nothing",
        "PUT /hr/emp.json",
        "POST /hr.json",
        "GET /hr.json?_sql=x",
        "GET /hr/emp/1.json?_extras=foreign_key_tables",
    ],
)
def test_what_is_not_understood(request_):
    assert IT.read(request_).kind == "unknown"


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("GET /", "read"),
        ("GET /hr.json", "read"),
        ("GET /hr/emp/5.json", "read"),
        ("POST /hr/add_emp", "write"),
        ("GET /-/versions.json", "poll"),
        ("GET /-/static/app.css", "poll"),
        ("GET /-/logout", "login"),
        ("POST /-/permissions", "admin"),
    ],
)
def test_kinds(request_, kind):
    assert IT.read(request_).kind == kind


def test_the_whole_database_is_an_export_of_everything_in_it():
    operation = IT.read("GET /hr.db")
    assert (operation.kind, operation.destination_side, operation.column_scope) == ("export", "external", "all")
    assert {(part.dataset, part.kind) for part in operation.parts} == {("emp", "export"), ("pay", "export")}
    assert IT.delivered("GET /hr.db", b"SQLite format 3", media="application/octet-stream").unreadable


def test_sql_is_read_and_goes_out_regenerated():
    operation = IT.read(sql("select ssn as x /* , id */ from emp"))
    assert (operation.kind, operation.dataset, operation.columns) == ("read", "emp", ("ssn",))
    assert operation.outputs == (Output("x", frozenset({("emp", "ssn")}), copied=True),)
    rewritten = IT.rewritten(sql("select ssn as x /* , id */ from emp where id > :n", "&n=5&_shape=array"))
    assert parse_qs(rewritten.query) == {
        "sql": ["SELECT ssn AS x FROM emp WHERE id > :n"],
        "n": ["5"],
        "_shape": ["array"],
    }
    assert IT.read(sql("attach 'x' as y")).kind == "admin"
    assert IT.read(sql("select 1", "&sql=select%20ssn%20from%20emp")).kind == "unknown"


def test_facets_that_the_service_would_add_are_switched_off():
    assert parse_qs(IT.rewritten(f"{TABLE}?_col=id").query)["_nofacet"] == ["1"]
    assert IT.rewritten(f"{TABLE}?_col=id&_facet=name") is None
    assert IT.rewritten(TABLE) is None


def test_rows_by_position():
    delivery = IT.delivered(TABLE, ROWS)
    (rows,) = delivery.rows
    own = tuple(Output(name, frozenset({("emp", name)}), copied=True) for name in ("id", "ssn"))
    assert (rows.path, rows.shape, rows.columns) == ("$.rows", "arrays", own)
    assert not delivery.headers and "$.next" not in delivery.leaks


@pytest.mark.parametrize(
    ("query", "answer", "path"),
    [
        ("?_shape=objects", {"rows": [{"id": 1, "ssn": "x"}], "columns": ["id", "ssn"]}, "$.rows"),
        ("?_shape=array", [{"id": 1, "ssn": "x"}], "$"),
    ],
)
def test_rows_by_name(query, answer, path):
    (rows,) = IT.delivered(TABLE + query, answer).rows
    assert (rows.path, rows.shape, [column.name for column in rows.columns]) == (path, "objects", ["id", "ssn"])


def test_a_csv():
    (rows,) = IT.delivered("GET /hr/emp.csv?_stream=on", b'id,"a,b",ssn\r\n1,2,3\r\n', media="text/plain").rows
    assert (rows.format, rows.header_row, [c.name for c in rows.columns]) == ("csv", True, ["id", "a,b", "ssn"])


def test_columns_of_a_statement_by_their_origins():
    answer = {"rows": [[1, 2]], "columns": ["x", "x"]}
    (rows,) = IT.delivered(sql("select id as x, ssn as x from emp"), answer).rows
    assert [column.origins for column in rows.columns] == [frozenset({("emp", "id")}), frozenset({("emp", "ssn")})]
    # As objects two columns of one name are one, so nothing is known of either.
    (rows,) = IT.delivered(sql("select id as x, ssn as x from emp", "&_shape=array"), [{"x": 2}]).rows
    assert [column.origins for column in rows.columns] == [None]
    (rows,) = IT.delivered(sql("select * from emp"), answer).rows
    assert [column.origins for column in rows.columns] == [None, None]


@pytest.mark.parametrize(
    ("query", "changes"),
    [
        ("?_sort=ssn", {"next": "123-45-6789,1"}),
        ("", {"next": "123-45-6789,1"}),  # sorted by the service's own configuration
        ("", {"primary_keys": ["ssn"], "next": "123-45-6789"}),
    ],
)
def test_values_in_paging_tokens(query, changes):
    delivery = IT.delivered(TABLE + query, {**ROWS, **changes})
    assert {"$.next", "$.next_url"} <= set(delivery.leaks) and delivery.headers == ("link",)


@pytest.mark.parametrize("facets", [{"ssn": {"name": "ssn", "results": []}}, {"a b": {"name": "a b"}}, {"x": 1}])
def test_values_in_facets(facets):
    assert "$.facet_results" in IT.delivered(TABLE, {**ROWS, "facet_results": facets}).leaks


def test_a_sensitive_key_that_came_unasked_is_refused():
    with pytest.raises(Refusal, match="ssn"):
        IT.delivered(f"{TABLE}?_col=name", {"rows": [[1, 2]], "columns": ["ssn", "name"], "primary_keys": ["ssn"]})
    with pytest.raises(Refusal, match="SSN"):
        IT.delivered("GET /hr/emp.csv?_col=name", b"SSN,name\r\n1,2\r\n", media="text/plain")
    assert IT.delivered(f"{TABLE}?_col=name", {"rows": [[1, 2]], "columns": ["id", "name"]}).rows


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (f"{TABLE}?_shape=object", {"1": {"ssn": "x"}}),
        (f"{TABLE}?_shape=array&_nl=on", b'{"ssn":1}\n{"ssn":2}'),
        (TABLE, b"<html>"),
        (TABLE, {"rows": [[1]]}),
        (TABLE, {"rows": [[1]], "columns": [1]}),
        (f"{TABLE}?_shape=objects", {"rows": [[1]]}),
        (f"{TABLE}?_shape=array", {"rows": []}),
        ("GET /hr/emp", b"<html>"),
        ("GET /hr/emp.csv", b"\xff\xfe"),
        ("GET /hr/emp.csv", b'"open\n'),
    ],
)
def test_rows_that_cannot_be_found(request_, answer):
    assert IT.delivered(request_, answer).unreadable


def test_a_refusal_is_said_as_datasette_says_it():
    answer = IT.refused(TABLE, 502)
    assert answer.status == 403
    assert json.loads(answer.body) == {"ok": False, "error": SENTENCE, "status": 403, "title": "Denied by policy"}


@given(st.text(), st.text(), st.sampled_from(["GET", "POST", "HEAD"]))
def test_nothing_is_raised(path, query, method):
    assert IT.read(f"{method} /hr/{path}?{query}").kind in ("read", "write", "unknown", "export")


@given(st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.sampled_from(
    ["rows", "columns", "next", "primary_keys", "facet_results", "ssn"]), x), max_leaves=15),
    st.sampled_from(["", "?_shape=array", "?_shape=objects", "?_sort=ssn"]))  # fmt: skip
def test_any_answer_is_read_or_not_readable(answer, query):
    assert IT.delivered(TABLE + query, answer) is not None
