"""Elasticsearch and OpenSearch, in the shapes of their documentation: no server of either can be run here."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.exchange import Obligation
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.operations.built_in.elasticsearch import ElasticsearchDialect
from sluicegate.operations.destination import Ours
from sluicegate.operations.dialect import Known
from tests.operations.asking import Asker

KNOWN = Known("it", {"emp": "emp", "emp-old": "old", "logs-2026": "logs"}, {"emp": frozenset({"ssn", "a.b"}), "old": frozenset({"ssn"}), "logs": frozenset()}, (Ours.parse("s3://acme-*"),))  # fmt: skip
MEDIA = "application/vnd.elasticsearch+json; compatible-with=9"


class Elastic(Asker):
    def send(self, line, body=None, media=MEDIA):
        if body is None:
            return self.ask(line)
        return self.ask(line, body if isinstance(body, bytes) else json.dumps(body).encode(), **{"content-type": media})


@pytest.fixture
def es():
    return Elastic(ElasticsearchDialect(), KNOWN)


SEARCHES = [
    ({}, "all", (), ()),
    ({"_source": ["ssn", "name"]}, "listed", ("ssn", "name"), ()),
    ({"_source": {"includes": ["ssn"]}}, "listed", ("ssn",), ()),
    ({"_source": {"excludes": ["ssn"]}}, "all", (), ()),
    ({"_source": ["s*"]}, "all", (), ()),
    ({"_source": False}, "none", (), ()),
    ({"_source": False, "fields": ["ssn.keyword"]}, "listed", ("ssn",), ()),
    ({"_source": False, "docvalue_fields": [{"field": "ssn"}]}, "listed", ("ssn",), ()),
    ({"_source": "a.b.c"}, "listed", ("a.b",), ()),
    ({"_source": ["id"], "query": {"bool": {"must": [{"term": {"ssn.keyword": "x"}}], "filter": {"range": {"age": {"gt": 1}}}}}}, "listed", ("id",), ("age", "ssn")),
    ({"_source": ["id"], "query": {"query_string": {"query": "ssn:1*"}}}, "listed", ("id",), ("a.b", "ssn")),
    ({"_source": ["id"], "query": {"match": {"text": {"query": "x", "boost": 2}}}, "sort": [{"ssn": "asc"}, "_score"]}, "listed", ("id",), ("text", "ssn")),
    ({"_source": ["id"], "query": {"nested": {"path": "p", "query": {"exists": {"field": "ssn"}}}}}, "listed", ("id",), ("ssn",)),
    ({"_source": ["id"], "aggs": {"x": {"terms": {"field": "ssn"}}}}, "listed", ("id", "ssn"), ()),
    ({"_source": ["id"], "aggs": {"x": {"composite": {"sources": [{"y": {"terms": {"field": "ssn"}}}]}, "aggs": {"z": {"avg": {"field": "n"}}}}}}, "listed", ("id", "ssn", "n"), ()),
    ({"_source": ["id"], "aggs": {"x": {"top_hits": {}}}}, "all", (), ()),
    ({"_source": ["id"], "highlight": {"fields": {"ssn": {}}}}, "listed", ("id", "ssn"), ()),
    ({"_source": ["id"], "collapse": {"field": "ssn"}}, "listed", ("id", "ssn"), ()),
]  # fmt: skip


@pytest.mark.parametrize(("body", "scope", "columns", "predicates"), SEARCHES)
def test_searches(es, body, scope, columns, predicates):
    asked = es.send("POST /emp/_search?scroll=1m", body)
    assert (asked.kind, asked.dataset, asked.column_scope) == ("read", "emp", scope), asked.route
    assert asked.columns == columns and set(asked.predicates) == set(predicates)


@pytest.mark.parametrize(
    "body",
    [
        {"script_fields": {"x": {"script": "doc['ssn'].value"}}}, {"runtime_mappings": {"x": {"type": "keyword"}}}, {"query": {"script": {"script": "true"}}}, {"sort": {"_script": {}}},
        {"query": {"function_score": {"script_score": {"script": "1"}}}}, {"aggs": {"x": {"terms": {"script": "doc['ssn']"}}}}, {"aggs": {"x": {"scripted_metric": {}}}},
        {"query": {"bool": {"must": {"terms_set": {"x": {"minimum_should_match_script": {}}}}}}},
    ],
)  # fmt: skip
def test_scripts_are_scripts(es, body):
    asked = es.send("POST /emp/_search", body)
    assert (asked.kind, asked.column_scope) == ("script", "all") and asked.script_digest


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("POST /emp/_search", {"evil": 1}), ("POST /emp/_search", {"query": {"evil": {"x": 1}}}), ("POST /emp/_search", {"query": []}) if False else ("POST /emp/_search", {"query": 1}), ("POST /emp/_search", {"aggs": {"x": {"evil": {}}}}),
        ("POST /emp/_search?source=%7B%7D", None), ("POST /emp/_search?format=cbor", {}), ("POST /remote:emp/_search", {}), ("POST /%3Cemp-%7Bnow%7D%3E/_search", {}), ("POST /emp/_search/template", {"id": "x"}),
        ("POST /_render/template", {}), ("GET /emp/_termvectors/1", None), ("POST /_search/scroll", {"scroll_id": "nobodys"}), ("POST /_search", {"pit": {"id": "nobodys"}}), ("POST /_reindex", {"source": {"remote": {}, "index": "x"}, "dest": {"index": "y"}}),
        ("POST /_query", {"query": "FROM emp | LOOKUP JOIN x ON y"}), ("POST /_query", {"query": "ROW a = 1"}), ("POST /_sql?format=csv", {"query": "select 1"}), ("POST /_evil", {}), ("DELETE /_search/scroll", {"scroll_id": "_all"}),
        ("POST /_msearch", b"{}\n"), ("POST /_bulk", b'{"evil":{}}\n'), ("POST /emp/_search", b'{"size":1,"size":2}'), ("POST /emp/_search", b"\xff"),
    ],
)  # fmt: skip
def test_what_is_not_understood(es, line, body):
    asked = es.send(line, body)
    assert (asked.kind, asked.column_scope) == ("unknown", "unknown") and asked.route


def test_patterns_mean_all_that_they_cover(es):
    asked = es.send("POST /emp*/_search", {})
    assert [(one.dataset, one.declared) for one in (asked, *asked.parts)] == [
        ("emp", True),
        ("old", True),
        ("emp*", False),
    ]
    asked = es.send("POST /_search", {})
    assert {one.dataset for one in (asked, *asked.parts)} == {"emp", "old", "logs", "_all"}
    asked = es.send("POST /emp,logs-2026/_search", {})
    assert [one.dataset for one in (asked, *asked.parts)] == ["emp", "logs"]


def test_scrolls_and_points_in_time_are_remembered(es):
    es.send("POST /emp/_search?scroll=1m", {"_source": ["id"], "slice": {"id": 0, "max": 4}})
    assert es.operation.chunks == ("slice 0/4",)
    es.answer({"_scroll_id": "abc==", "hits": {"hits": []}})
    page = es.send("POST /_search/scroll", {"scroll": "1m", "scroll_id": "abc=="})
    assert (page.kind, page.dataset, page.columns, page.chunks) == ("read", "emp", ("id",), ("scroll",))
    assert es.send("DELETE /_search/scroll", {"scroll_id": ["abc=="]}).kind == "cancel"
    eve = es.another("idp eve")
    eve.__class__ = Elastic
    assert eve.send("POST /_search/scroll", {"scroll_id": "abc=="}).owner == "idp ada"
    es.send("POST /emp/_pit?keep_alive=1m")
    assert (es.operation.kind, es.operation.dataset) == ("poll", "emp")
    es.answer({"id": "pit-1"})
    at = es.send(
        "POST /_search",
        {"pit": {"id": "pit-1", "keep_alive": "1m"}, "slice": {"id": 1, "max": 2}, "search_after": ["x"]},
    )
    assert (at.kind, at.dataset, at.column_scope, at.chunks[0]) == ("read", "emp", "all", "slice 1/2")
    assert es.send("POST /logs-2026/_search", {"pit": {"id": "pit-1"}}).kind == "unknown"
    assert eve.send("POST /_search", {"pit": {"id": "pit-1"}}).owner == "idp ada"


@pytest.mark.parametrize(
    ("made", "answer", "ends"),
    [
        ("POST /emp/_pit?keep_alive=1m", {"id": "h"}, ("DELETE /_pit", {"id": "h"})),
        ("POST /emp/_pit?keep_alive=1m", {"id": "h"}, ("DELETE /_search/point_in_time", {"pit_id": ["h"]})),
        ("POST /_sql", {"cursor": "h", "columns": []}, ("POST /_sql/close", {"cursor": "h"})),
    ],
)
def test_what_is_ended_is_ones_own_and_named(es, made, answer, ends):
    es.send(made, {"query": "select id from emp"} if "_sql" in made else b"")
    es.answer(answer)
    request, named = ends
    ended = es.send(request, named)
    assert (ended.kind, ended.dataset, ended.owner) == ("cancel", "emp", "")
    eve = es.another("idp eve")
    eve.__class__ = Elastic
    assert eve.send(request, named).owner == "idp ada"
    for other in ({}, {**named, "more": 1}, dict.fromkeys(named, "another"), dict.fromkeys(named, 7)):
        assert es.send(request, other).kind == "unknown"


def test_values_beside_documents_are_leaks(es):
    es.send("POST /emp/_search", {"aggs": {"x": {"terms": {"field": "ssn.keyword"}}}, "sort": ["ssn"]})
    found = es.answer({"hits": {"hits": []}})
    assert {"$.aggregations", "$.hits.hits[*].sort", "$.hits.hits[*].fields", "$.hits.hits[*].highlight"} <= set(
        found.leaks
    )
    assert ("$.hits.hits[*]._source", "one") in {(rows.path, rows.shape) for rows in found.rows}
    es.send("POST /emp/_search", {"aggs": {"x": {"terms": {"field": "dept"}}}, "sort": ["age"]})
    assert "$.aggregations" not in es.answer({"hits": {"hits": []}}).leaks


FAILED = {"reason": {"type": "illegal_argument", "reason": "cannot read [123-45-6789]"}}


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("POST /emp/_search", {"hits": {"hits": []}, "_shards": {"failures": [FAILED]}}),
        ("POST /emp/_search", {"error": FAILED}),
        ("POST /emp/_async_search", {"response": {"_shards": {"failures": [FAILED]}}, "error": FAILED}),
        ("POST /emp/_msearch", {"responses": [{"error": FAILED}, {"_shards": {"failures": [FAILED]}}]}),
        ("POST /_mget", {"docs": [{"error": FAILED}]}),
        ("POST /emp/_bulk", {"items": [{"index": {"error": FAILED}}]}),
        ("POST /emp/_update_by_query", {"failures": [{"cause": FAILED["reason"]}]}),
        ("POST /emp/_search", {"hits": {"hits": [{"fields": {}, "ignored_field_values": {"ssn.keyword": ["123-45-6789"]}}]}}),
    ],
)  # fmt: skip
def test_what_failed_inside_an_answer_may_quote_a_value(es, request_, answer):
    es.send(request_, {"fields": ["ssn.keyword"]} if request_.endswith("_search") else b"")
    sent = json.dumps({**answer, "took": 3}).encode()
    plan = Plan((Obligation("m", "redact", frozenset({"ssn"}), dataset="emp"),), Methods(b"k" * 32))
    reply = Reply("POST", 200, ((b"content-type", b"application/json"),), sent)
    left = mask(reply, plan, (), 1 << 20, es.answer({**answer, "took": 3})).body
    assert b"123-45-6789" not in left and b'"took":3' in left


OTHERS = [
    ("POST /emp/_count", {"query": {"term": {"ssn": 1}}}, "read", "emp"), ("GET /emp/_doc/1?_source_includes=id", None, "read", "emp"), ("GET /emp/_source/1", None, "read", "emp"),
    ("POST /_mget", {"docs": [{"_index": "emp", "_id": "1"}]}, "read", "emp"), ("POST /emp/_doc", {"a": 1}, "write", "emp"), ("PUT /emp/_create/1", {"a": 1}, "write", "emp"), ("DELETE /emp/_doc/1", None, "write", "emp"),
    ("POST /emp/_update/1", {"doc": {}}, "write", "emp"), ("POST /emp/_update/1", {"script": "x"}, "script", "emp"), ("POST /emp/_delete_by_query", {"query": {"match_all": {}}}, "write", "emp"),
    ("GET /_cat/indices", None, "poll", None), ("GET /", None, "poll", None), ("HEAD /emp", None, "poll", "emp"), ("GET /emp/_mapping", None, "poll", "emp"), ("PUT /emp", {"settings": {}}, "admin", "emp"), ("DELETE /emp", None, "admin", "emp"),
    ("PUT /_scripts/x", {"script": {}}, "script", None), ("PUT /_security/user/x", {"password": "x"}, "share", None), ("PUT /_watcher/watch/x", {}, "admin", None), ("POST /emp/_terms_enum", {"field": "ssn", "string": "1"}, "read", "emp"),
    ("POST /_query", {"query": "FROM emp | WHERE ssn LIKE \"1*\" | KEEP id"}, "read", "emp"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "body", "kind", "dataset"), OTHERS)
def test_other_requests(es, line, body, kind, dataset):
    asked = es.send(line, body)
    assert (asked.kind, asked.dataset) == (kind, dataset), asked.route


def test_exports_have_a_destination(es):
    asked = es.send("POST /_reindex", {"source": {"index": "emp"}, "dest": {"index": "copy"}})
    assert (asked.kind, asked.dataset, asked.column_scope, asked.destination, asked.destination_side) == (
        "export",
        "emp",
        "all",
        "index://copy",
        "external",
    )
    asked = es.send("PUT /_snapshot/nightly/1", {"indices": "emp"})
    assert (asked.kind, asked.dataset, asked.destination, asked.destination_side) == (
        "export",
        "emp",
        "snapshot://nightly",
        "external",
    )
    asked = es.send("PUT /_snapshot/evil", {"type": "s3", "settings": {"bucket": "evil"}})
    assert (asked.kind, asked.destination, asked.destination_side) == ("admin", "s3://evil", "external")
    assert (
        es.send("PUT /_snapshot/ours", {"type": "s3", "settings": {"bucket": "acme-x"}}).destination_side == "internal"
    )


def test_many_at_once(es):
    lines = b'{"index":"emp"}\n{"_source":["id"]}\n{"index":["logs-2026"]}\n{"query":{"match_all":{}}}\n'
    asked = es.send("POST /_msearch", lines, "application/x-ndjson")
    assert [(one.dataset, one.column_scope) for one in (asked, *asked.parts)] == [("emp", "listed"), ("logs", "all")]
    lines = b'{"index":{"_index":"emp"}}\n{"a":1}\n{"delete":{"_id":"2"}}\n{"update":{"_id":"3"}}\n{"script":"x"}\n'
    asked = es.send("POST /logs-2026/_bulk", lines, "application/x-ndjson")
    assert {(one.kind, one.dataset) for one in (asked, *asked.parts)} == {
        ("write", "emp"),
        ("write", "logs"),
        ("script", None),
    }


def test_sql_and_its_cursor(es):
    asked = es.send("POST /_sql?format=json", {"query": "SELECT ssn FROM emp", "fetch_size": 5})
    assert (asked.kind, asked.dataset) == ("read", "emp")
    found = es.answer({"columns": [{"name": "ssn", "type": "text"}], "rows": [["x"]], "cursor": "c1"})
    assert [(rows.path, rows.shape, len(rows.columns)) for rows in found.rows] == [("$.rows", "arrays", 1)]
    assert es.send("POST /_sql", {"cursor": "c1"}).dataset == "emp"
    assert es.send("POST /_plugins/_sql", {"query": "DROP TABLE emp"}).kind in ("admin", "unknown")


def test_a_document_of_ones_own_names_no_results(es):
    es.send("POST /emp/_search?scroll=1m", {"_source": ["ssn"]})
    es.answer({"_scroll_id": "s1", "hits": {"hits": []}})
    es.send("POST /_sql", {"query": "SELECT ssn FROM emp"})
    es.answer({"columns": [{"name": "ssn", "type": "text"}], "rows": [], "cursor": "c1"})
    for line in ("GET /logs-2026/_source/1", "GET /logs-2026/_doc/1", "GET /logs-2026/_mapping"):
        assert es.send(line).dataset == "logs"
        es.answer({"_scroll_id": "s1", "cursor": "c1", "pit_id": "p1", "id": "a1"})
    assert es.send("POST /_search/scroll", {"scroll_id": "s1"}).dataset == "emp"
    assert es.send("POST /_sql", {"cursor": "c1"}).dataset == "emp"
    assert es.send("POST /_search", {"pit": {"id": "p1"}}).kind == "unknown"


def test_a_question_about_a_search_does_not_take_its_place(es):
    es.send("POST /emp/_async_search", {"_source": ["ssn"]})
    es.answer({"id": "a1", "is_running": True})
    assert es.send("GET /_async_search/status/a1").kind == "poll"
    es.answer({"id": "a1", "is_running": False})
    page = es.send("GET /_async_search/a1")
    assert (page.kind, page.columns) == ("read", ("ssn",))


def test_the_cursor_of_the_plugin_is_remembered(es):
    es.send("POST /_plugins/_sql", {"query": "SELECT ssn FROM emp"})
    (rows,) = es.answer({"schema": [{"name": "ssn", "type": "text"}], "datarows": [["x"]], "cursor": "c9"}).rows
    assert rows.path == "$.datarows"
    assert es.send("POST /_plugins/_sql", {"cursor": "c9"}).dataset == "emp"


LOOKED_UP = [
    {"terms": {"v": {"index": "emp", "id": "1", "path": "ssn"}}},
    {"bool": {"filter": {"terms": {"v": {"index": "emp", "id": "1", "path": "ssn"}}}}},
    {"geo_shape": {"place": {"indexed_shape": {"index": "emp", "id": "1", "path": "home"}}}},
    {"more_like_this": {"fields": ["v"], "like": [{"_index": "emp", "_id": "1"}]}},
]


@pytest.mark.parametrize("query", LOOKED_UP)
def test_values_from_a_document_of_another_index_are_not_understood(es, query):
    assert es.send("POST /logs-2026/_search", {"query": query}).kind == "unknown"


@pytest.mark.parametrize(
    "body",
    [
        {"sort": [{"_geo_distance": {"ssn": [1, 2], "unit": "m"}}]},
        {"sort": [{"x.y": {"nested": {"path": "x", "filter": {"term": {"ssn": "1"}}}}}]},
        {"sort": [{"x.y": {"nested": {"path": "x", "nested": {"path": "z", "filter": {"term": {"ssn": "1"}}}}}}]},
        {"aggs": {"a": {"significant_terms": {"field": "x", "background_filter": {"term": {"ssn": "1"}}}}}},
    ],
)
def test_fields_inside_sorts_and_aggregations_count(es, body):
    asked = es.send("POST /emp/_search", {"_source": ["id"], **body})
    assert "ssn" in (*asked.columns, *asked.predicates) and "aggregate" in asked.statements
    assert es.send("POST /emp/_search", {"query": {"range": {"age": {"gt": 1, "lt": 2}}}}).kind == "read"


def test_a_refusal_is_an_error_of_the_service(es):
    es.send("POST /emp/_search", {})
    answer = es.refused()
    document = json.loads(answer.body)
    assert answer.status == document["status"] == 403 and "Leave ssn out." in document["error"]["reason"]
    assert dict(answer.headers)["x-elastic-product"] == "Elasticsearch"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from(["ssn", "*", "emp", "_all", "a.b", "asc", ""]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["bool", "must", "term", "field", "fields", "query", "terms", "aggs", "script", "exists", "id", "index", "includes", "nested"]), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip
MEMBERS = st.sampled_from(["query", "aggs", "sort", "_source", "fields", "highlight", "collapse", "pit", "slice", "search_after", "size", "knn", "source", "dest", "docs", "ids", "scroll_id", "cursor", "indices", "settings", "post_filter"])  # fmt: skip


@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"]),
    st.lists(st.sampled_from(["emp", "emp*", "_all", "_search", "scroll", "_doc", "_sql", "_query", "_bulk", "_msearch", "_mget", "_count", "_reindex", "_snapshot", "_pit", "_cat", "x", "_update", "%2e"]), max_size=4),
    st.dictionaries(MEMBERS, JSON, max_size=4) | st.binary(max_size=20),
    st.sampled_from(["", "q=x", "_source=ssn", "scroll=1m", "sort=ssn:asc", "evil=1", "q=1&q=2"]),
)  # fmt: skip
def test_nothing_raises(method, path, body, query):
    es = Elastic(ElasticsearchDialect(), KNOWN)
    asked = es.send(f"{method} /{'/'.join(path)}?{query}", body)
    for one in (asked, *asked.parts):
        assert one.service == "it" and (one.kind != "unknown" or one.column_scope == "unknown")
        assert one.kind != "export" or one.destination_side in ("internal", "external")
    es.answer(body if isinstance(body, bytes) else {"hits": {"hits": []}, **body})
    assert es.refused().status == 403
