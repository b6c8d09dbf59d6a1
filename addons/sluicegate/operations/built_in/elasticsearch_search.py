"""Searches of Elasticsearch and what is like them: pages, documents by id, counts, SQL and ES|QL."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sluicegate.exchange import Operation
from sluicegate.operations.built_in import elasticsearch_query as dsl
from sluicegate.operations.built_in.aws_json import polled, short, together
from sluicegate.operations.built_in.elasticsearch_indices import (
    handle_of,
    lines_of,
    list_of,
    operation_on,
    parameters_of,
    read_body,
    rooted_in,
    wire_name,
)
from sluicegate.operations.dialect import Known
from sluicegate.operations.members import count_of, text_of
from sluicegate.operations.results import Session
from sluicegate.operations.sql import read_sql
from sluicegate.operations.view import RequestView, Unreadable

CHOOSING = ("_source", "_source_includes", "_source_excludes", "stored_fields", "docvalue_fields", "q", "df", "sort",
             "default_operator", "analyzer", "analyze_wildcard", "lenient", "track_scores", "explain")  # fmt: skip

DOCUMENT = ("_source", "_source_includes", "_source_excludes")
"""Of documents by their ids. Fields beside the document would be shown under names of their own."""

_SEARCH = frozenset(
    (
        *("query", "post_filter", "size", "from", "sort", "_source", "fields", "docvalue_fields", "stored_fields"),
        *(
            "aggs",
            "aggregations",
            "highlight",
            "collapse",
            "pit",
            "slice",
            "search_after",
            "track_total_hits",
            "timeout",
        ),
        *("track_scores", "min_score", "version", "seq_no_primary_term", "explain", "profile", "terminate_after"),
        *("indices_boost", "knn", "stats", "keep_on_completion"),
    )
)

_SCRIPTED = frozenset({"script_fields", "runtime_mappings"})

_OF_SQL = frozenset(
    ("query", "fetch_size", "params", "parameters", "time_zone", "request_timeout", "page_timeout", "columnar")
)

_ESQL = re.compile(r'\s*FROM\s+([\w.*,\s"-]+?)\s*(?:\||METADATA\b|$)', re.IGNORECASE | re.ASCII)

_NAMING = re.compile(r"\b(?:match|multi_match|query)\s*\(", re.IGNORECASE)
"""Functions of Elasticsearch's SQL whose first argument is a text with names of fields, or a whole query."""

_ESQL_MORE = re.compile(r"\b(?:ENRICH|JOIN|FORK|FROM|COMPLETION|RERANK)\b|/\*|//", re.IGNORECASE)
"""What reads from elsewhere than the first line says, and comments."""


def read_search(view: RequestView, index: str | None, known: Known, session: Session) -> Operation:
    return _searched(read_body(view, False), parameters_of(view, *CHOOSING, "format"), index, known, session)


def _searched(
    body: dict[str, Any], parameters: dict[str, str], index: str | None, known: Known, session: Session
) -> Operation:
    script = bool(_SCRIPTED & body.keys())
    for name in body:
        if name not in _SEARCH and name not in _SCRIPTED:
            raise Unreadable(f"the body has a member {name[:40]!r} that is not known")
    predicates: list[str] = []
    shown: list[str] = []
    try:
        for name in ("query", "post_filter"):
            predicates += dsl.fields_of(body[name]) if name in body else ()
        if "knn" in body:
            predicates += dsl.fields_of([{"knn": one} for one in list_of(body["knn"])])
        ordered = [*dsl.sorted_by(body.get("sort")), *filter(None, parameters.get("sort", "").split(","))]
        ordered = [name.partition(":")[0] for name in ordered if name not in ("_score", "_doc", "_shard_doc")]
        predicates += ordered
        for name in ("aggs", "aggregations"):
            shown += dsl.aggregated(body[name]) if name in body else ()
        if body.get("collapse") is not None:
            shown += _collapsed(body["collapse"])
    except dsl.Script:
        script = True
    if "q" in parameters:
        predicates.append(dsl.ANY)
    shown += _highlighted(body.get("highlight"))
    for name in ("fields", "docvalue_fields", "stored_fields"):
        shown += dsl.names(body.get(name))
        shown += filter(None, parameters.get(name, "").split(",")) if name in parameters else ()
    chosen = chosen_fields(body, parameters)
    fields = None if chosen is None else [*chosen, *shown]
    chunks = tuple(f"slice {one.get('id')}/{one.get('max')}" for one in [body.get("slice")] if isinstance(one, dict))
    if body.get("search_after"):
        chunks += (f"after:{short(body['search_after'])}",)
    size = count_of(body, "size")
    if script:
        source = json.dumps(body, sort_keys=True, default=str)
        digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        return operation_on(known, index, "script", None, script_digest=digest, chunks=chunks)
    more = {"predicates": tuple(predicates), "chunks": chunks, "rows": size}
    pit = body.get("pit")
    if pit is None:
        found = operation_on(known, index, "read", fields, **more)
    elif isinstance(pit, dict) and isinstance(pit.get("id"), str) and index is None:
        at = session.follow(handle_of("pit", pit["id"]))
        names = ",".join(wire_name(one, known) for one in (at, *at.parts))
        found = replace(operation_on(known, names, "read", fields, **more), owner=at.owner)
    else:
        raise Unreadable("the point in time has no id, or an index besides it")
    return _valued(found, (*shown, *ordered, *predicates), known)


def _valued(found: Operation, fields: Sequence[str], known: Known) -> Operation:
    """The same, marked where values of sensitive fields stand beside the documents."""

    def marked(one: Operation) -> Operation:
        sensitive = known.columns.get(one.dataset or "", frozenset())
        touched = sensitive & set(rooted_in(fields, sensitive))
        return replace(one, statements=(*one.statements, "aggregate")) if touched else one

    parts = tuple(marked(part) for part in found.parts)
    whole = marked(found)
    if any("aggregate" in part.statements for part in parts):
        whole = replace(whole, statements=tuple(dict.fromkeys((*whole.statements, "aggregate"))))
    return replace(whole, parts=parts)


def _collapsed(value: Any) -> list[str]:
    if not isinstance(value, dict) or not value.keys() <= {"field", "max_concurrent_group_searches"}:
        raise Unreadable("hits are put together with hits inside hits, or in a way that is not known")
    return list(dsl.names(value.get("field")))


def _highlighted(value: Any) -> list[str]:
    if value is None:
        return []
    said = json.dumps(value, default=str)
    if '"highlight_query"' in said or '"matched_fields"' in said:
        raise Unreadable("the highlight has a query or fields of its own")
    fields = value.get("fields") if isinstance(value, dict) else None
    if isinstance(fields, dict):
        return list(fields)
    if isinstance(fields, list) and all(isinstance(one, dict) for one in fields):
        return [name for one in fields for name in one]
    raise Unreadable("the highlight has no fields")


def chosen_fields(body: dict[str, Any], parameters: dict[str, str]) -> list[str] | None:
    """The fields of documents that are asked for; None for all. What is left out of all is not subtracted."""
    source = body.get("_source", True)
    if isinstance(source, dict):
        source = source.get("includes", source.get("include", True)) or True
    if isinstance(source, str):
        source = [source]
    said = parameters.get("_source_includes") or parameters.get("_source")
    if said in ("true", "false"):
        source = said == "true"
    elif said:
        source = said.split(",")
    if source is True:
        return None
    if source is False:
        return []
    if not isinstance(source, list) or not all(isinstance(one, str) and one for one in source):
        raise Unreadable("_source is not a list of fields")
    return source


def read_scroll(view: RequestView, path: tuple[str, ...], known: Known, session: Session) -> Operation:
    parameters = parameters_of(view, "scroll_id")
    body = read_body(view, False)
    handle = path[2] if len(path) == 3 else body.get("scroll_id", parameters.get("scroll_id"))
    if view.method == "DELETE":
        handles = list_of(handle)
        if handle is None or not all(isinstance(one, str) for one in handles) or handles == ["_all"]:
            raise Unreadable("it does not say which scrolls are to end")
        found = [session.follow(handle_of("scroll", one)) for one in handles]
        return together([replace(polled(one, ""), kind="cancel") for one in found])
    if view.method not in ("GET", "POST") or not isinstance(handle, str):
        raise Unreadable("it does not say which scroll goes on")
    return follow_handle(session, "scroll", handle, view.method)


def end_points(view: RequestView, session: Session) -> Operation:
    """Points in time that are to end: one by `id`, or several by `pit_id`. Raises Unreadable for all at once."""
    parameters_of(view)
    body = read_body(view)
    handles = list_of(body.get("id", body.get("pit_id")))
    if len(body) != 1 or not handles or not all(isinstance(one, str) for one in handles):
        raise Unreadable("it does not say which points in time are to end")
    found = [session.follow(handle_of("pit", one)) for one in handles]
    return together([replace(polled(one, ""), kind="cancel") for one in found])


def end_cursor(view: RequestView, session: Session) -> Operation:
    """A table that is not read to its end."""
    parameters_of(view)
    body = read_body(view)
    cursor = text_of(body, "cursor")
    if cursor is None or len(body) != 1:
        raise Unreadable("it does not say which cursor is to end")
    return replace(polled(session.follow(handle_of("cursor", cursor)), ""), kind="cancel")


def follow_handle(session: Session, word: str, handle: str, method: str) -> Operation:
    found = session.follow(handle_of(word, handle))
    if method == "DELETE":
        return replace(polled(found, ""), kind="cancel")
    return replace(found, result=short(handle), chunks=(word,))


def read_count(view: RequestView, index: str | None, known: Known) -> Operation:
    parameters, body = parameters_of(view, *CHOOSING), read_body(view, False)
    if not body.keys() <= {"query"}:
        raise Unreadable("the body has more than a query")
    try:
        predicates = tuple(dsl.fields_of(body["query"])) if body else ()
    except dsl.Script:
        return operation_on(known, index, "script", None, script_digest=hashlib.sha256(view.body).hexdigest())
    return operation_on(known, index, "read", (), predicates=(*predicates, *([dsl.ANY] if "q" in parameters else [])))


def read_many(view: RequestView, index: str | None, known: Known, session: Session) -> Operation:
    parameters = parameters_of(view)
    lines = lines_of(view)
    if len(lines) % 2 or len(lines) > 2000:
        raise Unreadable("the searches are not in pairs of lines, or too many")
    found = []
    for head, body in zip(lines[::2], lines[1::2], strict=True):
        if not head.keys() <= {"index", "preference", "routing", "search_type", "ignore_unavailable", "request_cache"}:
            raise Unreadable("a search has a member in its first line that is not known")
        named = head.get("index", index)
        named = ",".join(named) if isinstance(named, list) and all(isinstance(n, str) for n in named) else named
        if named is not None and not isinstance(named, str):
            raise Unreadable("a search has an index that is no text")
        found.append(_searched(body, parameters, named, known, session))
    whole = together(found)
    marks = tuple(dict.fromkeys(mark for one in (whole, *whole.parts) for mark in one.statements))
    return replace(whole, statements=marks)


def read_documents(view: RequestView, index: str | None, known: Known) -> Operation:
    parameters, body = parameters_of(view, *DOCUMENT), read_body(view)
    if not body.keys() <= {"docs", "ids"}:
        raise Unreadable("the body has a member that is not known")
    if "ids" in body:
        return operation_on(known, index, "read", chosen_fields({}, parameters))
    found = []
    for one in list_of(body.get("docs")):
        if not isinstance(one, dict) or not one.keys() <= {"_index", "_id", "_source", "routing"}:
            raise Unreadable("a document has a member that is not known")
        found.append(operation_on(known, text_of(one, "_index") or index, "read", chosen_fields(one, parameters)))
    return together(found)


def read_statement(view: RequestView, known: Known, session: Session) -> Operation:
    parameters_of(view, "format")
    body = read_body(view)
    cursor = text_of(body, "cursor")
    if cursor is not None:
        return follow_handle(session, "cursor", cursor, view.method)
    accepted = {
        "query",
        "fetch_size",
        "params",
        "time_zone",
        "request_timeout",
        "page_timeout",
        "columnar",
        "parameters",
    }
    for name in body:
        if name not in accepted:
            raise Unreadable(f"the body has a member {name[:40]!r} that is not known")
    if body.get("columnar"):
        raise Unreadable("the answer is asked for by columns")
    statement = text_of(body, "query")
    if statement is None:
        raise Unreadable("the request has no statement")
    if _NAMING.search(statement):
        raise Unreadable("the statement may name fields in a text")
    return read_sql(statement, "", known).operation


def read_piped(view: RequestView, known: Known) -> Operation:
    """ES|QL: pipes that nothing here parses. So it reads every field of the indices that it begins with."""
    parameters_of(view, "format", "drop_null_columns")
    body = read_body(view)
    if not body.keys() <= {"query", "params", "locale", "profile", "include_ccs_metadata"}:
        raise Unreadable("the body has a member that is not known")
    statement = text_of(body, "query") or ""
    found = _ESQL.match(statement)
    if not found or _ESQL_MORE.search(statement[found.end(1) :]):
        raise Unreadable("the statement reads from more than its first line says")
    names = ",".join(name.strip().strip('"') for name in found[1].split(","))
    return operation_on(known, names, "read", None, statement=statement, statements=("esql",))
