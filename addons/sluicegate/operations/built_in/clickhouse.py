"""ClickHouse over HTTP: the statement stands in `query=`, in the body, or in both. From its documentation.

Where both are sent the service reads one after the other, so what is judged, and what goes out, is the two as one.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal
from urllib.parse import urlencode

from sluicegate import codings
from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Rewrite, Rows
from sluicegate.operations import query
from sluicegate.operations.built_in.statement import (
    Asked,
    StatementDialect,
    answered,
    for_the_client,
    path_of,
    said,
    simple,
    unreadable,
)
from sluicegate.operations.dialect import Known
from sluicegate.operations.results import Session
from sluicegate.operations.sql import read_sql
from sluicegate.operations.sql.clickhouse import HARMLESS
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer

MAX_STATEMENT = 256 << 10
ACCESS_DENIED = "497"
_STATEMENT, _PING = "statement", "ping"
_PARAMETERS = HARMLESS | {
    *("query", "database", "default_format", "query_id", "session_id", "session_timeout", "session_check"),
    *("user", "password", "quota_key", "buffer_size", "enable_http_compression", "http_zlib_compression_level"),
    *("send_progress_in_http_headers", "add_http_cors_header", "role", "client_protocol_version"),
}  # fmt: skip
"""Parameters that change nothing about what a statement reads. Others may: filters, dialects, formats of their own."""
_HEADERS = frozenset({"user", "key", "database", "format", "quota", "ssl-certificate-auth"})
_PREFIX = "x-clickhouse-"
_DATA = re.compile(
    r"\s*insert\s+into\s+(?:table\s+)?[\w.`\"]+\s*(?:\([\w\s,.`\"]*\)\s*)?"
    r"format\s+(?:csv|tsv|tabseparated|jsoneachrow|jsoncompacteachrow|rowbinary|native|parquet|arrow|arrowstream)"
    r"(?:withnames)?(?:andtypes)?\s*",
    re.IGNORECASE | re.ASCII,
)
"""An INSERT that ends with its format: what stands in the body behind it is data, and no statement.

Not Values: expressions in it are evaluated.
"""
_FORMAT = re.compile(r"\bformat\s+(\w+)\s*(?:\bsettings\b[^()]*)?;?\s*\Z", re.IGNORECASE)

_Format = Literal["json", "csv", "tsv", "arrow", "arrow-file", "parquet"]
_FORMATS: dict[str, tuple[_Format, str, Literal["objects", "arrays"], bool]] = {
    "json": ("json", "$.data", "objects", False),
    "jsoncompact": ("json", "$.data", "arrays", False),
    "csv": ("csv", "$", "arrays", False),
    "csvwithnames": ("csv", "$", "arrays", True),
    "tabseparated": ("tsv", "$", "arrays", False),
    "tsv": ("tsv", "$", "arrays", False),
    "tabseparatedwithnames": ("tsv", "$", "arrays", True),
    "tsvwithnames": ("tsv", "$", "arrays", True),
    "arrow": ("arrow-file", "$", "arrays", False),
    "arrowstream": ("arrow", "$", "arrays", False),
    "parquet": ("parquet", "$", "arrays", False),
}
"""Format in lower case to how rows are found in it. In any other they cannot be."""


class ClickHouseDialect(StatementDialect):
    """Statements to the HTTP interface."""

    def match(self, view: RequestView) -> str | None:
        path = path_of(view)
        if view.method in ("GET", "POST", "HEAD") and path in ((), ("query",)):
            return _STATEMENT if view.query or view.body else _PING
        if view.method in ("GET", "HEAD") and path in (("ping",), ("replicas_status",)):
            return _PING
        return None

    def ask(self, route: str, view: RequestView, known: Known, session: Session) -> Asked:
        if route == _PING:
            return simple(known.service, "poll", route)
        given, headers = _given(view)
        text, data = _text(view, given.get("query", ""))
        database = _same(given.get("database"), headers.get("database"), "database")
        if "session_id" in given and database is None:
            known = known.nowhere()  # a USE earlier in the session may have moved it
        read = read_sql(text, "clickhouse", known, schema=database)
        if "use" in read.operation.statements and len(read.operation.statements) > 1:
            read = read_sql(text, "clickhouse", known.nowhere())
        form = _format(text, _same(given.get("default_format"), headers.get("format"), "format"))
        user = _same(given.get("user"), headers.get("user"), "user")
        claims = (f"user={user[:200]}",) if user else ()
        operation = replace(read.operation, route=route, chunks=(form,), claims=claims)
        return Asked(operation, _regenerated(view, given, read.regenerated, data=data))

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        if self.match(view) != _STATEMENT:
            return None
        if reply.decoded and not reply.body:
            return Delivery()
        if reply.status != 200 or reply.header("x-clickhouse-exception-code"):
            return unreadable("it is an error in plain text, which may quote values")
        form = operation.chunks[0].lower() if operation.chunks else ""
        said_form = (reply.header("x-clickhouse-format") or form).lower()
        if _FORMATS.get(said_form) is None or _FORMATS[said_form] != _FORMATS.get(form):
            return unreadable(
                f"rows in the format {said_form[:40]!r} cannot be found, or it is not the one that was asked for"
            )
        name, path, shape, header = _FORMATS[said_form]
        columns = operation.outputs
        if columns is None and shape == "arrays" and name in ("csv", "tsv") and not header:
            return unreadable("neither the statement nor the rows say what the columns are")
        # An error in the middle of the rows is written behind them, with the value that made it.
        beside = ("$.totals", "$.extremes", "$.exception") if name == "json" else ()
        return Delivery((Rows(name, path, shape=shape, columns=columns, header_row=header),), beside)

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        if not for_the_client(refusal) or self.match(view) is None:
            return None
        text = f"Code: {ACCESS_DENIED}. DB::Exception: {said(refusal)} (ACCESS_DENIED)\n"
        headers = {"x-clickhouse-exception-code": ACCESS_DENIED}
        return answered(refusal, 403, "text/plain; charset=UTF-8", text, **headers)


def _given(view: RequestView) -> tuple[dict[str, str], dict[str, str]]:
    """The query's parameters, and the service's own headers by their short names. Raises Unreadable."""
    given = query.parameters(view.query, texts=("query",))
    for name in given:
        if name not in _PARAMETERS and not name.startswith("param_"):
            raise Unreadable(f"the setting {name[:40]!r} is not known: it may change what the statement reads")
    headers = {}
    for name in view.headers:
        if name.startswith(_PREFIX):
            short = name.removeprefix(_PREFIX)
            if short not in _HEADERS:
                raise Unreadable(f"the header {name[:60]} is not known")
            headers[short] = view.header(name) or ""
    return given, headers


def _same(one: str | None, other: str | None, what: str) -> str | None:
    """The one value of what can be said in two places. Raises Unreadable when they differ."""
    if one and other and one != other:
        raise Unreadable(f"the request names two: {what}")
    return one or other or None


def _text(view: RequestView, asked: str) -> tuple[str, bool]:
    """The whole statement, and whether the body is data behind it. Raises Unreadable."""
    if view.body and view.method != "POST":
        # The service reads it behind `query`, where what goes out could not stand for both.
        raise Unreadable("a body was sent with another method than POST")
    kind = (view.header("content-type") or "").lower()
    if kind.startswith("multipart/"):
        raise Unreadable("external tables are sent along")
    coding = (view.header("content-encoding") or "").strip().lower()
    if coding not in ("", "identity", "gzip"):
        raise Unreadable("the body has a content-encoding other than gzip")
    if asked and view.body and _DATA.fullmatch(asked):
        return asked, True
    if len(view.body) > MAX_STATEMENT:
        raise Unreadable("the statement is too large")
    try:
        text = codings.decode(view.body, coding, MAX_STATEMENT).decode() if view.body else ""
    except (codings.CodingError, UnicodeDecodeError):
        raise Unreadable("the statement is not UTF-8, cannot be decoded, or is too large") from None
    whole = f"{asked}\n{text}" if asked and text else asked or text
    if not whole.strip():
        raise Unreadable("the request has no statement")
    return whole, False


def _format(text: str, default: str | None) -> str:
    found = _FORMAT.search(text)
    return found[1] if found else default or "TabSeparated"


def _regenerated(view: RequestView, given: dict[str, str], statement: str | None, *, data: bool) -> Rewrite | None:
    if statement is None:
        return None
    if view.method != "POST" or data:
        return Rewrite(query=urlencode({**given, "query": statement}))
    rest = {name: value for name, value in given.items() if name != "query"}
    return Rewrite(body=statement.encode(), query=urlencode(rest))
