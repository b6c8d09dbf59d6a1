"""Snowflake: the protocol of its connectors (4.x and 5.x), and the SQL API v2. Vendor documentation and connectors.

A session's database and schema stand in every answer of the service, so they are remembered by the session's token and
corrected by each answer. While a USE is under way nobody knows them, and names that are not qualified may be any.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import Any

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Output, Rewrite, Rows
from sluicegate.operations import body
from sluicegate.operations.built_in import snowflake_api
from sluicegate.operations.built_in.statement import (
    GZIP,
    LINK,
    Asked,
    StatementDialect,
    answered,
    find_link,
    followed,
    for_the_client,
    member,
    names_in,
    path_of,
    placed,
    plain,
    remember_links,
    remember_result,
    resubmitted,
    said,
    simple,
    unreadable,
)
from sluicegate.operations.dialect import Known
from sluicegate.operations.members import flag_of, object_in, only, table_of, text_of
from sluicegate.operations.query import parameters
from sluicegate.operations.results import Session
from sluicegate.operations.sql import Read, read_sql
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer

_MEMBERS = frozenset(
    {
        *("sqlText", "asyncExec", "sequenceId", "querySubmissionTime", "parameters", "bindings", "describeOnly"),
        *("describedJobId", "queryContextDTO", "bindStage", "isInternal", "dataframeAst", "disableOfflineChunks"),
    }
)
_ROUTES = {
    ("POST", "session", "v1", "login-request"): "login",
    ("POST", "session", "authenticator-request"): "login",
    ("POST", "session", "token-request"): "token",
    ("POST", "session"): "session",
    ("POST", "session", "heartbeat"): "heartbeat",
    ("POST", "telemetry", "send"): "telemetry",
    ("POST", "telemetry", "send", "sessionless"): "telemetry",
    ("POST", "queries", "v1", "query-request"): "query",
    ("POST", "queries", "v1", "abort-request"): "abort",
    ("POST", "queries", "v1", "query-monitoring-request"): "heartbeat",
}
_PARAMETERS = re.compile(
    r"(?:CLIENT|PYTHON|PYTHON_CONNECTOR|JDBC|ODBC|GO|NODE|DOTNET|SNOWPARK)_\w+|MULTI_STATEMENT_COUNT|QUERY_TAG|TIMEZONE"
    r"|AUTOCOMMIT|STATEMENT_TIMEOUT_IN_SECONDS|STATEMENT_QUEUED_TIMEOUT_IN_SECONDS|LOCK_TIMEOUT|ROWS_PER_RESULTSET"
    r"|USE_CACHED_RESULT|WEEK_START|WEEK_OF_YEAR_POLICY|JSON_INDENT|TIMESTAMP_TYPE_MAPPING|\w+_(?:INPUT|OUTPUT)_FORMAT"
    r"|ABORT_DETACHED_QUERY|ERROR_ON_NONDETERMINISTIC_\w+|TRANSACTION_DEFAULT_ISOLATION_LEVEL|STRICT_JSON_OUTPUT"
)
"""Session parameters that change nothing about what a statement means. SEARCH_PATH, for one, does."""
_ONCE = (
    *("query:requestId", "query:request_guid", "query:clientStartTime", "query:retryCount", "query:retryReason"),
    *("$.sequenceId", "$.querySubmissionTime", "$.queryContextDTO"),
)
_RESULT_SCAN = re.compile(
    r"\s*select\s+\*\s+from\s+table\s*\(\s*result_scan\s*\(\s*'([0-9a-z-]{1,64})'\s*\)\s*\)\s*", re.IGNORECASE
)
"""What the connectors send to fetch the result of a query that they did not wait for."""
_TOKEN = re.compile(r'Snowflake Token="([^"]+)"', re.IGNORECASE)


class SnowflakeDialect(StatementDialect):
    """Requests to an account, and to the storage that its answers point to (list those hosts in the service, too)."""

    def match(self, view: RequestView) -> str | None:
        path = path_of(view)
        if path is None:
            return None
        if path[:2] == ("api", "v2"):
            return snowflake_api.route_of(view, path)
        if (route := _ROUTES.get((view.method, *path))) is not None:
            return route
        if view.method == "GET" and len(path) == 3 and path[::2] == ("queries", "result"):
            return "result"
        if view.method == "GET" and len(path) == 3 and path[:2] == ("monitoring", "queries"):
            return "monitoring"
        return LINK if view.method in ("GET", "HEAD", "PUT") else None

    def ask(self, route: str, view: RequestView, known: Known, session: Session) -> Asked:
        match route:
            case "query":
                asked = _query(view, known, session)
                given = parameters(view.query).get("requestId")
                return replace(asked, operation=resubmitted(given, asked.operation, session))
            case "login":
                return _login(view, known)
            case "token" | "session":
                return simple(known.service, "login", route)
            case "heartbeat":
                return simple(known.service, "poll", route)
            case "telemetry":
                return simple(known.service, "telemetry", route)
            case "abort":
                return simple(known.service, "cancel", route)
            case "result":
                handle = _query_handle(plain((path_of(view) or ("",) * 3)[1], "query id"))
                return followed(session.follow(handle), route, handle)
            case "monitoring":
                handle = _query_handle(plain((path_of(view) or ("",) * 3)[2], "query id"))
                return followed(session.follow(handle), route, handle, kind="poll")
            case _ if route == LINK:
                return _link(view, session)
            case _:
                return snowflake_api.ask(route, view, known, session)

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        route = self.match(view)
        if route == LINK:
            return _chunk(operation, reply, session)
        if route in (None, "telemetry", "abort"):
            return None
        document = object_in(reply)
        if document is None:
            return unreadable("it is not a JSON object")
        if route in ("login", "token"):
            _remember_login(document, session)
            return None
        if route in ("query", "result"):
            return _result(view, operation, document, session)
        if route.startswith(snowflake_api.PREFIX):
            return snowflake_api.deliver(operation, document, reply, session)
        return Delivery(leaks=("$.message", "$.data.queries[*].errorMessage"))

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        route = self.match(view)
        if not for_the_client(refusal) or route is None:
            return None
        if route.startswith(snowflake_api.PREFIX):
            return snowflake_api.refuse(refusal)
        if route == LINK:
            # Connectors fetch again after 400, 403 and 429, but not after 404.
            return answered(refusal, 404, "text/plain; charset=utf-8", said(refusal))
        return answered(
            refusal,
            200,
            "application/json",
            {
                "data": {"errorCode": CODE, "sqlState": STATE, "internalError": False},
                "code": CODE,
                "message": said(refusal),
                "success": False,
            },
        )


CODE, STATE = snowflake_api.CODE, snowflake_api.STATE


def _query_handle(query: str) -> str:
    return f"query:{query}"


def _login(view: RequestView, known: Known) -> Asked:
    data = table_of(body.read_object(view), "data")
    check_parameters(table_of(data, "SESSION_PARAMETERS"))
    user = text_of(data, "LOGIN_NAME")
    return simple(known.service, "login", "login", (f"user={user[:200]}",) if user else ())


def check_parameters(parameters: dict[str, Any]) -> None:
    """Raise Unreadable for session parameters that may change what a statement means."""
    for name in parameters:
        if not _PARAMETERS.fullmatch(name.upper()):
            raise Unreadable(f"the session parameter {name[:40]!r} may change what the statement means")


def _query(view: RequestView, known: Known, session: Session) -> Asked:
    document = body.read_object(view)
    only(document, _MEMBERS)
    check_parameters(table_of(document, "parameters"))
    text = text_of(document, "sqlText")
    if text is None:
        raise Unreadable("the request has no statement")
    if (scan := _RESULT_SCAN.fullmatch(text)) is not None:
        handle = _query_handle(scan[1])
        return followed(session.follow(handle), "query", handle)
    state = _state_handle(view)
    read, place = _read(text, known, session, state)
    moves = "use" in read.operation.statements or read.operation.kind in ("unknown", "script")
    if state is not None and moves:
        # Until the answer says what it came to, nobody knows the session's database and schema.
        session.remember(state, Operation(known.service, "poll"))
    operation = replace(read.operation, route="query", place=place, once=_ONCE if place else ())
    if flag_of(document, "describeOnly") and operation.kind == "read":
        operation = replace(operation, rows=0)
    flag_of(document, "asyncExec")
    return Asked(operation, _regenerated(view, document, read))


def _read(text: str, known: Known, session: Session, state: str | None) -> tuple[Read, str]:
    """The statement, and where its unqualified names belong; empty where nobody knows for certain."""
    catalog, schema, certain = None, None, False
    if state is not None:
        try:
            kept = session.find(state)
        except Unreadable:
            kept = None
        if kept is not None and len(kept.chunks) == 2:
            catalog, schema, certain = kept.chunks[0] or None, kept.chunks[1] or None, True
    nowhere = known.nowhere()
    if not certain or catalog is None or schema is None:
        known = nowhere
    read = read_sql(text, "snowflake", known, catalog=catalog, schema=schema)
    if "use" in read.operation.statements and len(read.operation.statements) > 1:
        read = read_sql(text, "snowflake", nowhere)  # it may move before the next statement is run
    return read, json.dumps([catalog, schema]) if certain and catalog and schema else ""


def _regenerated(view: RequestView, document: dict[str, Any], read: Read) -> Rewrite | None:
    if read.regenerated is None:
        return None
    out = json.dumps({**document, "sqlText": read.regenerated}, default=float, ensure_ascii=True, allow_nan=False)
    return Rewrite(body=out.encode())


def _state_handle(view: RequestView) -> str | None:
    found = _TOKEN.fullmatch(view.header("authorization") or "")
    return _session_handle(found[1]) if found else None


def _session_handle(token: str) -> str:
    return "session:" + hashlib.sha256(token.encode()).hexdigest()


def _remember_login(document: dict[str, Any], session: Session) -> None:
    data = document.get("data")
    info = member(data, "sessionInfo")
    for name in ("token", "sessionToken"):
        token = member(data, name)
        if isinstance(token, str) and token:
            database, schema = member(info, "databaseName"), member(info, "schemaName")
            _remember_state(session, _session_handle(token), database, schema)


def _remember_state(session: Session, handle: str, database: Any, schema: Any) -> None:
    if isinstance(database, str) and database and isinstance(schema, str) and schema:
        session.remember(handle, Operation(session.service, "poll", chunks=(database, schema)))
    else:
        session.remember(handle, Operation(session.service, "poll"))


def _result(view: RequestView, operation: Operation, document: dict[str, Any], session: Session) -> Delivery:
    data = document.get("data")
    state = _state_handle(view)
    if state is not None and isinstance(data, dict) and "finalDatabaseName" in data:
        _remember_state(session, state, data.get("finalDatabaseName"), data.get("finalSchemaName"))
    query, several = member(data, "queryId"), member(data, "resultIds")
    names = names_in(member(data, "rowtype"))
    columns = None if names is None else placed(session, operation, names)
    if isinstance(query, str):
        remember_result(session, _query_handle(query), operation, columns)
    if isinstance(several, str) and several:
        # Each statement has a result of its own, and which of them is which is not said.
        for one in several.split(",")[:1000]:
            session.remember(_query_handle(one.strip()), replace(operation, outputs=None))
    leaks = () if document.get("success") is True else ("$.message", "$.data.errorMessage")
    rows, why = _rows(columns, data)
    return Delivery(rows, leaks, unreadable=why or _links(operation, data, session))


def _rows(columns: tuple[Output, ...] | None, data: Any) -> tuple[tuple[Rows, ...], str]:
    encoded, rows = member(data, "rowsetBase64"), member(data, "rowset")
    if not encoded and not rows:
        return (), ""
    if columns is None:
        return (), "its columns are not described"
    if encoded and rows:
        return (), "it has rows in two places"
    if encoded:
        return (Rows("arrow", "$.data.rowsetBase64", base64=True, shape="arrays", columns=columns),), ""
    return (Rows("json", "$.data.rowset", shape="arrays", columns=columns),), ""


def _links(operation: Operation, data: Any, session: Session) -> str:
    chunks = member(data, "chunks")
    if chunks:
        if not isinstance(chunks, list):
            return "its chunks cannot be read"
        format_ = "chunk:arrow" if "arrow" in str(member(data, "queryResultFormat")) else "chunk:json"
        urls = [chunk.get("url") if isinstance(chunk, dict) else None for chunk in chunks]
        query = member(data, "queryId")
        of = replace(operation, result=_query_handle(query)) if isinstance(query, str) else operation
        if why := remember_links(session, urls, of, format_):
            return why
    stage = member(data, "stageInfo")
    several = member(data, "presignedUrls")
    signed = [member(stage, "presignedUrl"), *(several if isinstance(several, list) else (several,))]
    return remember_links(session, [url for url in signed if url], operation, "stage file")


def _link(view: RequestView, session: Session) -> Asked:
    asked = find_link(view._replace(body=b""), session)
    kind = asked.operation.kind
    if view.method == "PUT" and kind != "upload":
        raise Unreadable("the link is one to read from")
    if view.method != "PUT" and (kind == "upload" or view.body):
        raise Unreadable("the link is one to write to, or a body was sent")
    return asked


def _chunk(operation: Operation, reply: ReplyView, session: Session) -> Delivery:
    form = operation.chunks[-1] if operation.chunks else ""
    if reply.status >= 400:
        return unreadable("the storage refused it")
    if not reply.decoded or reply.body.startswith(GZIP):
        return unreadable("its coding is not declared, or not known")
    columns = placed(session, operation, None)
    if form == "chunk:arrow" and columns is not None:
        return Delivery((Rows("arrow", shape="arrays", columns=columns),))
    return unreadable("its rows are lists without a beginning and an end" if form == "chunk:json" else "it is a file")
