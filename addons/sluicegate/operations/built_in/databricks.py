"""Databricks SQL statement execution: statements, chunks of their results, external links. From its documentation.

External links lead round the gate, so where columns are sensitive the result is asked for inline; elsewhere each link
is remembered, for the service that has its host.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Rewrite, Rows
from sluicegate.operations import body
from sluicegate.operations.built_in.statement import (
    GZIP,
    LINK,
    Asked,
    StatementDialect,
    answered,
    find_link,
    followed,
    for_the_client,
    given,
    member,
    names_in,
    path_of,
    placed,
    plain,
    remember_links,
    remember_result,
    said,
    simple,
    smaller,
    unreadable,
    width_of,
)
from sluicegate.operations.dialect import Known
from sluicegate.operations.members import object_in, only, text_of
from sluicegate.operations.results import Session
from sluicegate.operations.sql import read_sql
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer

_SUBMIT, _STATUS, _CHUNK, _CANCEL = "submit", "status", "chunk", "cancel"
_API = ("api", "2.0", "sql", "statements")
_MEMBERS = frozenset(
    {
        *("statement", "warehouse_id", "catalog", "schema", "parameters", "row_limit", "byte_limit", "disposition"),
        *("format", "wait_timeout", "on_wait_timeout", "query_tags"),
    }
)
_RESULT = frozenset(
    {
        *("data_array", "external_links", "chunk_index", "row_offset", "row_count", "byte_count", "next_chunk_index"),
        *("next_chunk_internal_link", "error_code", "message", "details"),
    }
)
"""What results have. An `attachment`, for one, is rows in another form."""


class DatabricksDialect(StatementDialect):
    """Requests to a workspace, and to the storage that its links point to (list those hosts in the service, too)."""

    def match(self, view: RequestView) -> str | None:
        path = path_of(view)
        if path is None:
            return None
        if path[:4] == _API:
            match (view.method, *path[4:]):
                case ("POST",):
                    return _SUBMIT
                case ("GET", _):
                    return _STATUS
                case ("GET", _, "result", "chunks", _):
                    return _CHUNK
                case ("POST", _, "cancel"):
                    return _CANCEL
            return None
        if view.method == "GET" and path in (
            (".well-known", "databricks-config"),
            ("oidc", ".well-known", "oauth-authorization-server"),
        ):
            return "discovery"
        if view.method == "POST" and path == ("oidc", "v1", "token"):
            return "token"
        if view.method == "POST" and path in (("telemetry-unauth",), ("telemetry-ext",)):
            return "telemetry"
        return LINK if view.method in ("GET", "HEAD") and path[:1] != ("api",) else None

    def ask(self, route: str, view: RequestView, known: Known, session: Session) -> Asked:
        if route == LINK:
            return find_link(view, session)
        if route in ("discovery", "token"):
            return simple(known.service, "login", route)
        if route == "telemetry":
            return simple(known.service, "telemetry", route)
        given(view, *(("row_offset",) if route == _CHUNK else ()))
        if route == _SUBMIT:
            return _submit(view, known)
        if view.body and route != _CANCEL:
            raise Unreadable("a body was sent where none is read")
        path = path_of(view) or ()
        statement = f"query:{plain(path[4], 'statement id')}"
        found = session.follow(statement)
        if route == _CANCEL:
            return followed(found, route, statement, kind="cancel")
        return followed(found, route, statement, (plain(path[7], "chunk"),) if route == _CHUNK else ())

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        route = self.match(view)
        if route == LINK:
            return _link(operation, reply, session)
        if route not in (_SUBMIT, _STATUS, _CHUNK):
            return None
        document = object_in(reply)
        if document is None:
            return unreadable("it is not a JSON object")
        found = _result(route, operation, document, session)
        return replace(found, leaks=(*found.leaks, "$.message", "$.details")) if reply.status >= 400 else found

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        if not for_the_client(refusal) or self.match(view) is None:
            return None
        document = {"error_code": "PERMISSION_DENIED", "message": said(refusal)}
        return answered(refusal, 403, "application/json", document)


def _submit(view: RequestView, known: Known) -> Asked:
    document = body.read_object(view)
    only(document, _MEMBERS)
    text = text_of(document, "statement")
    if text is None:
        raise Unreadable("the request has no statement")
    catalog, schema = text_of(document, "catalog"), text_of(document, "schema")
    if catalog is None or schema is None:
        known = known.nowhere()  # then the workspace's own defaults hold
    read = read_sql(text, "databricks", known, catalog=catalog, schema=schema)
    limit = document.get("row_limit")
    limit = limit if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0 else None
    operation = replace(read.operation, route=_SUBMIT, rows=smaller(read.operation.rows, limit))
    changed = {} if read.regenerated is None else {"statement": read.regenerated}
    if document.get("disposition") not in (None, "INLINE") and _sensitive(operation, known):
        changed |= {"disposition": "INLINE", "format": "JSON_ARRAY"}
    if not changed:
        return Asked(operation)
    out = json.dumps({**document, **changed}, default=float, allow_nan=False)
    return Asked(operation, Rewrite(body=out.encode()))


def _sensitive(operation: Operation, known: Known) -> bool:
    """Whether anything that it reads has columns that the policy declares, or could have."""
    every = (operation, *operation.parts)
    return any(one.opaque or (one.dataset is not None and known.columns.get(one.dataset)) for one in every)


def _result(route: str, operation: Operation, document: dict[str, Any], session: Session) -> Delivery:
    statement = document.get("statement_id")
    result, path = (document, "$") if route == _CHUNK else (document.get("result"), "$.result")
    names = names_in(member(document, "manifest", "schema", "columns"))
    rows = member(result, "data_array")
    columns = placed(session, operation, names, width_of(rows))
    if isinstance(statement, str):
        remember_result(session, f"query:{statement}", operation, columns if names is not None else None)
    links = member(result, "external_links")
    if links:
        if not isinstance(links, list):
            return unreadable("its external links cannot be read")
        format_ = str(member(document, "manifest", "format") or "")
        urls = [link.get("external_link") if isinstance(link, dict) else None for link in links]
        of = replace(operation, result=f"query:{statement}") if isinstance(statement, str) else operation
        if why := remember_links(session, urls, of, format_):
            return unreadable(why)
    leaks = ("$.status.error.message",)
    if isinstance(result, dict) and any(result[name] for name in result if name not in _RESULT):
        return unreadable("it has rows, or something else, where none are known")
    if not rows:
        return Delivery(leaks=leaks)
    if columns is None:
        return unreadable("its columns are not described")
    where = f"{path}.data_array"
    return Delivery((Rows("json", where, shape="arrays", columns=columns),), leaks)


def _link(operation: Operation, reply: ReplyView, session: Session) -> Delivery:
    form = operation.chunks[-1] if operation.chunks else ""
    if reply.status >= 400 or not reply.decoded or reply.body.startswith(GZIP):
        return unreadable("the storage refused it, or its coding is not known")
    columns = placed(session, operation, None)
    if columns is not None:
        if form == "ARROW_STREAM":
            return Delivery((Rows("arrow", shape="arrays", columns=columns),))
        if form == "JSON_ARRAY":
            return Delivery((Rows("json", shape="arrays", columns=columns),))
        if form == "CSV":
            return Delivery((Rows("csv", shape="arrays", columns=columns, header_row=True),))
    return unreadable("its format or its columns are not known")
