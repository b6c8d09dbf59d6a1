"""Bad input at every dialect: what a service may read in two ways, or not at all, is of kind `unknown` everywhere."""

import gzip
import json
import zlib
from dataclasses import dataclass, field
from typing import Any

import pytest

from sluicegate.operations.built_in import DIALECTS
from sluicegate.operations.later import Later, waiting
from sluicegate.operations.sql.reader import MAX_CHARACTERS, cache
from tests.operations.one_service import Asking

SQL = "select id from emp"
AWS = "application/x-amz-json-1.1"
ROUTES = [
    {"request": "POST /query", "kind": "read", "dataset": "$.table", "accepts": ["x"]},
    {"request": "POST /sql", "kind": "read", "statement": "$.sql", "sql": "postgres"},
]
DATASETS = {"emp": {"name": "emp", "columns": {"ssn": "restricted"}}}


@dataclass(frozen=True)
class Good:
    """A request that is understood. A body that is no text is JSON; @SQL@ in it is a statement."""

    dialect: str
    line: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    says: str = "read"

    @property
    def json(self) -> bool:
        return not isinstance(self.body, str | None)

    @property
    def sql(self) -> bool:
        return "@SQL@" in self.line or "@SQL@" in json.dumps(self.body)

    def content(self, sql: str = SQL) -> bytes:
        if isinstance(self.body, str):
            return self.body.replace("@SQL@", sql).encode()
        return b"" if self.body is None else json.dumps(self.body).replace("@SQL@", sql).encode()

    def ask(self, body: bytes | None = None, line: str | None = None, sql: str = SQL, it=None, **headers: Any):
        it = it or asking(self.dialect)
        sent = {"content_type": "application/json" if self.json else "text/plain", **self.headers, **headers}
        asked = (line or self.line).replace("@SQL@", sql.replace(" ", "+").replace("'", "%27"))
        return it.read(asked, self.content(sql) if body is None else body, **sent)


def asking(dialect: str) -> Asking:
    datasets = {"emp": {"name": "s3://hr/emp/*"}} if dialect == "s3" else DATASETS
    return Asking(dialect, datasets, dialects={"rest": {"routes": ROUTES}})


def aws(dialect: str, target: str, body: dict[str, Any]) -> Good:
    return Good(dialect, "POST /", body, {"content_type": AWS, "x_amz_target": target})


GOOD = [
    aws("athena", "AmazonAthena.StartQueryExecution",
        {"QueryString": "@SQL@", "ResultConfiguration": {"OutputLocation": "s3://acme-x/"}}),
    aws("redshift-data", "RedshiftData.ExecuteStatement", {"Sql": "@SQL@", "Database": "d", "WorkgroupName": "w"}),
    aws("dynamodb", "DynamoDB_20120810.Scan", {"TableName": "emp", "ProjectionExpression": "id"}),
    aws("dynamodb", "DynamoDB_20120810.ExecuteStatement", {"Statement": "SELECT id FROM emp"}),
    Good("bigquery", "POST /bigquery/v2/projects/p/queries", {"query": "@SQL@", "useLegacySql": False}),
    Good("chonkie", "POST /v1/chunk/token", {"text": "x", "tokenizer": "character"}, says="upload"),
    Good("clickhouse", "POST /?database=hr", "@SQL@"),
    Good("clickhouse", "GET /?query=@SQL@"),
    Good("databricks", "POST /api/2.0/sql/statements", {"statement": "@SQL@", "warehouse_id": "w"}),
    Good("datasette", "GET /hr/emp.json?_col=id"),
    Good("datasette", "GET /hr.json?sql=@SQL@"),
    Good("docling", "POST /v1/convert/source",
         {"sources": [{"kind": "file", "base64_string": "eA==", "filename": "a.md"}]}, says="upload"),
    Good("elasticsearch", "POST /emp/_search", {"_source": ["id"], "query": {"term": {"id": 1}}}),
    Good("ray", "POST /api/jobs/", {"entrypoint": "python x.py"}, says="script"),
    Good("roapi", "GET /api/tables/emp?columns=id"),
    Good("roapi", "POST /api/sql", "@SQL@"),
    Good("roapi", "POST /api/graphql", "{ emp { id } }"),
    Good("s3", "GET /hr/emp/a.csv"),
    Good("snowflake", "POST /queries/v1/query-request?requestId=r", {"sqlText": "@SQL@", "asyncExec": False},
         {"authorization": 'Snowflake Token="t"'}),
    Good("snowflake", "POST /api/v2/statements", {"statement": "@SQL@", "database": "d", "schema": "s"},
         {"authorization": "Bearer t"}),
    Good("tiled", "GET /api/v1/table/full/emp?column=id"),
    Good("tiled", "POST /api/v1/table/full/emp", ["id"]),
    Good("trino", "POST /v1/statement", "@SQL@", {"x_trino_user": "eng"}),
    Good("rest", "POST /query", {"table": "emp"}),
    Good("rest", "POST /sql", {"sql": "@SQL@"}),
]  # fmt: skip


def named(good: Good) -> str:
    return f"{good.dialect} {good.headers.get('x_amz_target', good.line)}"


def each(of=lambda good: True):
    found = [good for good in GOOD if of(good)]
    return pytest.mark.parametrize("good", found, ids=map(named, found))


@each()
def test_the_good_one_is_understood(good):
    operation = good.ask()
    assert (operation.kind, operation.opaque) == (good.says, ""), operation.route


def test_no_dialect_is_left_out():
    assert {good.dialect for good in GOOD} == {*DIALECTS, "rest"}


def twice(body: bytes, spelled=str) -> bytes | None:
    """The body with its first member a second time, with the value null; None where it has no members."""
    document = json.loads(body)
    return body[:-1] + f', "{spelled(next(iter(document)))}": null}}'.encode() if isinstance(document, dict) else None


# Of a body: what comes in its place, and which headers say what it is.
CODED = {
    "cut off": lambda body: (gzip.compress(body)[:-4], {"content_encoding": "gzip"}),
    "gzip that is none": lambda body: (body, {"content_encoding": "gzip"}),
    "gzip that is not said": lambda body: (gzip.compress(body), {}),
    "gzip twice": lambda body: (gzip.compress(gzip.compress(body)), {"content_encoding": "gzip, gzip"}),
    "gzip and more behind it": lambda body: (gzip.compress(body) + b"x", {"content_encoding": "gzip"}),
    "deflate": lambda body: (zlib.compress(body), {"content_encoding": "deflate"}),
    "a coding that nobody knows": lambda body: (body, {"content_encoding": "x"}),
    "coding twice": lambda body: (gzip.compress(body), {"content_encoding": ("gzip", "identity")}),
    "bomb": lambda body: (gzip.compress(body + b" " * 30_000_000), {"content_encoding": "gzip"}),
    "huge": lambda body: (body + b" " * 9_000_000, {}),
    "UTF-16": lambda body: (body.decode().encode("utf-16"), {}),
    "UTF-32": lambda body: (body.decode().encode("utf-32-be"), {}),
    "no UTF-8": lambda body: (body[:2] + b"\xe9" + body[2:], {}),
    "byte order mark": lambda body: (b"\xef\xbb\xbf" + body, {}),
    "NUL": lambda body: (body + b"\x00", {}),
}
WRITTEN = {
    "cut off": lambda body: body[:-1],
    "trailing comma": lambda body: body[:-1] + b"," + body[-1:],
    "comment": lambda body: body + b" /* x */",
    "single quotes": lambda body: body.replace(b'"', b"'"),
    "two documents": lambda body: body + body,
    "in a list": lambda body: b"[" + body + b"]",
    "a text": lambda body: json.dumps(body.decode()).encode(),
    "nothing": lambda body: b"null",
    "NaN": lambda body: b'{"x": NaN, ' + body[1:],
    "deep": lambda body: b'{"x": ' + b"[" * 50_000 + b"]" * 50_000 + b", " + body[1:],
    "lone surrogate": lambda body: b'{"x": "\\ud800", ' + body[1:],
    "unknown member": lambda body: b'{"xyzzy": 1, ' + body[1:],
    "member twice": lambda body: twice(body),
    "member twice but for case": lambda body: twice(body, str.swapcase),
    "member twice in escapes": lambda body: twice(body, lambda name: f"\\u{ord(name[0]):04x}{name[1:]}"),
}
ACCEPTED = {
    ("chonkie", "unknown member"): "every member beside the texts is looked through for addresses",
    ("tiled", "nothing"): "it asks for all columns, as no body does",
}


def refused(operation) -> bool:
    """Only a rule that names `unknown` lets it pass, and nothing is said to be known of it."""
    return operation.kind == "unknown" and (bool(operation.route) or bool(operation.opaque))


@pytest.mark.parametrize("bad", CODED)
@each(lambda good: good.body is not None)
def test_a_body_that_is_not_what_it_says(good, bad):
    body, headers = CODED[bad](good.content())
    assert refused(good.ask(body, **headers))


@pytest.mark.parametrize("bad", WRITTEN)
@each(lambda good: good.json)
def test_json_that_is_read_in_two_ways(good, bad):
    body = WRITTEN[bad](good.content())
    if body is None:
        return
    operation = good.ask(body)
    if (good.dialect, bad) in ACCEPTED:
        assert operation.kind == good.says and operation.column_scope in ("all", good.ask().column_scope)
    else:
        assert refused(operation)


@pytest.mark.parametrize(
    "media",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", (), "application/xml",
     "application/json; charset=utf-16", ("application/json", "text/plain"), "application/json, text/plain"],
    ids=str,
)  # fmt: skip
@each(lambda good: good.json)
def test_a_type_that_lies(good, media):
    assert refused(good.ask(content_type=media))


@each(lambda good: isinstance(good.body, str))
@pytest.mark.parametrize(
    "media", ["multipart/form-data; boundary=x", ("text/plain", "multipart/form-data; boundary=x")]
)
def test_a_statement_that_is_said_to_be_a_form(good, media):
    assert refused(good.ask(content_type=media))


@each(lambda good: good.body is not None and good.dialect not in ("docling", "chonkie"))
def test_multipart(good):
    part = b'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\n' + good.content() + b"\r\n--x--\r\n"
    assert refused(good.ask(part, content_type="multipart/form-data; boundary=x"))


@each(lambda good: good.body is not None)
def test_gzip_says_the_same_or_nothing(good):
    operation = good.ask(gzip.compress(good.content()), content_encoding="gzip")
    assert operation == good.ask() or refused(operation)


@pytest.mark.parametrize("more", ["x=1&x=2", "x=1&X=2", "x=1;y=2", "x=%zz", "x=%ff", "=1", "x=%00"])
@each()
def test_parameters_that_are_read_in_two_ways(good, more):
    assert refused(good.ask(line=good.line + ("&" if "?" in good.line else "?") + more))


@each(lambda good: "=" in good.line)
def test_a_parameter_of_its_own_twice(good):
    name = good.line.partition("?")[2].partition("=")[0]
    operation = good.ask(line=f"{good.line}&{name}=other")
    if name in ("column", "_col"):  # of which there may be several
        assert operation.columns == ("id", "other")
    else:
        assert refused(operation)


@each(lambda good: good.body is None)
def test_a_body_where_none_is_read(good):
    assert refused(good.ask(b'{"sql": "select ssn from emp"}'))


MONSTERS = {
    "fifty thousand brackets": "select id from emp where id = " + "(" * 50_000 + "1" + ")" * 50_000,
    "a union of three thousand": " union all ".join([SQL] * 3_000),
    "a megabyte": f"{SQL} where id in (" + ",".join(["1"] * 500_000) + ")",
    "more than is read at all": f"{SQL} where name = '" + "x" * MAX_CHARACTERS + "'",
}


@pytest.mark.parametrize("monster", MONSTERS)
@each(lambda good: good.sql)
def test_statements_that_take_too_long_are_left_to_the_worker_and_then_not_understood(good, monster):
    it = asking(good.dialect)
    for _ in range(4):  # a dialect may read a text in two schemas
        try:
            with waiting():
                operation = good.ask(sql=MONSTERS[monster], it=it)
            break
        except Later as later:  # what the worker remembers when its time is up: test_sql_limits.py
            cache.put(later.asked.key, later.asked.known, later.asked.refused("reading the statement takes too long"))
    assert refused(operation)


@pytest.mark.parametrize(
    "text",
    ["", ";", "select id from", "select id id id from emp", "select 'x from emp", "selec id from emp",
     "select id /* from emp", "select id from emp where {{ x }}", "select id from emp where x = ${y}"],
)  # fmt: skip
@each(lambda good: good.sql)
def test_what_is_no_sql(good, text):
    operation = good.ask(sql=text)
    # A service may be pinged, or send nothing back, where no statement stands.
    assert refused(operation) or (text == "" and operation.dataset is None and operation.column_scope == "none")
