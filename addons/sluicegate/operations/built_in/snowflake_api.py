"""Snowflake's SQL API v2: statements, their partitions, several statements in one request. From its documentation."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Rewrite, Rows
from sluicegate.operations import body
from sluicegate.operations.built_in.statement import (
    Asked,
    answered,
    followed,
    member,
    names_in,
    path_of,
    placed,
    plain,
    remember_result,
    resubmitted,
    said,
    unreadable,
    width_of,
)
from sluicegate.operations.dialect import Known
from sluicegate.operations.members import only, table_of, text_of
from sluicegate.operations.query import parameters
from sluicegate.operations.results import Session
from sluicegate.operations.sql import read_sql
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer

PREFIX = "SQL API"
CODE, STATE = "003001", "42501"
"""What the service itself says when a role may not do something, and the SQL state for it."""

_SUBMIT, _FETCH, _CANCEL = f"{PREFIX}: submit", f"{PREFIX}: fetch", f"{PREFIX}: cancel"
_MEMBERS = frozenset(
    {"statement", "timeout", "database", "schema", "warehouse", "role", "bindings", "parameters", "nullable"}
)
_HARMLESS = frozenset(
    {
        *("multi_statement_count", "query_tag", "timezone", "rows_per_resultset", "use_cached_result"),
        *("date_output_format", "time_output_format", "timestamp_output_format", "timestamp_ltz_output_format"),
        *(
            "timestamp_ntz_output_format",
            "timestamp_tz_output_format",
            "binary_output_format",
            "client_result_chunk_size",
        ),
    }
)
_QUERY = frozenset({"requestId", "async", "nullable", "retry", "partition", "pageSize"})


def route_of(view: RequestView, path: tuple[str, ...]) -> str | None:
    """The route of a path below /api/v2, or None."""
    match (view.method, *path[2:]):
        case ("POST", "statements"):
            return _SUBMIT
        case ("GET", "statements", _):
            return _FETCH
        case ("POST", "statements", _, "cancel"):
            return _CANCEL
    return None


def ask(route: str, view: RequestView, known: Known, session: Session) -> Asked:
    """What is asked. Raises Unreadable."""
    given = parameters(view.query)
    only(given, _QUERY, "the query")
    if route == _SUBMIT:
        asked = _submit(view, known)
        return replace(asked, operation=resubmitted(given.get("requestId"), asked.operation, session))
    handle = plain((path_of(view) or ("",) * 4)[3], "statement handle")
    handle = f"query:{handle}"
    found = session.follow(handle)
    if route == _CANCEL:
        return followed(found, route, handle, kind="cancel")
    if view.body:
        raise Unreadable("a body was sent where none is read")
    partition = plain(given.get("partition", "0"), "partition")
    return followed(found, route, handle, (partition,))


def _submit(view: RequestView, known: Known) -> Asked:
    document = body.read_object(view)
    only(document, _MEMBERS)
    only({name.lower(): None for name in table_of(document, "parameters")}, _HARMLESS, "`parameters`")
    text = text_of(document, "statement")
    if text is None:
        raise Unreadable("the request has no statement")
    catalog, schema = text_of(document, "database"), text_of(document, "schema")
    if catalog is None or schema is None:
        known = known.nowhere()  # then the user's own defaults hold, which nobody here knows
    read = read_sql(text, "snowflake", known, catalog=catalog, schema=schema)
    if "use" in read.operation.statements and len(read.operation.statements) > 1:
        read = read_sql(text, "snowflake", known.nowhere())
    role = text_of(document, "role")
    operation = replace(read.operation, route=_SUBMIT, claims=(f"role={role[:200]}",) if role else ())
    if catalog is not None and schema is not None:
        operation = replace(operation, once=("query:requestId", "query:retry"))
    if read.regenerated is None:
        return Asked(operation)
    out = json.dumps({**document, "statement": read.regenerated}, default=float, allow_nan=False)
    return Asked(operation, Rewrite(body=out.encode()))


def deliver(operation: Operation, document: dict[str, Any], reply: ReplyView, session: Session) -> Delivery:
    """Where the rows are. Later partitions say no columns, so those of the first are remembered with the handle."""
    handle, several = document.get("statementHandle"), document.get("statementHandles")
    names = names_in(member(document, "resultSetMetaData", "rowType"))
    data = document.get("data")
    columns = placed(session, operation, names, width_of(data))
    if isinstance(handle, str):
        remember_result(session, f"query:{handle}", operation, columns if names is not None else None)
    if isinstance(several, list):
        for one in several[:1000]:
            if isinstance(one, str):
                session.remember(f"query:{one}", replace(operation, outputs=None))
    leaks = () if reply.status == 200 else ("$.message",)
    if not data:
        return Delivery(leaks=leaks)
    if columns is None:
        return unreadable("its columns are not described")
    return Delivery((Rows("json", "$.data", shape="arrays", columns=columns),), leaks)


def refuse(refusal: Refusal) -> Answer:
    """The API's own error: 422 is what it says of a statement that failed."""
    document = {"code": CODE, "sqlState": STATE, "message": said(refusal)}
    return answered(refusal, 422, "application/json", document)
