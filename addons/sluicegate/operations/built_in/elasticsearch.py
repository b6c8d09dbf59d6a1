"""Elasticsearch and OpenSearch: searches and their pages, documents, SQL, exports. From their documentation.

An index is a dataset, a field a column. Patterns of indices are every declared index that they cover, and themselves.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Operation, Rows
from sluicegate.operations import saying
from sluicegate.operations.built_in import elasticsearch_query as dsl
from sluicegate.operations.built_in.aws_json import placed, polled
from sluicegate.operations.built_in.elasticsearch_changes import (
    read_bulk,
    read_changed,
    read_reindex,
    read_snapshot,
    renamed,
)
from sluicegate.operations.built_in.elasticsearch_indices import handle_of, operation_on, parameters_of, read_body
from sluicegate.operations.built_in.elasticsearch_search import (
    DOCUMENT,
    chosen_fields,
    end_cursor,
    end_points,
    follow_handle,
    read_count,
    read_documents,
    read_many,
    read_piped,
    read_scroll,
    read_search,
    read_statement,
)
from sluicegate.operations.dialect import Dialect, Known, unknown
from sluicegate.operations.members import object_in
from sluicegate.operations.results import Session
from sluicegate.operations.template import segments_of
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer, render

_POLLING = frozenset(
    (
        *("_mapping", "_mappings", "_settings", "_alias", "_aliases", "_stats", "_segments", "_shard_stores", "_ilm"),
        *("_field_caps", "_recovery", "_search_shards", "_resolve", "_cat", "_cluster", "_nodes", "_tasks", "_license"),
        *("_index_template", "_component_template", "_template", "_data_stream", "_xpack", "_security", "_snapshot"),
    )
)

_CHANGING = frozenset(
    (
        *("_mapping", "_mappings", "_settings", "_alias", "_aliases", "_open", "_close", "_shrink", "_split", "_clone"),
        *("_rollover", "_forcemerge", "_cache", "_index_template", "_component_template", "_template", "_ingest"),
        *("_cluster", "_ilm", "_slm", "_data_stream", "_transform", "_tasks", "_ml", "_watcher", "_enrich", "_license"),
    )
)


_RENAMING = frozenset(
    {"_alias", "_aliases", "_shrink", "_split", "_clone", "_rollover", "_transform", "_enrich", "_watcher", "_ml"}
)
"""What shows an index under another name, or carries what it holds into another one or elsewhere."""


class ElasticsearchDialect(Dialect):
    """Reads the REST interface that both share."""

    def match(self, view: RequestView) -> str | None:
        segments = _path(view)
        return None if segments is None else f"{view.method} {next((s for s in segments if s[:1] == '_'), 'index')}"

    def read(self, view: RequestView, known: Known, session: Session) -> Operation:
        try:
            segments = _path(view)
            if segments is None:
                raise Unreadable("the path can be read in more than one way")
            found = _read(view, segments, known, session)
            return replace(found, route=self.match(view) or "")
        except Unreadable as why:
            return unknown(known.service, f"{self.match(view) or view.method}: {why}")

    def deliver(
        self, view: RequestView, operation: Operation, reply: ReplyView, known: Known, session: Session
    ) -> Delivery | None:
        document = object_in(reply)
        action = _action(_path(view) or ())
        if document is None:
            return None  # by name, where it is JSON; else it is refused where masks are owed
        if operation.kind not in ("unknown", "cancel"):
            _remember(document, action, operation, session)
        if reply.status >= 400:
            return Delivery(leaks=("$.error",))
        if action == "_sql":
            return _table(document, operation)
        if action == "_query":
            return _table(document, replace(operation, outputs=None))
        if action == "_terms_enum":
            return Delivery(leaks=("$.terms",))
        sources = ("$.hits.hits[*]._source", "$.response.hits.hits[*]._source", "$.responses[*].hits.hits[*]._source",
                   "$.docs[*]._source", "$._source", "$.get._source")  # fmt: skip
        return Delivery(tuple(Rows(path=path, shape="one") for path in sources), _leaks(operation, known))

    def refuse(self, view: RequestView, refusal: Refusal) -> Answer | None:
        """The error of both: `reason` is what clients show. Their clients ask for the header of the product."""
        said = render(refusal, "")
        reason = {"type": "security_exception", "reason": saying.sentence(refusal)}
        body = json.dumps({"error": {"root_cause": [reason], **reason}, "status": 403}).encode()
        fields = {**dict(said.headers), "content-type": "application/json", "x-elastic-product": "Elasticsearch"}
        return Answer(403, said.reason, tuple(fields.items()), body)


def _action(segments: tuple[str, ...]) -> str:
    """What is done, by the first of its words; plugins stand behind one of their own."""
    words = [segment for segment in segments if segment[:1] == "_"]
    return next((word for word in words if word not in ("_plugins", "_opendistro", "_all")), "index")


def _path(view: RequestView) -> tuple[str, ...] | None:
    return segments_of(view.path.rstrip("/") or "/")


def _remember(document: dict[str, Any], action: str, operation: Operation, session: Session) -> None:
    """Keep what the next page, the next search at this point in time, or the next part of a table will name.

    Only where the service itself writes the member: elsewhere an answer may be a document of the person who asks.
    """
    for place, member, word in (("_search", "_scroll_id", "scroll"), ("_search", "pit_id", "pit"),
                                ("_sql", "cursor", "cursor")):  # fmt: skip
        handle = document.get(member)
        if isinstance(handle, str) and action == place:
            session.remember(handle_of(word, handle), operation)
    made = document.get("id")
    if isinstance(made, str) and action in ("_pit", "_async_search"):
        session.remember(handle_of(action.removeprefix("_"), made), operation)


def _table(document: dict[str, Any], operation: Operation) -> Delivery:
    columns = document.get("columns") or document.get("schema")
    names = [one.get("name") for one in columns if isinstance(one, dict)] if isinstance(columns, list) else []
    described = placed(operation, [str(name) for name in names]) if names else operation.outputs
    rows = [f"$.{member}" for member in ("rows", "datarows", "values") if document.get(member)]
    if rows and described is None:
        return Delivery(unreadable="its columns are not described")
    return Delivery(tuple(Rows(path=path, shape="arrays", columns=described) for path in rows))


_ERRORS = ("$.error", "$.response.error", "$.responses[*].error", "$.docs[*].error", "$.items[*].*.error",
           "$._shards.failures[*].reason", "$.response._shards.failures[*].reason",
           "$.responses[*]._shards.failures[*].reason", "$.failures[*].cause", "$.failures[*].reason")  # fmt: skip
"""What failed in an answer that is one otherwise. It may quote the value that could not be read."""


def _leaks(operation: Operation, known: Known) -> tuple[str, ...]:
    """What beside the documents holds values of sensitive fields. Which those are was found when it was read."""
    always = ("$.profile", "$.suggest", *_ERRORS)
    if "aggregate" not in operation.statements:
        return always
    beside = ("hits.hits[*].sort", "hits.hits[*].fields", "hits.hits[*].highlight", "hits.hits[*]._explanation",
              "hits.hits[*].ignored_field_values",
              "hits.hits[*].matched_queries", "hits.hits[*]._score", "hits.max_score",
              "aggregations", "suggest")  # fmt: skip
    places = [f"$.{front}{path}" for front in ("", "response.", "responses[*].") for path in beside]
    return (*always, *places)


def _read(view: RequestView, path: tuple[str, ...], known: Known, session: Session) -> Operation:
    method = view.method
    reading = method in ("GET", "POST")
    match path:
        case () if method in ("GET", "HEAD"):
            return Operation(known.service, "poll")
        case ("_search", "scroll") | ("_search", "scroll", _):
            return read_scroll(view, path, known, session)
        case ("_search",) | (_, "_search") | ("_async_search",) | (_, "_async_search") if reading:
            return read_search(view, path[0] if len(path) == 2 else None, known, session)
        case ("_async_search", handle) if method in ("GET", "DELETE"):
            return follow_handle(session, "async_search", handle, method)
        case ("_async_search", "status", handle) if method == "GET":
            return polled(session.follow(handle_of("async_search", handle)), "")
        case (index, "_pit") | (index, "_search", "point_in_time") if method == "POST":
            parameters_of(view)
            return operation_on(known, index, "poll", ())
        case ("_pit",) | ("_search", "point_in_time") if method == "DELETE":
            return end_points(view, session)
        case ("_count",) | (_, "_count") if reading:
            return read_count(view, path[0] if len(path) == 2 else None, known)
        case ("_msearch",) | (_, "_msearch") if reading:
            return read_many(view, path[0] if len(path) == 2 else None, known, session)
        case ("_mget",) | (_, "_mget") if reading:
            return read_documents(view, path[0] if len(path) == 2 else None, known)
        case (index, "_doc" | "_source", document) if method in ("GET", "HEAD"):
            parameters = parameters_of(view, *DOCUMENT)
            return operation_on(
                known, index, "read", chosen_fields({}, parameters), chunks=(f"document {document[:100]}",)
            )
        case (index, "_terms_enum") if reading:
            body = read_body(view)
            fields = tuple(dsl.names(body.get("field")))
            return operation_on(known, index, "read", fields, predicates=fields, statements=("aggregate",))
        case ("_sql",) | ("_plugins" | "_opendistro", "_sql") if method == "POST":
            return read_statement(view, known, session)
        case ("_sql", "close") | ("_plugins" | "_opendistro", "_sql", "close") if method == "POST":
            return end_cursor(view, session)
        case ("_query",) if method == "POST":
            return read_piped(view, known)
        case ("_bulk",) | (_, "_bulk") if method in ("POST", "PUT"):
            return read_bulk(view, path[0] if len(path) == 2 else None, known)
        case ("_reindex",) if method == "POST":
            return read_reindex(view, known)
        case ("_snapshot", *_):
            return read_snapshot(view, path, known)
    return _other(view, path, known)


def _other(view: RequestView, path: tuple[str, ...], known: Known) -> Operation:
    method, action = view.method, next((segment for segment in path if segment[:1] == "_" and segment != "_all"), "")
    index = path[0] if (path and path[0][:1] != "_") or path[:1] == ("_all",) else None
    if "detailed" in view.query or (action == "_tasks" and method == "GET" and path[-1] != "_tasks"):
        raise Unreadable("it quotes what others have asked")
    if method in ("GET", "HEAD") and not view.body and (action in _POLLING or (index and len(path) == 1)):
        return operation_on(known, index, "poll", ()) if index else Operation(known.service, "poll")
    if action in ("_doc", "_create") and index and method in ("PUT", "POST", "DELETE"):
        return operation_on(known, index, "write", ())
    if action in ("_update", "_update_by_query", "_delete_by_query") and index and method == "POST":
        return read_changed(view, index, known)
    if action == "_scripts" and method in ("PUT", "POST"):
        digest = hashlib.sha256(view.body).hexdigest()
        return Operation(known.service, "script", column_scope="unknown", script_digest=digest)
    if action in ("_security", "_ccr", "_remote") and method in ("PUT", "POST", "DELETE"):
        return Operation(known.service, "share")
    if method in ("PUT", "POST", "DELETE") and (action in _CHANGING or (index and len(path) == 1 and method != "POST")):
        found = operation_on(known, index, "admin", ()) if index else Operation(known.service, "admin")
        return renamed(found, index, known) if action in _RENAMING else found
    raise Unreadable("no request of this form is known")
