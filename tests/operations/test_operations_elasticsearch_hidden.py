"""What a search of Elasticsearch reads, shows or runs in places where nobody looks for it."""

import pytest

from sluicegate.operations.built_in.elasticsearch import ElasticsearchDialect
from tests.operations.test_operations_elasticsearch import KNOWN, Elastic

INNER = {"script_fields": {"x": {"script": "doc['ssn'].value"}}, "docvalue_fields": ["ssn.keyword"]}
NESTED = {"nested": {"path": "p", "query": {"match_all": {}}, "inner_hits": INNER}}


@pytest.fixture
def es():
    return Elastic(ElasticsearchDialect(), KNOWN)


@pytest.mark.parametrize(
    "body",
    [
        {"query": NESTED},
        {"query": {"bool": {"must": [{"term": {"id": 1}}, NESTED]}}},
        {"query": {"has_child": {"type": "x", "query": {"match_all": {}}, "inner_hits": {}}}},
        {"query": {"function_score": {"query": {"match_all": {}}, "functions": [{"filter": NESTED}]}}},
        {"collapse": {"field": "id", "inner_hits": {"name": "x", **INNER}}},
        {"collapse": {"field": "id", "collapse": {"field": "ssn"}}},
        {"collapse": "ssn"},
        {"knn": {"field": "v", "query_vector": [1], "k": 1, "num_candidates": 1, "inner_hits": INNER}},
        {"highlight": {"fields": {"name": {"highlight_query": {"script": {"script": "true"}}}}}},
        {"highlight": {"fields": {"name": {}}, "highlight_query": {"term": {"ssn": "1"}}}},
        {"highlight": {"fields": [{"name": {"matched_fields": ["ssn"]}}]}},
        {"query": {"bool": {"must": [], "must_also": {"term": {"ssn": "1"}}}}},
    ],
)
def test_hits_inside_hits_and_queries_inside_highlights_are_not_understood(es, body):
    assert es.send("POST /emp/_search", {"_source": ["id"], **body}).kind == "unknown"


@pytest.mark.parametrize(
    "query",
    [
        {"intervals": {"name": {"match": {"query": "1", "use_field": "ssn"}}}},
        {"terms_set": {"name": {"terms": ["a"], "minimum_should_match_field": "ssn"}}},
        {"function_score": {"field_value_factor": {"field": "ssn"}, "boost_mode": "replace"}},
        {"rank_feature": {"field": "ssn"}},
    ],
)
def test_fields_that_are_named_inside_a_clause_choose_the_hits_and_their_scores(es, query):
    asked = es.send("POST /emp/_search", {"_source": ["id"], "query": query})
    assert asked.kind == "read" and "ssn" in asked.predicates and "aggregate" in asked.statements
    found = es.answer({"hits": {"hits": [{"_score": 123.0, "_source": {"id": 1}}], "max_score": 123.0}})
    assert {"$.hits.hits[*]._score", "$.hits.max_score"} <= set(found.leaks)


def test_a_search_by_what_nobody_minds_keeps_its_scores(es):
    es.send(
        "POST /emp/_search", {"_source": ["id"], "query": {"bool": {"must": [{"match": {"text": "x"}}], "boost": 2}}}
    )
    assert "$.hits.hits[*]._score" not in es.answer({"hits": {"hits": []}}).leaks


@pytest.mark.parametrize("more", ["stored_fields=ssn.keyword", "docvalue_fields=ssn"])
@pytest.mark.parametrize(("line", "body"), [("GET /emp/_doc/1", None), ("POST /emp/_mget", {"ids": ["1"]})])
def test_documents_come_as_documents_alone(es, line, body, more):
    assert es.send(f"{line}?{more}", body).kind == "unknown"


@pytest.mark.parametrize("line", ["GET /_tasks?detailed=true", "GET /_cat/tasks?detailed", "GET /_tasks/x:1"])
def test_what_others_have_asked_is_not_shown_by_a_poll(es, line):
    assert es.send(line).kind == "unknown"
    assert es.send("GET /_tasks").kind == "poll"


@pytest.mark.parametrize(
    ("line", "body", "datasets"),
    [
        ("POST /emp/_clone/other", None, {"emp"}),
        ("PUT /emp/_split/other", {}, {"emp"}),
        ("PUT /emp/_alias/other", {}, {"emp"}),
        ("POST /_aliases", {"actions": [{"add": {"index": "emp", "alias": "other"}}]}, {"emp", "old"}),
        ("PUT /_transform/x", {"source": {"index": "emp"}, "dest": {"index": "other"}}, {"emp", "old"}),
        ("PUT /_enrich/policy/x", {"match": {"indices": "emp"}}, {"emp", "old"}),
        ("PUT /_watcher/watch/x", {"input": {"search": {}}}, {"emp", "old"}),
    ],
)
def test_an_index_under_another_name_is_shared(es, line, body, datasets):
    asked = es.send(line, body)
    shared = [one for one in (asked, *asked.parts) if one.kind == "share"]
    assert asked.kind == "admin" and {one.dataset for one in shared} == datasets and all(one.into for one in shared)


def test_an_index_without_sensitive_fields_may_have_other_names(es):
    asked = es.send("PUT /logs-2026/_alias/other", {})
    assert {one.kind for one in (asked, *asked.parts)} <= {"admin", "read"}


@pytest.mark.parametrize(
    "statement",
    ["select id from emp where match('ssn^2,name', '123')", "select id from emp where QUERY ('ssn:1*')", 'select id from "emp,emp-old"',
     'select id from "emp*"', "select id from emp where Match(\"ssn\", '1')"],
)  # fmt: skip
def test_fields_and_indices_in_texts_of_a_statement_are_not_understood(es, statement):
    assert es.send("POST /_sql", {"query": statement}).kind == "unknown"


def test_a_field_inside_another_is_read_by_its_path(es):
    asked = es.send("POST /_sql", {"query": "select a.b from emp"})
    assert "a.b" in asked.columns and ("emp", "a.b") in asked.outputs[0].origins


@pytest.mark.parametrize(
    "body",
    [
        {"_source": ["a"]},
        {"_source": False, "fields": ["a"]},
        {"_source": ["id"], "aggs": {"x": {"terms": {"field": "a"}}}},
    ],
)
def test_who_reads_an_object_reads_what_is_declared_inside(es, body):
    assert "a.b" in es.send("POST /emp/_search", body).columns
