"""Elasticsearch and OpenSearch: searches and their pages, documents, SQL, exports. From their documentation.

An index is a dataset, a field a column. Patterns of indices are every declared index that they cover, and themselves.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from sluicegate.errors import Refusal
from sluicegate.exchange import ColumnScope, Delivery, Kind, Operation, Rows
from sluicegate.operations import query as queries
from sluicegate.operations import saying
from sluicegate.operations.body import read_object, read_text
from sluicegate.operations.built_in import elasticsearch_query as dsl
from sluicegate.operations.built_in.aws_json import document_of, number, placed, polled, short, text, together
from sluicegate.operations.destination import judge, judge_all
from sluicegate.operations.dialect import Dialect, Known, unknown
from sluicegate.operations.results import Session
from sluicegate.operations.sql import read_sql
from sluicegate.operations.template import segments_of
from sluicegate.operations.view import ReplyView, RequestView, Unreadable
from sluicegate.problem import Answer, render

MAX_BODY = 1 << 20
_INDEX = re.compile(r"[a-z0-9*.][\w.*+-]{0,254}|_all", re.ASCII)
_HARMLESS = frozenset(
    (
        *(
            "pretty",
            "human",
            "error_trace",
            "timeout",
            "preference",
            "routing",
            "ignore_unavailable",
            "allow_no_indices",
        ),
        *("expand_wildcards", "track_total_hits", "typed_keys", "rest_total_hits_as_int", "request_cache", "version"),
        *("batched_reduce_size", "terminate_after", "ccs_minimize_roundtrips", "allow_partial_search_results", "size"),
        *("max_concurrent_shard_requests", "search_type", "from", "scroll", "keep_alive", "seq_no_primary_term"),
        *("filter_path", "refresh", "realtime", "op_type", "wait_for_active_shards", "if_seq_no", "if_primary_term"),
        *("master_timeout", "keep_on_completion", "wait_for_completion_timeout", "wait_for_completion", "conflicts"),
        *("requests_per_second", "slices", "max_docs", "scroll_size", "max_concurrent_searches", "pipeline"),
    )
)
_CHOOSING = ("_source", "_source_includes", "_source_excludes", "stored_fields", "docvalue_fields", "q", "df", "sort",
             "default_operator", "analyzer", "analyze_wildcard", "lenient", "track_scores", "explain")  # fmt: skip
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
_ESQL_MORE = re.compile(r"\b(?:ENRICH|JOIN|FORK|FROM|COMPLETION|RERANK)\b|/\*|//", re.IGNORECASE)
"""What reads from elsewhere than the first line says, and comments."""
_BULK = ("index", "create", "update", "delete")
_PLACED = ("location", "url", "container", "endpoint")
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
        document = document_of(reply)
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
            session.remember(_handle(word, handle), operation)
    made = document.get("id")
    if isinstance(made, str) and action in ("_pit", "_async_search"):
        session.remember(_handle(action.removeprefix("_"), made), operation)


def _handle(word: str, handle: str) -> str:
    return f"{word}:{hashlib.sha256(handle.encode('utf-8', 'surrogatepass')).hexdigest()}"  # they grow with the shards


def _table(document: dict[str, Any], operation: Operation) -> Delivery:
    columns = document.get("columns") or document.get("schema")
    names = [one.get("name") for one in columns if isinstance(one, dict)] if isinstance(columns, list) else []
    described = placed(operation, [str(name) for name in names]) if names else operation.outputs
    rows = [f"$.{member}" for member in ("rows", "datarows", "values") if document.get(member)]
    if rows and described is None:
        return Delivery(unreadable="its columns are not described")
    return Delivery(tuple(Rows(path=path, shape="arrays", columns=described) for path in rows))


def _leaks(operation: Operation, known: Known) -> tuple[str, ...]:
    """What beside the documents holds values of sensitive fields. Which those are was found when it was read."""
    always = ("$.profile", "$.suggest")
    if "aggregate" not in operation.statements:
        return always
    beside = ("hits.hits[*].sort", "hits.hits[*].fields", "hits.hits[*].highlight", "hits.hits[*]._explanation",
              "hits.hits[*].matched_queries", "hits.max_score", "aggregations", "suggest")  # fmt: skip
    places = [f"$.{front}{path}" for front in ("", "response.", "responses[*].") for path in beside]
    return (*always, *places)


def _parameters(view: RequestView, *accepted: str) -> dict[str, str]:
    found = queries.parameters(view.query)
    for name in found:
        if name not in _HARMLESS and name not in accepted:
            raise Unreadable(f"the query parameter {name[:40]!r} is not known")
    if found.get("format", "json") != "json":
        raise Unreadable("the answer is asked for in a format other than JSON")
    return found


def _read(view: RequestView, path: tuple[str, ...], known: Known, session: Session) -> Operation:
    method = view.method
    reading = method in ("GET", "POST")
    match path:
        case () if method in ("GET", "HEAD"):
            return Operation(known.service, "poll")
        case ("_search", "scroll") | ("_search", "scroll", _):
            return _scroll(view, path, known, session)
        case ("_search",) | (_, "_search") | ("_async_search",) | (_, "_async_search") if reading:
            return _search(view, path[0] if len(path) == 2 else None, known, session)
        case ("_async_search", handle) if method in ("GET", "DELETE"):
            return _follow(session, "async_search", handle, method)
        case ("_async_search", "status", handle) if method == "GET":
            return polled(session.find(_handle("async_search", handle)), "")
        case (index, "_pit") | (index, "_search", "point_in_time") if method == "POST":
            _parameters(view)
            return _on(known, index, "poll", ())
        case ("_pit",) | ("_search", "point_in_time") if method == "DELETE":
            return Operation(known.service, "cancel")
        case ("_count",) | (_, "_count") if reading:
            return _count(view, path[0] if len(path) == 2 else None, known)
        case ("_msearch",) | (_, "_msearch") if reading:
            return _many(view, path[0] if len(path) == 2 else None, known, session)
        case ("_mget",) | (_, "_mget") if reading:
            return _documents(view, path[0] if len(path) == 2 else None, known)
        case (index, "_doc" | "_source", document) if method in ("GET", "HEAD"):
            parameters = _parameters(view, *_CHOOSING, "stored_fields")
            return _on(known, index, "read", _chosen({}, parameters), chunks=(f"document {document[:100]}",))
        case (index, "_terms_enum") if reading:
            body = _body(view)
            fields = tuple(dsl.names(body.get("field")))
            return _on(known, index, "read", fields, predicates=fields, statements=("aggregate",))
        case ("_sql",) | ("_plugins" | "_opendistro", "_sql") if method == "POST":
            return _sql(view, known, session)
        case ("_sql", "close") | ("_plugins" | "_opendistro", "_sql", "close") if method == "POST":
            return Operation(known.service, "cancel")
        case ("_query",) if method == "POST":
            return _piped(view, known)
        case ("_bulk",) | (_, "_bulk") if method in ("POST", "PUT"):
            return _bulk(view, path[0] if len(path) == 2 else None, known)
        case ("_reindex",) if method == "POST":
            return _reindex(view, known)
        case ("_snapshot", *_):
            return _snapshot(view, path, known)
    return _other(view, path, known)


def _other(view: RequestView, path: tuple[str, ...], known: Known) -> Operation:
    method, action = view.method, next((segment for segment in path if segment[:1] == "_" and segment != "_all"), "")
    index = path[0] if (path and path[0][:1] != "_") or path[:1] == ("_all",) else None
    if method in ("GET", "HEAD") and not view.body and (action in _POLLING or (index and len(path) == 1)):
        return _on(known, index, "poll", ()) if index else Operation(known.service, "poll")
    if action in ("_doc", "_create") and index and method in ("PUT", "POST", "DELETE"):
        return _on(known, index, "write", ())
    if action in ("_update", "_update_by_query", "_delete_by_query") and index and method == "POST":
        return _changed(view, index, known)
    if action == "_scripts" and method in ("PUT", "POST"):
        digest = hashlib.sha256(view.body).hexdigest()
        return Operation(known.service, "script", column_scope="unknown", script_digest=digest)
    if action in ("_security", "_ccr", "_remote") and method in ("PUT", "POST", "DELETE"):
        return Operation(known.service, "share")
    if method in ("PUT", "POST", "DELETE") and (action in _CHANGING or (index and len(path) == 1 and method != "POST")):
        return _on(known, index, "admin", ()) if index else Operation(known.service, "admin")
    raise Unreadable("no request of this form is known")


def _body(view: RequestView, needed: bool = True) -> dict[str, Any]:
    if not view.body and not needed:
        return {}
    media = (view.header("content-type") or "").partition(";")[0].strip().lower()
    if media not in ("application/json", "application/vnd.elasticsearch+json"):
        raise Unreadable("the body is not of type application/json")
    return read_object(view._replace(headers={**view.headers, "content-type": ("application/json",)}), MAX_BODY)


def _indices(index: str | None, known: Known) -> list[tuple[str, bool]]:
    """The datasets of an index list such as `emp,logs-*`; all of them, and `_all`, where none is named."""
    found: dict[tuple[str, bool], None] = {}
    for name in (index or "_all").split(","):
        name = name.removeprefix("-")  # what a list leaves out again is not left out here
        if not _INDEX.fullmatch(name):
            raise Unreadable(f"{name[:60]!r} is not the name of an index that is read here")
        wild = "*" in name or name == "_all"
        glob = "*" if name == "_all" else name
        for wire, key in known.datasets.items():
            if wire == name or (wild and fnmatchcase(wire, glob)):
                found[key, True] = None
        if wild or name not in known.datasets:
            found[name, False] = None
    return list(found)


def _on(known: Known, index: str | None, kind: Kind, fields: Sequence[str] | None, **more: Any) -> Operation:
    """An operation on every index that is named. `fields` None: all of them."""
    found = []
    for dataset, declared in _indices(index, known):
        sensitive = known.columns.get(dataset, frozenset())
        columns, scope = _columns(fields, sensitive)
        chosen = _rooted(more.get("predicates", ()), sensitive)
        changed = {**more, "predicates": chosen}
        found.append(Operation(known.service, kind, dataset, declared, columns=columns, column_scope=scope, **changed))
    return together(found)


def _columns(fields: Sequence[str] | None, sensitive: Iterable[str]) -> tuple[tuple[str, ...], ColumnScope]:
    if fields is None or any("*" in field for field in fields):
        return (), "all"
    return (_rooted(fields, sensitive), "listed") if fields else ((), "none")


def _rooted(fields: Iterable[str], sensitive: Iterable[str]) -> tuple[str, ...]:
    """Fields by the names that the policy declares: `ssn.keyword` is `ssn`, and a pattern is all that it may mean."""
    known = set(sensitive)
    found: dict[str, None] = {}
    for field in fields:
        if "*" in field:
            found.update(dict.fromkeys(sorted(known)))
            continue
        steps = field.split(".")
        roots = [".".join(steps[:length]) for length in range(len(steps), 0, -1)]
        found[next((root for root in roots if root in known), field)] = None
    return tuple(found)


def _search(view: RequestView, index: str | None, known: Known, session: Session) -> Operation:
    return _searched(_body(view, False), _parameters(view, *_CHOOSING, "format"), index, known, session)


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
            predicates += dsl.fields_of([{"knn": one} for one in _list(body["knn"])])
        ordered = [*dsl.sorted_by(body.get("sort")), *filter(None, parameters.get("sort", "").split(","))]
        ordered = [name.partition(":")[0] for name in ordered if name not in ("_score", "_doc", "_shard_doc")]
        predicates += ordered
        for name in ("aggs", "aggregations"):
            shown += dsl.aggregated(body[name]) if name in body else ()
        if isinstance(body.get("collapse"), dict):
            shown += dsl.names(body["collapse"].get("field"))
    except dsl.Script:
        script = True
    if "q" in parameters:
        predicates.append(dsl.ANY)
    shown += _highlighted(body.get("highlight"))
    for name in ("fields", "docvalue_fields", "stored_fields"):
        shown += dsl.names(body.get(name))
        shown += filter(None, parameters.get(name, "").split(",")) if name in parameters else ()
    chosen = _chosen(body, parameters)
    fields = None if chosen is None else [*chosen, *shown]
    chunks = tuple(f"slice {one.get('id')}/{one.get('max')}" for one in [body.get("slice")] if isinstance(one, dict))
    if body.get("search_after"):
        chunks += (f"after:{short(body['search_after'])}",)
    size = number(body, "size")
    if script:
        source = json.dumps(body, sort_keys=True, default=str)
        digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        return _on(known, index, "script", None, script_digest=digest, chunks=chunks)
    more = {"predicates": tuple(predicates), "chunks": chunks, "rows": size}
    pit = body.get("pit")
    if pit is None:
        found = _on(known, index, "read", fields, **more)
    elif isinstance(pit, dict) and isinstance(pit.get("id"), str) and index is None:
        at = session.find(_handle("pit", pit["id"]))
        names = ",".join(_wire(one, known) for one in (at, *at.parts))
        found = _on(known, names, "read", fields, **more)
    else:
        raise Unreadable("the point in time has no id, or an index besides it")
    return _valued(found, (*shown, *ordered, *predicates), known)


def _valued(found: Operation, fields: Sequence[str], known: Known) -> Operation:
    """The same, marked where values of sensitive fields stand beside the documents."""

    def marked(one: Operation) -> Operation:
        sensitive = known.columns.get(one.dataset or "", frozenset())
        touched = sensitive & set(_rooted(fields, sensitive))
        return replace(one, statements=(*one.statements, "aggregate")) if touched else one

    parts = tuple(marked(part) for part in found.parts)
    whole = marked(found)
    if any("aggregate" in part.statements for part in parts):
        whole = replace(whole, statements=tuple(dict.fromkeys((*whole.statements, "aggregate"))))
    return replace(whole, parts=parts)


def _wire(operation: Operation, known: Known) -> str:
    return next((wire for wire, key in known.datasets.items() if key == operation.dataset), operation.dataset or "_all")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _highlighted(value: Any) -> list[str]:
    if value is None:
        return []
    fields = value.get("fields") if isinstance(value, dict) else None
    if isinstance(fields, dict):
        return list(fields)
    if isinstance(fields, list) and all(isinstance(one, dict) for one in fields):
        return [name for one in fields for name in one]
    raise Unreadable("the highlight has no fields")


def _chosen(body: dict[str, Any], parameters: dict[str, str]) -> list[str] | None:
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


def _scroll(view: RequestView, path: tuple[str, ...], known: Known, session: Session) -> Operation:
    parameters = _parameters(view, "scroll_id")
    body = _body(view, False)
    handle = path[2] if len(path) == 3 else body.get("scroll_id", parameters.get("scroll_id"))
    if view.method == "DELETE":
        handles = _list(handle)
        if handle is None or not all(isinstance(one, str) for one in handles) or handles == ["_all"]:
            raise Unreadable("it does not say which scrolls are to end")
        found = [session.find(_handle("scroll", one)) for one in handles]
        return together([replace(polled(one, ""), kind="cancel") for one in found])
    if view.method not in ("GET", "POST") or not isinstance(handle, str):
        raise Unreadable("it does not say which scroll goes on")
    return _follow(session, "scroll", handle, view.method)


def _follow(session: Session, word: str, handle: str, method: str) -> Operation:
    found = session.find(_handle(word, handle))
    if method == "DELETE":
        return replace(polled(found, ""), kind="cancel")
    return replace(found, result=short(handle), chunks=(word,))


def _count(view: RequestView, index: str | None, known: Known) -> Operation:
    parameters, body = _parameters(view, *_CHOOSING), _body(view, False)
    if not body.keys() <= {"query"}:
        raise Unreadable("the body has more than a query")
    try:
        predicates = tuple(dsl.fields_of(body["query"])) if body else ()
    except dsl.Script:
        return _on(known, index, "script", None, script_digest=hashlib.sha256(view.body).hexdigest())
    return _on(known, index, "read", (), predicates=(*predicates, *([dsl.ANY] if "q" in parameters else [])))


def _lines(view: RequestView) -> list[dict[str, Any]]:
    media = (view.header("content-type") or "").partition(";")[0].strip().lower()
    if media not in ("application/x-ndjson", "application/json", "application/vnd.elasticsearch+x-ndjson",
                     "application/vnd.elasticsearch+json"):  # fmt: skip
        raise Unreadable("the body is not of a JSON type")
    found = []
    for line in read_text(view, MAX_BODY).split("\n"):
        if line.strip():
            one = view._replace(body=line.encode(), headers={"content-type": ("application/json",)})
            found.append(read_object(one, MAX_BODY))
    return found


def _many(view: RequestView, index: str | None, known: Known, session: Session) -> Operation:
    parameters = _parameters(view)
    lines = _lines(view)
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


def _documents(view: RequestView, index: str | None, known: Known) -> Operation:
    parameters, body = _parameters(view, *_CHOOSING), _body(view)
    if not body.keys() <= {"docs", "ids"}:
        raise Unreadable("the body has a member that is not known")
    if "ids" in body:
        return _on(known, index, "read", _chosen({}, parameters))
    found = []
    for one in _list(body.get("docs")):
        if not isinstance(one, dict) or not one.keys() <= {"_index", "_id", "_source", "routing"}:
            raise Unreadable("a document has a member that is not known")
        found.append(_on(known, text(one, "_index") or index, "read", _chosen(one, parameters)))
    return together(found)


def _sql(view: RequestView, known: Known, session: Session) -> Operation:
    _parameters(view, "format")
    body = _body(view)
    cursor = text(body, "cursor")
    if cursor is not None:
        return _follow(session, "cursor", cursor, view.method)
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
    statement = text(body, "query")
    if statement is None:
        raise Unreadable("the request has no statement")
    return read_sql(statement, "", known).operation


def _piped(view: RequestView, known: Known) -> Operation:
    """ES|QL: pipes that nothing here parses. So it reads every field of the indices that it begins with."""
    _parameters(view, "format", "drop_null_columns")
    body = _body(view)
    if not body.keys() <= {"query", "params", "locale", "profile", "include_ccs_metadata"}:
        raise Unreadable("the body has a member that is not known")
    statement = text(body, "query") or ""
    found = _ESQL.match(statement)
    if not found or _ESQL_MORE.search(statement[found.end(1) :]):
        raise Unreadable("the statement reads from more than its first line says")
    names = ",".join(name.strip().strip('"') for name in found[1].split(","))
    return _on(known, names, "read", None, statement=statement, statements=("esql",))


def _bulk(view: RequestView, index: str | None, known: Known) -> Operation:
    _parameters(view)
    found, awaiting = [], ""
    for line in _lines(view):
        if awaiting:
            if awaiting == "update" and "script" in line:
                found.append(Operation(known.service, "script", column_scope="unknown",
                                       script_digest=hashlib.sha256(view.body).hexdigest()))  # fmt: skip
            awaiting = ""
            continue
        action = next(iter(line), "")
        if (
            len(line) != 1
            or action not in ("index", "create", "update", "delete")
            or not isinstance(line[action], dict)
        ):
            raise Unreadable("a line is not one action")
        found.append(_on(known, text(line[action], "_index") or index, "write", ()))
        awaiting = "" if action == "delete" else action
    return together(found)


def _changed(view: RequestView, index: str, known: Known) -> Operation:
    _parameters(view, *_CHOOSING, "lang")
    body = _body(view, False)
    if "script" in body:
        return _on(known, index, "script", None, script_digest=hashlib.sha256(view.body).hexdigest())
    try:
        predicates = tuple(dsl.fields_of(body["query"])) if "query" in body else ()
    except dsl.Script:
        return _on(known, index, "script", None, script_digest=hashlib.sha256(view.body).hexdigest())
    returned = None if "_source" in body or "_source" in view.query else ()
    return _on(known, index, "write", returned, predicates=predicates)


def _reindex(view: RequestView, known: Known) -> Operation:
    """A copy inside the service, which no mask reaches."""
    _parameters(view)
    body = _body(view)
    source, target = body.get("source"), body.get("dest")
    if not isinstance(source, dict) or not isinstance(target, dict) or "remote" in source or "script" in body:
        raise Unreadable("it reads from another cluster, or runs a script")
    named = source.get("index")
    names = ",".join(named) if isinstance(named, list) and all(isinstance(n, str) for n in named) else named
    written = text(target, "index")
    if not isinstance(names, str) or written is None:
        raise Unreadable("it does not say from which index to which")
    destination, side = judge(f"index://{written}", known.ours)
    leaving = _on(known, names, "export", None, destination=destination, destination_side=side)
    return together([leaving, _on(known, written, "write", ())])


def _snapshot(view: RequestView, path: tuple[str, ...], known: Known) -> Operation:
    if view.method in ("GET", "HEAD") and not view.body:
        return Operation(known.service, "poll")
    match (view.method, *path[1:]):
        case ("PUT" | "POST", repository):
            settings = _body(view).get("settings")
            places = []
            if isinstance(settings, dict):
                places = [f"s3://{settings['bucket']}"] if isinstance(settings.get("bucket"), str) else []
                places += [
                    str(settings[name]) for name in ("location", "url", "container", "endpoint") if name in settings
                ]
            destination, side = judge_all(places or [f"snapshot://{repository}"], known.ours)
            return Operation(known.service, "admin", destination=destination, destination_side=side)
        case ("PUT" | "POST", repository, _):
            named = _body(view, False).get("indices")
            names = ",".join(named) if isinstance(named, list) and all(isinstance(n, str) for n in named) else named
            if names is not None and not isinstance(names, str):
                raise Unreadable("it does not say of which indices")
            destination, side = judge(f"snapshot://{repository}", known.ours)
            return _on(known, names, "export", None, destination=destination, destination_side=side)
        case ("POST", _, _, "_restore") | ("DELETE", *_):
            return Operation(known.service, "admin")
    raise Unreadable("no request of this form is known")
