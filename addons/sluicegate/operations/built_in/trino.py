"""Trino and Presto: `POST /v1/statement`, pages behind `nextUri`. From the client protocol's documentation.

The service keeps no session: catalog, schema, role and prepared statements come with each request, in headers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Rewrite, Rows
from sluicegate.operations.built_in.statement import (
    Asked,
    StatementDialect,
    answered,
    followed,
    for_the_client,
    given,
    names_in,
    path_of,
    placed,
    plain,
    remember_result,
    said,
    simple,
    unreadable,
    width_of,
)
from sluicegate.operations.dialect import Known
from sluicegate.operations.members import object_in
from sluicegate.operations.results import Session
from sluicegate.operations.sql import read_sql
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer

MAX_STATEMENT = 256 << 10
_MAX_PREPARED = 100
_STATEMENT, _PAGE, _CANCEL, _INFO = "statement", "page", "cancel", "info"
_PREFIXES = ("x-trino-", "x-presto-")
_KNOWN = frozenset(
    {
        *("user", "original-user", "original-roles", "catalog", "schema", "source", "client-info", "client-tags"),
        *("time-zone", "language", "session", "role", "prepared-statement", "transaction-id", "trace-token"),
        *("client-capabilities", "resource-estimate", "extra-credential", "query-data-encoding", "timezone"),
    }
)
"""Headers that do not change what a statement means. `path`, for one, says where functions come from."""
_TEXT = frozenset({"text/plain", "application/x-www-form-urlencoded", "application/octet-stream"})


class TrinoDialect(StatementDialect):
    """Statements in Trino's words; rows stay in the direct protocol, where they can be masked."""

    def match(self, view: RequestView) -> str | None:
        path = path_of(view)
        if path is None:
            return None
        match (view.method, *path):
            case ("POST", "v1", "statement"):
                return _STATEMENT
            case ("GET", "v1", "statement", "queued" | "executing", _, _, _):
                return _PAGE
            case ("DELETE", "v1", "statement", "queued" | "executing" | "partialCancel", _, _, _):
                return _CANCEL
            case ("DELETE", "v1", "query", _):
                return _CANCEL
            case ("GET" | "HEAD", "v1", "info"):
                return _INFO
        return None

    def ask(self, route: str, view: RequestView, known: Known, session: Session) -> Asked:
        if route == _INFO:
            return simple(known.service, "poll", route)
        if route == _STATEMENT:
            given(view)
            return _statement(view, known)
        given(view, "maxWait", "targetResultSize")
        if view.body:
            raise Unreadable("a body was sent where none is read")
        path = path_of(view) or ()
        query = f"query:{plain(path[2] if path[1] == 'query' else path[3], 'query id')}"
        found = session.follow(query)
        if route == _CANCEL:
            return followed(found, route, query, kind="cancel")
        return followed(found, route, query, (plain(path[5], "page"),))

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        if self.match(view) not in (_STATEMENT, _PAGE):
            return None
        document = object_in(reply)
        if document is None:
            return None if reply.decoded and not reply.body else unreadable("it is not a JSON object")
        query, data = document.get("id"), document.get("data")
        names = names_in(document.get("columns"))
        width = width_of(data)
        columns = placed(session, operation, names, width)
        if isinstance(query, str) and operation.kind != "unknown":
            # A page may come without a description of its columns, so the first one is kept with the query.
            remember_result(session, f"query:{query}", operation, columns if names else None)
        if (why := _elsewhere(document, query)) is not None:
            return unreadable(why)
        leaks = ("$.error.message", "$.error.failureInfo", "$.warnings[*].message")
        if not data:
            return Delivery(leaks=leaks)
        if not isinstance(data, list):
            return unreadable("its rows are spooled or encoded")
        if columns is None:
            return unreadable("its columns are not described")
        return Delivery((Rows("json", "$.data", shape="arrays", columns=columns),), leaks)

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        if not for_the_client(refusal) or self.match(view) not in (_STATEMENT, _PAGE):
            return None
        # 502, 503 and 504 mean "again, please" in this protocol; an error in a 200 ends the query.
        document = {
            "id": "sluicegate",
            "infoUri": "http://sluicegate.invalid/",
            "stats": _STATS,
            "error": {
                "message": said(refusal),
                "errorCode": 4,
                "errorName": "PERMISSION_DENIED",
                "errorType": "USER_ERROR",
            },
        }
        return answered(refusal, 200, "application/json", document)


_NUMBERS = (
    *("nodes", "totalSplits", "queuedSplits", "runningSplits", "completedSplits", "cpuTimeMillis", "wallTimeMillis"),
    *("queuedTimeMillis", "elapsedTimeMillis", "processedRows", "processedBytes", "peakMemoryBytes"),
)
_STATS = {"state": "FAILED", "queued": False, "scheduled": False, **dict.fromkeys(_NUMBERS, 0)}


def _elsewhere(document: dict[str, Any], query: Any) -> str | None:
    """Why the next page is not one of this query; the client would follow it wherever it points."""
    following = document.get("nextUri")
    if following is None:
        return None
    try:
        path = urlsplit(following).path.split("/") if isinstance(following, str) else []
    except ValueError:
        path = []
    return None if query in path else "its next page is not one of this query"


def _statement(view: RequestView, known: Known) -> Asked:
    headers = _headers(view)
    catalog, schema = _one(headers, "catalog"), _one(headers, "schema")
    prepared = _prepared(headers.get("prepared-statement", ()))
    read = read_sql(_text(view), "trino", known, catalog=catalog, schema=schema, prepared=prepared)
    operation = replace(read.operation, route=_STATEMENT, claims=tuple(_claims(headers)))
    removed = [(f"{prefix}query-data-encoding", None) for prefix in _PREFIXES]
    sent = None if read.regenerated is None else read.regenerated.encode()
    return Asked(operation, Rewrite(body=sent, headers=tuple(removed)))


def _headers(view: RequestView) -> dict[str, tuple[str, ...]]:
    """The protocol's headers by their short names. Raises Unreadable for one that could change what is meant."""
    found: dict[str, tuple[str, ...]] = {}
    families = set()
    for name, values in view.headers.items():
        for prefix in _PREFIXES:
            if name.startswith(prefix):
                short = name.removeprefix(prefix)
                families.add(prefix)
                if short not in _KNOWN:
                    raise Unreadable(f"the header {name[:60]} is not known")
                found[short] = values
    if len(families) > 1:
        raise Unreadable("the request has headers of Trino and of Presto")
    return found


def _one(headers: dict[str, tuple[str, ...]], name: str) -> str | None:
    values = headers.get(name, ())
    if len(values) > 1:
        raise Unreadable(f"the header for {name} was sent more than once")
    return values[0] if values and values[0] else None


def _claims(headers: dict[str, tuple[str, ...]]) -> Iterable[str]:
    for name in ("user", "original-user", "role"):
        if (value := _one(headers, name)) is not None:
            yield f"{name}={value[:200]}"


def _prepared(lines: tuple[str, ...]) -> dict[str, str]:
    """Prepared statements by name, from `name=text` with both parts percent-encoded, separated by commas."""
    found: dict[str, str] = {}
    for line in lines:
        for pair in line.split(","):
            name, equals, text = pair.strip(" \t").partition("=")
            if not pair.strip(" \t"):
                continue
            name = _decoded(name)
            if not equals or not name or name in found or len(found) >= _MAX_PREPARED:
                raise Unreadable("the prepared statements cannot be read in one way only")
            found[name] = _decoded(text)
    return found


def _decoded(text: str) -> str:
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeError:
        raise Unreadable("a prepared statement is not UTF-8") from None


def _text(view: RequestView) -> str:
    if (view.header("content-encoding") or "identity").strip().lower() != "identity":
        raise Unreadable("the statement has a content-encoding")
    media, *rest = (part.strip(" \t").lower() for part in (view.header("content-type") or "text/plain").split(";"))
    if media not in _TEXT or any(part not in ("charset=utf-8", 'charset="utf-8"') for part in rest):
        raise Unreadable("the statement is not plain text in UTF-8")
    if not view.body or len(view.body) > MAX_STATEMENT:
        raise Unreadable("the statement is empty, or too large")
    try:
        return view.body.decode()
    except UnicodeDecodeError:
        raise Unreadable("the statement is not UTF-8") from None
