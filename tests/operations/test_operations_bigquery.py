"""BigQuery: the query request as its Python client sends it, the rest in the documented shape."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.operations.built_in.bigquery import BigQueryDialect
from sluicegate.operations.destination import Ours
from sluicegate.operations.dialect import Known
from tests.operations.asking import SENTENCE, Asker, origins

KNOWN = Known(
    "warehouse",
    {"p.hr.emp": "emp", "p.hr.notes": "notes"},
    {"emp": frozenset({"ssn"}), "notes": frozenset()},
    (Ours.parse("gs://acme-*"),),
    {"emp": ("id", "name", "ssn")},
)
ROOT = "/bigquery/v2/projects/p"
HR = {"projectId": "p", "datasetId": "hr"}
EMP, OTHER = {**HR, "tableId": "emp"}, {"projectId": "q", "datasetId": "x", "tableId": "t"}


def asker():
    return Asker(BigQueryDialect(), KNOWN)


def sql(who, text, **more):
    document = {"useLegacySql": False, "formatOptions": {"useInt64Timestamp": True}, "timeoutMs": 4750, "query": text}
    return who.ask(f"POST {ROOT}/queries?prettyPrint=false", {**document, "maxResults": 100, "requestId": "r", **more})


def job(who, **configuration):
    return who.ask(
        f"POST {ROOT}/jobs", {"configuration": configuration, "jobReference": {"jobId": "j", "projectId": "p"}}
    )


def rows(names=("id", "x"), values=("1", "2")):
    fields = {"fields": [{"name": name, "type": "STRING", "mode": "NULLABLE"} for name in names]} if names else None
    found = [{"f": [{"v": value} for value in values]}]
    document = {
        "jobReference": {"projectId": "p", "jobId": "j-1"},
        "rows": found,
        "pageToken": "t",
        "jobComplete": True,
    }
    return {**document, "schema": fields} if fields else document


def test_a_query_and_its_pages():
    who = asker()
    asked = sql(who, "select id, ssn as x /* y */ from hr.emp")
    assert (asked.kind, asked.dataset, asked.rows) == ("read", "emp", 100)
    sent = json.loads(who.sent.body)
    assert sent["query"] == "SELECT id, ssn AS x FROM hr.emp" and sent["useLegacySql"] is False
    (found,) = who.answer(rows()).rows
    assert (found.path, found.shape, found.cell) == ("$.rows[*].f", "one", "v")
    assert origins(found.columns) == [("id", ["id"]), ("x", ["ssn"])]
    got = who.ask(f"GET {ROOT}/queries/j-1?pageToken=t&maxResults=2&fields=rows")
    assert (got.outputs, got.chunks) == (asked.outputs, ("pageToken=t",))
    assert origins(who.answer(rows(None)).rows[0].columns) == [("id", ["id"]), ("x", ["ssn"])]
    assert who.another("idp eve").ask(f"GET {ROOT}/queries/j-1").owner == "idp ada"
    assert who.ask(f"GET {ROOT}/queries/j-2").kind == "unknown"
    assert who.ask("GET /bigquery/v2/projects/q/queries/j-1").kind == "unknown"
    assert who.ask(f"GET {ROOT}/jobs/j-1").kind == "poll"
    assert who.ask(f"POST {ROOT}/jobs/j-1/cancel").kind == "cancel"


def test_a_poll_does_not_take_the_place_of_its_query():
    who = asker()
    asked = sql(who, "select id, ssn from hr.emp")
    who.answer(rows())
    assert who.ask(f"GET {ROOT}/jobs/j-1").kind == "poll"
    who.answer({"jobReference": {"projectId": "p", "jobId": "j-1"}, "status": {"state": "DONE"}})
    page = who.ask(f"GET {ROOT}/queries/j-1")
    assert (page.kind, page.outputs) == ("read", asked.outputs)


def test_where_names_belong():
    who = asker()
    assert sql(who, "select ssn from emp", defaultDataset=HR).dataset == "emp"
    assert not sql(who, "select ssn from emp", defaultDataset={"projectId": "p", "datasetId": "other"}).declared
    assert not sql(who, "select ssn from `q.hr.emp`").declared
    assert sql(who, "select ssn from `p.hr.emp`").dataset == "emp"


def test_pages_of_what_is_not_known_exactly():
    who = asker()
    asked = sql(who, "select * from x.y")
    who.answer(rows(("a", "b")))
    assert who.ask(f"GET {ROOT}/queries/j-1?pageToken=t").outputs == asked.outputs
    assert origins(who.answer(rows(None)).rows[0].columns) == [("a", None), ("b", None)]


@pytest.mark.parametrize(
    "more",
    [
        {"useLegacySql": True}, {"useLegacySql": None}, {"connectionProperties": [{"key": "session_id"}]}, {"createSession": True},
        {"query": 3}, {"surprise": 1}, {"defaultDataset": {"datasetId": "hr", "x": 1}}, {"query": "bogus ((("},
    ],
)  # fmt: skip
def test_what_changes_the_meaning_is_not_understood(more):
    who = asker()
    assert sql(who, "select 1", **more).kind == "unknown" and who.sent is None


def test_query_jobs_write_where_they_say():
    who = asker()
    operation = job(who, query={"query": "select ssn from hr.emp", "useLegacySql": False, "destinationTable": OTHER})
    assert (operation.kind, operation.dataset) == ("read", "emp")
    assert [(part.kind, part.dataset, part.into) for part in operation.parts] == [
        ("write", "q.x.t", ()), ("share", "emp", ("q.x.t",)),
    ]  # fmt: skip
    assert json.loads(who.sent.body)["configuration"]["query"]["query"] == "SELECT ssn FROM hr.emp"
    harmless = job(who, query={"query": "select id from hr.emp", "useLegacySql": False, "destinationTable": OTHER})
    assert [(part.kind, part.dataset) for part in harmless.parts] == [("write", "q.x.t"), ("read", "emp")]
    assert job(who, query={"query": "select 1", "useLegacySql": False}).parts == ()


def test_extract_jobs_are_exports():
    who = asker()
    outside = job(who, extract={"sourceTable": EMP, "destinationUris": ["gs://evil/x-*"]})
    assert (outside.kind, outside.dataset, outside.column_scope) == ("export", "emp", "all")
    assert outside.destination_side == "external" and outside.outputs is None
    ours = job(who, extract={"sourceTable": EMP, "destinationUri": "gs://acme-x/y"})
    assert (ours.destination, ours.destination_side) == ("gs://acme-x/y", "internal")
    both = job(who, extract={"sourceTable": EMP, "destinationUris": ["gs://acme-x/y", "gs://evil/x"]})
    assert both.destination_side == "external"
    for bad in (
        {"sourceTable": EMP},
        {"destinationUris": ["gs://x/y"]},
        {"sourceModel": {}, "destinationUris": ["gs://x/y"]},
    ):
        assert job(who, extract=bad).kind == "unknown"


def test_copies_read_and_write():
    who = asker()
    operation = job(who, copy={"sourceTables": [EMP, OTHER], "destinationTable": OTHER})
    assert (operation.kind, operation.dataset) == ("write", "q.x.t")
    assert [(part.kind, part.dataset, part.column_scope) for part in operation.parts] == [
        ("share", "emp", "all"), ("read", "q.x.t", "all"),
    ]  # fmt: skip
    assert job(who, copy={"destinationTable": OTHER}).kind == "unknown"
    assert job(who, load={"sourceUris": ["gs://x/y"], "destinationTable": EMP}).kind == "write"


def test_partitions_and_decorators_of_tables_are_not_plain_names():
    who = asker()
    for table in ("emp$20260101", "emp@1", "emp*"):
        assert job(who, copy={"sourceTable": {**HR, "tableId": table}, "destinationTable": OTHER}).kind == "unknown"
        assert who.ask(f"GET {ROOT}/datasets/hr/tables/{table}/data").kind == "unknown"


@pytest.mark.parametrize(
    "configuration", [{}, {"query": {"query": "select 1", "useLegacySql": False}, "copy": {}}, {"x": 1}]
)
def test_jobs_do_one_thing(configuration):
    assert job(asker(), **configuration).kind == "unknown"


def test_rows_of_a_table():
    who = asker()
    every = who.ask(f"GET {ROOT}/datasets/hr/tables/emp/data?startIndex=5&maxResults=7")
    assert (every.kind, every.dataset, every.column_scope, every.rows) == ("read", "emp", "all", 7)
    assert origins(every.outputs) == [("id", ["id"]), ("name", ["name"]), ("ssn", ["ssn"])]
    assert origins(who.answer({"rows": [{"f": [{"v": "1"}] * 3}]}).rows[0].columns)[2] == ("ssn", ["ssn"])
    assert origins(who.answer({"rows": [{"f": [{"v": "1"}] * 2}]}).rows[0].columns)[1] == ("column 2", None)
    some = who.ask(f"GET {ROOT}/datasets/hr/tables/emp/data?selectedFields=SSN,id")
    assert (some.columns, some.column_scope) == (("SSN", "id"), "listed")
    assert origins(some.outputs) == [("id", ["id"]), ("ssn", ["ssn"])]
    odd = who.ask(f"GET {ROOT}/datasets/hr/tables/emp/data?selectedFields=a.b,id")
    assert odd.kind == "unknown" or odd.outputs is None
    assert who.ask(f"GET {ROOT}/datasets/hr/tables/emp/data?surprise=1").kind == "unknown"
    assert not who.ask("GET /bigquery/v2/projects/q/datasets/hr/tables/emp/data").declared


def test_other_routes_and_refusals():
    who = asker()
    for line in (
        "GET /bigquery/v2/projects",
        f"GET {ROOT}/datasets",
        f"DELETE {ROOT}/datasets/hr",
        "POST /upload/bigquery/v2/x",
    ):
        assert who.ask(line).kind == "unknown"
    sql(who, "select ssn from hr.emp")
    error = json.loads(who.refused().body)["error"]
    assert (
        who.refused().status == 403 and error["message"] == SENTENCE and error["errors"][0]["reason"] == "accessDenied"
    )


VALUES = st.none() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=3), max_size=3)
NESTED = VALUES | st.dictionaries(
    st.sampled_from(
        [
            "projectId",
            "datasetId",
            "tableId",
            "query",
            "sourceTable",
            "sourceTables",
            "destinationTable",
            "destinationUris",
            "fields",
        ]
    ),
    VALUES,
)


@given(
    st.sampled_from([f"POST {ROOT}/queries", f"POST {ROOT}/jobs", f"GET {ROOT}/queries/j-1", f"GET {ROOT}/datasets/hr/tables/emp/data"]),
    st.dictionaries(st.sampled_from(["query", "useLegacySql", "defaultDataset", "configuration"]), NESTED) | st.binary(max_size=30),
    st.dictionaries(st.sampled_from(["query", "extract", "copy", "load"]), NESTED),
    st.dictionaries(st.sampled_from(["jobReference", "schema", "rows", "errors"]), NESTED) | st.binary(max_size=30),
)  # fmt: skip
def test_nothing_is_raised(line, body, configuration, reply):
    who = asker()
    sql(who, "select id from hr.emp")
    who.answer(rows())
    if isinstance(body, dict) and configuration:
        body = {**body, "configuration": configuration}
    who.ask(line, body)
    who.answer(reply)
    who.refused()
    if who.operation.kind != "unknown":
        assert who.sent is None or json.loads(who.sent.body)
