"""The declared dialect: what a request asks for, and that nothing it does not understand has a known kind."""

import hashlib
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.clock import SetClock
from sluicegate.exchange import OTHERS, Operation
from sluicegate.operations import Reader, RequestView
from sluicegate.settings import Settings

ROUTES = [
    {"request": "GET /datasets/{dataset}", "kind": "read", "dataset": "path:dataset"},
    {"request": "GET /datasets/{dataset}/chunks/{chunk}", "kind": "read", "dataset": "path:dataset", "chunks": "path:chunk",
     "columns": "query:columns", "accepts": ["pretty"]},
    {"request": "GET /datasets/{dataset}/chunks/last", "kind": "poll", "dataset": "path:dataset"},
    {"request": "POST /datasets/{dataset}/query", "kind": "read", "dataset": "path:dataset", "columns": "$.columns",
     "statement": "$.filter", "accepts": ["limit"]},
    {"request": "POST /datasets/{dataset}/exports", "kind": "export", "dataset": "path:dataset", "columns": "$.columns",
     "chunks": "$.chunks", "destination": "$.destination"},
    {"request": "POST /copies", "kind": "export", "dataset": "$.source.name", "destination": "$.targets[*].uri"},
    {"request": "POST /scripts", "kind": "script", "dataset": "$.dataset", "script": "$.code"},
    {"request": "GET /rows", "kind": "read", "dataset": "header:X-Dataset"},
    {"request": "POST /notes", "kind": "write", "accepts": ["text"]},
    {"request": "DELETE /datasets/{dataset}", "kind": "admin", "dataset": "path:dataset"},
]  # fmt: skip
SETTINGS = Settings.model_validate(
    {
        "identity": {"issuer": "https://idp.test"},
        "gateway": {"internal_destinations": ["s3://acme-*"]},
        "dialects": {"chunks": {"routes": ROUTES}},
        "services": {
            "chunks": {"hosts": ["chunks.test"], "dialect": "chunks"},
            "other": {"hosts": ["other.test"], "dialect": "chunks"},
        },
        "datasets": {
            "customers": {"service": "chunks", "columns": {"ssn": "restricted", "full name": "personal"}},
            "orders": {"service": "chunks", "name": "prod.orders"},
            "elsewhere": {"service": "other"},
        },
    }
)
READER = Reader(SETTINGS, SetClock())


def read(request, body=None, service="chunks", **headers):
    method, _, target = request.partition(" ")
    path, _, query = target.partition("?")
    sent = {name.lower().replace("_", "-"): (value,) for name, value in headers.items()}
    data = b""
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent.setdefault("content-type", ("application/json",))
    return READER.read(RequestView(method, path, query, sent, data), service, "https://x.test", "somebody")


def test_a_chunk():
    assert read("GET /datasets/customers/chunks/7?columns=id,full%20name&pretty=1") == Operation(
        "chunks",
        "read",
        dataset="customers",
        declared=True,
        chunks=("7",),
        columns=("id", "full name"),
        column_scope="listed",
        route="GET /datasets/{dataset}/chunks/{chunk}",
    )


@pytest.mark.parametrize(
    ("columns", "scope", "listed"),
    [
        ("", "all", ()),
        ("?columns=", "all", ()),
        ("?columns=*", "all", ()),
        ("?columns=id,*", "all", ()),
        ("?columns=id", "listed", ("id",)),
        ("?columns=SSN,ssn", "listed", ("SSN", "ssn")),
    ],
)
def test_column_scope(columns, scope, listed):
    operation = read(f"GET /datasets/customers/chunks/7{columns}")
    assert (operation.kind, operation.column_scope, operation.columns) == ("read", scope, listed)


@pytest.mark.parametrize(
    ("body", "scope", "listed"),
    [
        ({}, "all", ()),
        ({"columns": None}, "all", ()),
        ({"columns": []}, "all", ()),
        ({"columns": "*"}, "all", ()),
        ({"columns": ["id", "ssn"]}, "listed", ("id", "ssn")),
        ({"columns": "id,ssn", "limit": [1, {"x": 2}]}, "listed", ("id", "ssn")),
    ],
)
def test_column_scope_of_a_body(body, scope, listed):
    operation = read("POST /datasets/customers/query", body)
    assert (operation.kind, operation.column_scope, operation.columns) == ("read", scope, listed)


def test_scope_without_a_selector():
    assert read("GET /datasets/customers").column_scope == "all"
    assert read("POST /copies", {"source": {"name": "customers"}}).column_scope == "all"
    assert read("DELETE /datasets/customers").column_scope == "none"
    assert read("GET /datasets/customers/chunks/last").column_scope == "none"


@pytest.mark.parametrize(
    ("service", "wire", "dataset", "declared"),
    [
        ("chunks", "customers", "customers", True),
        ("chunks", "Customers", "Customers", False),
        ("chunks", "prod.orders", "orders", True),
        ("chunks", "orders", "orders", False),
        ("chunks", "elsewhere", "elsewhere", False),
        ("other", "elsewhere", "elsewhere", True),
        ("other", "customers", "customers", False),
    ],
)
def test_a_dataset_is_declared_for_its_own_service_by_its_name_on_the_wire(service, wire, dataset, declared):
    operation = read(f"GET /datasets/{wire}", service=service)
    assert (operation.kind, operation.dataset, operation.declared) == ("read", dataset, declared)


@pytest.mark.parametrize(
    ("body", "destination", "side"),
    [
        ({"destination": "s3://acme-x/k"}, "s3://acme-x/k", "internal"),
        ({"destination": "S3://Evil/k"}, "s3://evil/k", "external"),
        ({"destination": "s3://acme-x@evil"}, "unreadable: s3://hidden@evil", "external"),
        ({"destination": None}, None, "external"),
        ({}, None, "external"),
    ],
)
def test_exports(body, destination, side):
    operation = read("POST /datasets/customers/exports", body)
    assert (operation.kind, operation.destination, operation.destination_side) == (
        ("unknown", None, None) if body.get("destination", "") is None else ("export", destination, side)
    )


def test_several_destinations_are_as_outside_as_one_of_them():
    def copy(*uris):
        operation = read("POST /copies", {"source": {"name": "customers"}, "targets": [{"uri": u} for u in uris]})
        return operation.destination, operation.destination_side

    assert copy("s3://acme-a", "S3://ACME-b") == ("several: s3://acme-a, s3://acme-b", "internal")
    assert copy("s3://acme-a", "s3://evil")[1] == "external"
    assert copy("s3://acme-a", "..")[1] == "external"


def test_chunks_from_a_body():
    assert read("POST /datasets/customers/exports", {"chunks": [0, 1, "2"]}).chunks == ("0", "1", "2")


def test_a_script_says_nothing_about_its_columns():
    operation = read("POST /scripts", {"dataset": "customers", "code": "print(1)"})
    assert (operation.kind, operation.column_scope, operation.statement) == ("script", "unknown", None)
    assert operation.script_digest == hashlib.sha256(b"print(1)").hexdigest()
    assert operation.script_digest != read("POST /scripts", {"dataset": "customers", "code": "print(1) "}).script_digest


def test_the_more_specific_route_wins():
    assert read("GET /datasets/customers/chunks/last").kind == "poll"
    assert read("GET /datasets/customers/chunks/%6cast").kind == "poll"


def test_a_header_selects():
    assert read("GET /rows", X_Dataset="customers").dataset == "customers"


NOT_UNDERSTOOD = [
    # no such route
    ("GET /", None), ("GET /datasets", None), ("GET /datasets/customers/", None), ("GET /datasets/customers/rows", None),
    ("HEAD /datasets/customers", None), ("POST /datasets/customers", None), ("get /datasets/customers", None),
    ("GET /datasets/..", None), ("GET /datasets/a%2fb", None), ("GET /Datasets/customers", None), ("OPTIONS *", None),
    # names that are none
    ("GET /datasets/a%20b", None), ("GET /datasets/a,b", None), ("GET /datasets/cust*", None),
    ("GET /datasets/customers/chunks/7?columns=ssn%20as%20id", None), ("GET /datasets/customers/chunks/7?columns=%2573sn", None),
    # queries
    ("GET /datasets/customers?columns=id", None), ("GET /datasets/customers/chunks/7?columns=id&columns=ssn", None),
    ("GET /datasets/customers/chunks/7?columns=id&Columns=ssn", None), ("GET /datasets/customers/chunks/7?pretty=1;columns=ssn", None),
    ("GET /datasets/customers/chunks/7?columns[]=ssn", None), ("GET /datasets/customers/chunks/7?pretty=1&", None),
    ("POST /datasets/customers/query?limit=1&debug=1", {}),
    # bodies where none is read, and none where one is
    ("GET /datasets/customers", {}), ("GET /datasets/customers", b" "), ("DELETE /datasets/customers", {"force": True}),
    ("POST /datasets/customers/query", None), ("POST /datasets/customers/query", b""), ("POST /scripts", None),
    # members
    ("POST /datasets/customers/query", {"Columns": ["id"]}), ("POST /datasets/customers/query", {"where": "x"}),
    ("POST /datasets/customers/query", b'{"columns":["id"],"columns":["ssn"]}'), ("POST /datasets/customers/query", [1]),
    ("POST /datasets/customers/query", {"columns": [True]}), ("POST /datasets/customers/query", {"columns": {"id": 1}}),
    ("POST /datasets/customers/query", {"columns": [["id"]]}), ("POST /datasets/customers/query", {"filter": ["a"]}),
    ("POST /datasets/customers/query", {"filter": 7}), ("POST /datasets/customers/query", {"columns": "id,"}),
    ("POST /datasets/customers/exports", {"destination": ["s3://acme-x"]}), ("POST /datasets/customers/exports", {"destination": {}}),
    ("POST /datasets/customers/exports", {"destination": 7}), ("POST /datasets/customers/exports", {"chunks": [1.5, None]}),
    ("POST /copies", {"targets": []}), ("POST /copies", {"source": {"name": ["customers"]}}), ("POST /copies", {"source": "customers"}),
    ("POST /copies", {"source": {"name": "customers"}, "target": {}}),
    ("POST /scripts", {"dataset": "customers"}), ("POST /scripts", {"code": "x"}), ("POST /scripts", {"dataset": "customers", "code": None}),
    ("POST /scripts", {"dataset": "customers", "code": ["x"]}), ("POST /scripts", {"dataset": 7, "code": "x"}),
    ("GET /rows", None), ("POST /notes", {"text": 1, "more": 2}), ("POST /notes", b"text"),
]  # fmt: skip


@pytest.mark.parametrize(("request_line", "body"), NOT_UNDERSTOOD)
def test_what_is_not_understood_is_of_kind_unknown_and_says_why(request_line, body):
    operation = read(request_line, body)
    assert (operation.kind, operation.column_scope, operation.dataset) == ("unknown", "unknown", None)
    assert len(operation.route) > 10


def test_lying_and_missing_types():
    body = b'{"columns":["id"]}'
    line = "POST /datasets/customers/query"
    assert read(line, body).kind == "read"
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        assert read(line, body, content_type=content_type).kind == "unknown"


def test_a_header_sent_twice_is_not_understood():
    view = RequestView("GET", "/rows", "", {"x-dataset": ("customers", "orders")})
    assert READER.read(view, "chunks", "", "somebody").kind == "unknown"


def test_a_route_that_accepts_members_can_do_without_a_body():
    assert read("POST /notes").kind == "write"
    assert read("POST /notes", {"text": "hello"}).kind == "write"


def test_other_hosts():
    def egress(method, body=b"", origin="https://evil.test:443"):
        return READER.read(RequestView(method, "/x", "", {}, body), OTHERS, origin, "somebody")

    for method in ("GET", "HEAD", "OPTIONS"):
        assert egress(method) == Operation(
            OTHERS,
            "read",
            destination="https://evil.test",
            destination_side="external",
            route=f"{method} to another host",
        )
        assert egress(method, b"data").kind == "upload"
    for method in ("POST", "PUT", "PATCH", "DELETE", "QUERY"):
        assert egress(method).kind == "upload"
    assert egress("GET", origin="http://[::1]:8080").destination == "http://[::1]:8080"


def test_a_service_that_does_not_exist_is_an_error():
    with pytest.raises(KeyError):
        read("GET /datasets/customers", service="nowhere")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["id", "ssn", "*"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["columns", "filter", "limit", "Columns", "x"]), JSON_VALUES, max_size=4))
def test_no_body_is_understood_that_says_more_than_its_route(body):
    operation = read("POST /datasets/customers/query", body)
    if operation.kind != "unknown":
        assert set(body) <= {"columns", "filter", "limit"}
        assert operation.column_scope in ("all", "listed")
        assert body.get("filter") is None or operation.statement == body["filter"]


@given(st.binary(max_size=100), st.sampled_from(["query", "exports", "x"]), st.text(max_size=20))
def test_junk_is_unknown(data, tail, query):
    try:
        target = f"POST /datasets/customers/{tail}?" + quote(query)
    except UnicodeEncodeError:
        return
    operation = read(target, b"\x80" + data)
    assert operation.kind == "unknown"


@given(st.text(max_size=60), st.text(max_size=60), st.binary(max_size=60))
def test_nothing_raises(path, query, data):
    for method in ("GET", "POST", "DELETE"):
        view = RequestView(method, path, query, {"content-type": ("application/json",)}, data)
        assert READER.read(view, "chunks", "", "somebody").kind in ("unknown", "read", "write", "admin", "poll")
