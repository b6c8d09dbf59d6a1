"""The readers of requests, each with what must hold whatever it is given. A failure is an exception.

Hypothesis drives them in `make test`, and atheris, which is led by the branches that it reaches, in `make fuzz-readers`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from sluicegate.cli.policy.curl import CurlError, parse
from sluicegate.exchange import Kind, Operation
from sluicegate.operations import multipart, query
from sluicegate.operations.built_in import DIALECTS
from sluicegate.operations.destination import UNREADABLE, Ours, judge
from sluicegate.operations.sql import reader
from sluicegate.operations.sql.reading import read_now
from sluicegate.operations.template import segments_of
from sluicegate.operations.view import RequestView, Unreadable
from tests.operations.one_service import Asking
from tests.operations.sql.tables import KNOWN

OURS = [Ours.parse(text) for text in ("s3://acme-*", "https://*.acme.example", "https://files.test/drop/*")]
LONGEST = 1500
"""Characters of an input that are looked at. What takes too long is found in short ones, and sooner."""
KINDS = frozenset(get_args(Kind))
LANGUAGES = (
    "snowflake", "trino", "postgres", "bigquery", "clickhouse", "duckdb", "sqlite", "mysql", "redshift", "athena",
    "databricks", "tsql", "oracle", "",
)  # fmt: skip
NAMES = sorted(DIALECTS)
LINES = (
    "POST /v1/statement", "POST /queries/v1/query-request?requestId=r", "POST /api/v2/statements", "GET /hr/emp.json?",
    "GET /hr.json?sql=", "POST /?query=", "POST /api/2.0/sql/statements", "POST /bigquery/v2/projects/p/queries",
    "POST /bigquery/v2/projects/p/jobs", "POST /emp/_search", "POST /_msearch", "GET /api/v1/table/full/emp?", "POST /api/sql",
    "POST /api/graphql", "POST /api/jobs/", "PUT /hr-data/emp/x", "GET /hr-data?list-type=2", "POST /", "POST /v1/chunk/token",
    "POST /v1/convert/source",
)  # fmt: skip
TARGETS = (
    "AmazonAthena.StartQueryExecution", "DynamoDB_20120810.Scan", "RedshiftData.ExecuteStatement", "AmazonAthena.GetQueryResults",
    "DynamoDB_20120810.ExecuteStatement", "",
)  # fmt: skip
MEDIA = ("application/json", "text/plain", "application/x-amz-json-1.1", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")  # fmt: skip


class TooMuch(BaseException):
    """More steps than an input of that size may take. Nothing that is read catches it."""


def bounded(run: Callable[[], Any], size: int) -> Any:
    """What comes of it. Counts the calls of functions, since time says more about the machine. Raises TooMuch."""
    left = 20_000 + 400 * size

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise TooMuch(f"more than {20_000 + 400 * size} calls for {size} characters")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        return run()
    finally:
        sys.setprofile(before)


def sql(data: bytes) -> None:
    """A statement: never an exception, always an outcome, and what goes out means the same."""
    language, text = LANGUAGES[data[0] % len(LANGUAGES)] if data else "", data[1:].decode("utf-8", "replace")[:LONGEST]
    if reader._depth(text) > reader.DEPTH:
        return  # those are read in a process of their own, which is ended when it takes too long
    read = bounded(lambda: read_now(text, language, KNOWN, None, None, {}), len(text))
    assert read.operation.statement == text
    _sound(read.operation)
    if read.regenerated is not None:
        again = read_now(read.regenerated, language, KNOWN, None, None, {})
        assert replace(again.operation, statement="") == replace(read.operation, statement=""), read.regenerated


def request(data: bytes) -> None:
    """A request to a service with a built-in dialect: an operation of a known kind, and nothing raised, later on either."""
    if len(data) < 4:
        return
    name, line, target, media = (
        place[at % len(place)] for place, at in zip((NAMES, LINES, TARGETS, MEDIA), data, strict=False)
    )
    rest = data[4 : 4 + LONGEST]
    line, body = (line + rest.decode("latin-1"), b"") if line.endswith(("?", "=")) else (line, rest)
    if "\n" in line or "\r" in line:
        return  # no server of HTTP takes that for a request
    it = _service(name)
    sent = {"content_type": media} | ({"x_amz_target": target} if target else {})
    if body and reader._depth(body.decode("utf-8", "replace")) > reader.DEPTH:
        return
    operation = bounded(lambda: it.read(line, body, **sent), len(rest))
    _sound(operation)
    change = it.rewritten(line, body, **sent)
    if operation.kind == "unknown":
        assert change is None or (change.body is None and change.query is None)


def destination(data: bytes) -> None:
    """A place: printable, on one side, and its normal form is normal."""
    text = data.decode("utf-8", "surrogateescape")[:LONGEST]
    shown, side = bounded(lambda: judge(text, OURS), len(text))
    assert shown.isprintable() and (" " in shown) == shown.startswith(UNREADABLE)
    assert side == "external" or judge(shown, OURS) == (shown, side)


def curl(data: bytes) -> None:
    """A command line in curl's words: a request, or a sentence about what is wrong with it."""
    text = data.decode("utf-8", "replace")[:LONGEST]
    if "@" in text or "--upload" in text or re.search(r"(?m)^-[^-\n]*T", text):
        return  # those read files
    try:
        asked = bounded(lambda: parse(text.split("\n"), Path("/nowhere")), len(text))
    except CurlError as error:
        assert str(error)
    else:
        assert asked.method and urlsplit(asked.url).hostname, asked.url


def parameters(data: bytes) -> None:
    """Queries, forms in parts, and paths: read, or refused in words."""
    text = data.decode("latin-1")[:LONGEST]
    view = RequestView("POST", "/", text, {"content-type": ("multipart/form-data; boundary=x",)}, data[:LONGEST])
    for read in (lambda: query.pairs(text), lambda: multipart.read(view), lambda: query.grouped(text, ("a",))):
        try:
            bounded(read, len(text))
        except Unreadable as error:
            assert str(error)
    segments = bounded(lambda: segments_of("/" + text), len(text))
    assert segments is None or not {".", ".."} & set(segments)


for _language in LANGUAGES:  # sqlglot loads the code of a language when it is first needed, in many steps
    read_now("select 1", _language, KNOWN, None, None, {})
parse(["https://h.test/"])  # so with this

READERS: dict[str, Callable[[bytes], None]] = {
    "sql": sql, "request": request, "destination": destination, "curl": curl, "parameters": parameters,
}  # fmt: skip


def _sound(operation: Operation) -> None:
    for one in (operation, *operation.parts):
        assert one.kind in KINDS and (one.kind != "unknown" or one.opaque or one.route)
        assert not (one.into and one.outputs is not None)
    assert not any(part.parts for part in operation.parts)


@cache
def _service(name: str) -> Asking:
    return Asking(name, {"emp": {"columns": {"ssn": "restricted"}}})
