"""Declared routes whose answers hand out tokens: a page is what its first request was, for the same person."""

import gzip
import json
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.operations import problems
from sluicegate.settings import load
from tests.operations.one_service import Asking

ROUTES = [
    {"request": "GET /tables/{table}/rows", "kind": "read", "dataset": "path:table", "columns": "query:column", "repeated": ["column"],
     "result": "query:cursor", "hands_out": ["$.next_cursor", "$.next", "header:Link"], "rows": "$.items"},
    {"request": "POST /queries", "kind": "read", "statement": "$.sql", "sql": "postgres", "accepts": ["timeout"],
     "hands_out": ["$.id"], "rows": "$.rows", "row_columns": "$.columns[*].name"},
    {"request": "GET /queries", "kind": "read", "statement": "query:sql", "sql": "postgres"},
    {"request": "GET /queries/{id}/rows", "kind": "read", "result": "path:id", "hands_out": ["$.more"], "accepts": ["page"]},
    {"request": "GET /queries/{id}", "kind": "poll", "result": "path:id", "hands_out": ["$.id", "$.result"]},
    {"request": "DELETE /queries/{id}", "kind": "cancel", "result": "path:id"},
    {"request": "POST /exports", "kind": "export", "dataset": "$.table", "destination": "$.to", "form": True},
]  # fmt: skip
DATASETS = {"emp": {"columns": {"ssn": "restricted"}}, "other": {}}
QUERY = {"sql": "select ssn as x, id from emp"}


def asking():
    return Asking("rest", DATASETS, dialects={"rest": {"routes": ROUTES}})


def paged(it, answer=None, query="?column=id&column=ssn", status=200):
    it.delivered(
        f"GET /tables/emp/rows{query}", {"items": [], "next_cursor": "c1"} if answer is None else answer, status=status
    )
    return it


def test_repeated_parameters_count_each():
    assert asking().read("GET /tables/emp/rows?column=id&column=ssn").columns == ("id", "ssn")
    assert asking().read("GET /tables/emp/rows?cursor=a&cursor=b").kind == "unknown"
    assert asking().read("GET /tables/emp/rows?column=id&Column=ssn").kind == "unknown"


def test_a_page_is_what_was_asked_first():
    operation = paged(asking()).read("GET /tables/emp/rows?column=id&column=ssn&cursor=c1")
    assert (operation.kind, operation.dataset, operation.columns) == ("read", "emp", ("id", "ssn"))
    assert operation.result == "c1"


def test_a_page_that_names_no_columns_may_hold_all():
    assert paged(asking()).read("GET /tables/emp/rows?cursor=c1").column_scope == "all"


@pytest.mark.parametrize(
    ("request_", "person"),
    [
        ("GET /tables/emp/rows?cursor=c2", "ada"),
        ("GET /tables/other/rows?cursor=c1", "ada"),
    ],
)
def test_tokens_that_are_unknown_foreign_or_of_something_else(request_, person):
    assert paged(asking()).read(request_, person=person).kind == "unknown"


def test_a_page_of_somebody_elses_names_them_and_stays_theirs():
    it = paged(asking())
    page = "GET /tables/emp/rows?cursor=c1"
    assert it.read(page).owner == "" and it.read(page, person="mallory").owner == "ada"
    it.delivered(page, {"items": [], "next_cursor": "c9"}, person="mallory")
    after = "GET /tables/emp/rows?cursor=c9"
    assert it.read(after).owner == "" and it.read(after, person="mallory").owner == "ada"


def test_a_poll_never_becomes_what_its_result_is():
    it = asking()
    it.delivered("POST /queries", {"id": "q1"}, {"sql": "select ssn from emp"})
    assert it.read("GET /queries/q1").kind == "poll"
    it.delivered("GET /queries/q1", {"id": "q1", "result": "r1"})
    for handle in ("q1", "r1"):
        page = it.read(f"GET /queries/{handle}/rows")
        assert (page.kind, page.columns) == ("read", ("ssn",))


def test_results_of_what_is_declared_otherwise_now_are_not_known():
    it, same, other = (
        asking(),
        asking(),
        Asking("rest", {"staff": {"name": "emp"}}, dialects={"rest": {"routes": ROUTES}}),
    )
    paged(it)
    view = it.view("GET /tables/emp/rows?cursor=c1")
    for settings, kind in ((same.settings, "read"), (other.settings, "unknown"), (it.settings, "read")):
        reader = it.reader.renewed(settings)
        assert reader.read(view, "it", "https://it.test", "ada").kind == kind


def test_columns_of_a_page_and_of_its_first_request_count_both():
    page = paged(asking()).read("GET /tables/emp/rows?column=id&cursor=c1")
    assert (page.columns, page.column_scope) == (("id", "ssn"), "listed")
    page = paged(asking(), query="?column=id").read("GET /tables/emp/rows?column=ssn&cursor=c1")
    assert page.columns == ("id", "ssn")


@pytest.mark.parametrize(
    ("answer", "cursor"),
    [
        ({"next": "https://it.test/tables/emp/rows?cursor=abc%3D&x=1"}, "abc="),
        ({"next_cursor": 7}, "7"),
        ({"next": "/tables/emp/rows?column=id&cursor=rel"}, "rel"),
    ],
)
def test_tokens_in_addresses(answer, cursor):
    assert paged(asking(), {"items": [], **answer}).read(f"GET /tables/emp/rows?cursor={cursor}").kind == "read"


def test_nothing_is_remembered_of_an_error():
    assert paged(asking(), status=403).read("GET /tables/emp/rows?cursor=c1").kind == "unknown"


def test_a_statement_is_read_and_its_result_is_remembered():
    it = asking()
    operation = it.read("POST /queries", QUERY)
    assert (operation.kind, operation.dataset, operation.columns) == ("read", "emp", ("id", "ssn")) or set(
        operation.columns
    ) == {"id", "ssn"}
    it.delivered("POST /queries", {"id": "q1", "columns": [{"name": "x"}, {"name": "id"}], "rows": []}, QUERY)
    page = it.read("GET /queries/q1/rows?page=2")
    assert (page.kind, page.dataset, page.outputs, page.result) == ("read", "emp", operation.outputs, "q1")
    assert it.read("DELETE /queries/q1").kind == "cancel"
    assert it.read("GET /queries/q2/rows").kind == "unknown"
    assert it.read("GET /queries/q1/rows", person="mallory").owner == "ada"
    it.delivered("GET /queries/q1/rows", {"more": "q1b"})
    assert it.read("GET /queries/q1b/rows").dataset == "emp"


@pytest.mark.parametrize(
    "text", ["drop table emp", "copy emp to '/x'", "select ssn from emp; delete from emp", "se lect"]
)
def test_statements_that_are_no_read(text):
    assert asking().read("POST /queries", {"sql": text}).kind != "read"
    assert asking().read("POST /queries", {}).kind == "unknown"


def test_what_goes_out_is_what_was_understood():
    it = asking()
    sent = it.rewritten(
        "POST /queries", b'{"timeout": 1.50, "sql": "select id /* , ssn */ from emp"}', content_type="application/json"
    )
    assert json.loads(sent.body)["sql"] == "SELECT id FROM emp" and b"1.50" in sent.body
    sent = it.rewritten("GET /queries?sql=select+id+--+x%0Afrom+emp")
    assert parse_qs(sent.query)["sql"] == ["SELECT id FROM emp"]
    it.delivered("POST /queries", {"id": "q1", "columns": [], "rows": []}, QUERY)
    assert it.rewritten("GET /queries/q1/rows") is None


def test_rows_where_the_policy_says():
    it = asking()
    (rows,) = it.delivered("GET /tables/emp/rows?column=ssn", {"items": [{"id": 1}, {"id": 2, "ssn": "x"}]}).rows
    assert (rows.path, rows.shape, [c.name for c in rows.columns]) == ("$.items", "objects", ["id", "ssn"])
    answer = {"columns": [{"name": "x"}, {"name": "id"}], "rows": [["s", 1]]}
    (rows,) = it.delivered("POST /queries", answer, QUERY).rows
    assert (rows.path, rows.shape) == ("$.rows", "arrays")
    assert [column.origins for column in rows.columns] == [{("emp", "ssn")}, {("emp", "id")}]


@pytest.mark.parametrize("answer", [b"<html>", {"items": {"a": 1}}, {"items": [[1]]}, {"items": [1]}])
def test_rows_that_are_somewhere_else(answer):
    assert asking().delivered("GET /tables/emp/rows", answer).unreadable


def test_a_form():
    sent = {"content_type": "application/x-www-form-urlencoded"}
    operation = asking().read("POST /exports", b"table=emp&to=s3%3A%2F%2Facme-x%2Fy", **sent)
    assert (operation.kind, operation.dataset, operation.destination_side) == ("export", "emp", "internal")
    for body in (b"table=emp&table=other&to=s3://acme-x", b"table=emp&to=s3://acme-x;to=x", b"table=emp&to=x&more=1"):
        assert asking().read("POST /exports", body, **sent).kind == "unknown"
    assert asking().read("POST /exports", {"table": "emp", "to": "s3://acme-x"}).kind == "unknown"


def test_a_gzip_body():
    body = gzip.compress(json.dumps(QUERY).encode())
    sent = {"content_type": "application/json", "content_encoding": "gzip"}
    assert asking().read("POST /queries", body, **sent).dataset == "emp"
    assert asking().read("POST /queries", body[:-4], **sent).kind == "unknown"


@given(st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.sampled_from(
    ["items", "next", "next_cursor", "id", "rows", "columns", "name"]), x), max_leaves=15))  # fmt: skip
def test_any_answer(answer):
    assert asking().delivered("GET /tables/emp/rows", answer) is not None
    assert asking().delivered("POST /queries", answer, QUERY) is not None


def test_problems_have_a_line_and_a_suggestion(tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("""
[identity]
issuer = "https://idp.test"
[services.it]
hosts = ["it.test"]
dialect = "rest"
[[dialects.rest.routes]]
request = "GET /a"
kind = "read"
hands_out = ["next", "header:a b"]
row_columns = "$.columns"
sql = "postgres"
form = true
result = "path:id"
""")
    found = {problem.where: problem for problem in problems(load(policy))}
    here = "dialects.rest.routes.0"
    assert set(found) == {
        f"{here}.{key}" for key in ("hands_out.0", "hands_out.1", "row_columns", "sql", "form", "result")
    }
    assert found[f"{here}.hands_out.0"].suggestion and found[f"{here}.row_columns"].line == 11
