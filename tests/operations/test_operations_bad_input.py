"""Bodies that nobody can be sure of: each has one outcome, and none is allowed because it was not understood."""

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.operations.built_in import DIALECTS
from tests.operations.one_service import Asking

ROUTES = [{"request": "POST /query", "kind": "read", "dataset": "$.table", "columns": "$.columns", "accepts": ["x"]}]
IT = Asking("rest", {"emp": {"columns": {"ssn": "restricted"}}}, dialects={"rest": {"routes": ROUTES}})
GOOD = b'{"table": "emp", "columns": ["id"]}'
JSON = "application/json"

TABLE = [
    ("good", GOOD, {}, "read"),
    ("gzip", gzip.compress(GOOD), {"content_encoding": "gzip"}, "read"),
    ("huge", b'{"table": "emp", "x": "' + b"a" * 300_000 + b'"}', {}, "unknown"),
    ("bomb", gzip.compress(b'{"table": "emp", "x": "' + b"a" * 30_000_000 + b'"}'), {"content_encoding": "gzip"}, "unknown"),
    ("gzip cut off", gzip.compress(GOOD)[:-4], {"content_encoding": "gzip"}, "unknown"),
    ("gzip that is none", GOOD, {"content_encoding": "gzip"}, "unknown"),
    ("gzip that is not said", gzip.compress(GOOD), {}, "unknown"),
    ("gzip twice", gzip.compress(gzip.compress(GOOD)), {"content_encoding": "gzip, gzip"}, "unknown"),
    ("deflate", zlib.compress(GOOD), {"content_encoding": "deflate"}, "unknown"),
    ("coding twice", gzip.compress(GOOD), {"content_encoding": ("gzip", "identity")}, "unknown"),
    ("no JSON", b'{"table": "emp"', {}, "unknown"),
    ("single quotes", b"{'table': 'emp'}", {}, "unknown"),
    ("trailing comma", b'{"table": "emp",}', {}, "unknown"),
    ("comment", b'{"table": "emp" /* x */}', {}, "unknown"),
    ("two documents", GOOD + GOOD, {}, "unknown"),
    ("NaN", b'{"table": "emp", "x": NaN}', {}, "unknown"),
    ("a list", b'["emp"]', {}, "unknown"),
    ("nothing", b"", {}, "unknown"),
    ("deep", b'{"table": "emp", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}", {}, "unknown"),
    ("very deep", b'{"table": "emp", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}, "unknown"),
    ("UTF-16", GOOD.decode().encode("utf-16"), {}, "unknown"),
    ("Latin-1", '{"table": "emp", "x": "\u00e9"}'.encode("latin-1"), {}, "unknown"),
    ("charset that lies", GOOD, {"content_type": f"{JSON}; charset=utf-16"}, "unknown"),
    ("byte order mark", b"\xef\xbb\xbf" + GOOD, {}, "unknown"),
    ("lone surrogate", b'{"table": "emp", "x": "\\ud800"}', {}, "unknown"),
    ("member twice", b'{"table": "emp", "columns": ["id"], "columns": ["ssn"]}', {}, "unknown"),
    ("member twice but for case", b'{"table": "emp", "columns": ["id"], "Columns": ["ssn"]}', {}, "unknown"),
    ("member twice in escapes", b'{"table": "emp", "columns": ["id"], "c\\u006flumns": ["ssn"]}', {}, "unknown"),
    ("unknown member", b'{"table": "emp", "fields": ["ssn"]}', {}, "unknown"),
    ("no type", GOOD, {"content_type": ()}, "unknown"),
    ("text", GOOD, {"content_type": "text/plain"}, "unknown"),
    ("form that is JSON", GOOD, {"content_type": "application/x-www-form-urlencoded"}, "unknown"),
    ("JSON that is a form", b"table=emp", {}, "unknown"),
    ("multipart", b'--x\r\nContent-Disposition: form-data; name="table"\r\n\r\nemp\r\n--x--\r\n',
     {"content_type": "multipart/form-data; boundary=x"}, "unknown"),
    ("type twice", GOOD, {"content_type": (JSON, "text/plain")}, "unknown"),
    ("two types in one", GOOD, {"content_type": f"{JSON}, text/plain"}, "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "headers", "kind"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_one_outcome(body, headers, kind):
    operation = IT.read("POST /query", body, **{"content_type": JSON, **headers})
    assert operation.kind == kind
    if kind == "unknown":
        assert (operation.dataset, operation.column_scope) == (None, "unknown") and operation.route


@pytest.mark.parametrize("query", ["x=1", "table=emp", "x=1&x=2", "x=1;y=2", "x=%zz", "x=%ff", "&", "=1"])
def test_parameters_that_no_route_reads(query):
    assert IT.read(f"POST /query?{query}", GOOD, content_type=JSON).kind == ("read" if query == "x=1" else "unknown")


@given(
    st.binary(max_size=300),
    st.sampled_from([JSON, "application/x-www-form-urlencoded", "text/plain", "", f"{JSON}; charset=latin-1"]),
    st.sampled_from(["", "gzip", "identity", "br", "deflate", "x"]),
    st.sampled_from(["", "x=1", "x=1&x=2", "%"]),
)
@pytest.mark.parametrize("dialect", ["tiled", "datasette", "roapi", "ray", "chonkie", "docling"])
def test_nothing_is_raised_and_nothing_is_allowed_by_chance(dialect, body, media, coding, query):
    it = Asking(dialect, {"emp": {}})
    for path in (
        "/api/v1/table/full/emp",
        "/hr/emp.json",
        "/api/sql",
        "/api/jobs/",
        "/v1/chunk/token",
        "/v1/convert/source",
    ):
        sent = {"content_type": media} | ({"content_encoding": coding} if coding else {})
        operation = it.read(f"POST {path}?{query}", body, **sent)
        assert operation.kind != "export" and (operation.kind != "unknown" or operation.route)


@given(st.dictionaries(st.sampled_from(["table", "columns", "x"]), st.text() | st.lists(st.text()) | st.none()))
def test_any_document(document):
    operation = IT.read("POST /query", json.dumps(document).encode(), content_type=JSON)
    assert operation.kind in ("read", "unknown")
    assert operation.kind == "unknown" or isinstance(document["table"], str)


STRANGE = ["GET /hr/~65mp.json", "GET /hr/emp.json?_col=id&_COL=ssn", "GET /hr.json?sql=a&sql=b", "POST /api/sql?x=1&x=2",
           "POST /?query=a&query=b", "GET /%zz", "GET /a/../b", "GET /index/_search?q=a&q=b", "GET //", "POST /api/sql", "POST /api/graphql", "POST /v1/statement", "POST /_sql", "PUT /key?partNumber=x"]  # fmt: skip


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("request_line", STRANGE)
def test_what_is_not_understood_raises_nothing_later_on(dialect, request_line):
    # A rule may let `unknown` pass: then the request goes as it came, and its response is masked by name.
    it = Asking(dialect, {"emp": {"columns": {"ssn": "restricted"}}})
    for body in (b"", b"\xff", b"{"):
        if it.read(request_line, body).kind == "unknown":
            change = it.rewritten(request_line, body)
            assert change is None or (change.body is None and change.query is None)
            found = it.delivered(request_line, {"rows": [[1]]}, body)
            assert found is None or found.unreadable or not any(rows.columns for rows in found.rows)
