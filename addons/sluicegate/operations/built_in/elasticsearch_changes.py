"""Requests that change or carry away what Elasticsearch holds: bulk writes, reindexing, snapshots."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from sluicegate.exchange import Operation
from sluicegate.operations.built_in import elasticsearch_query as dsl
from sluicegate.operations.built_in.aws_json import together
from sluicegate.operations.built_in.elasticsearch_indices import lines_of, operation_on, parameters_of, read_body
from sluicegate.operations.built_in.elasticsearch_search import CHOOSING
from sluicegate.operations.copied import SOMEWHERE, copied
from sluicegate.operations.destination import judge, judge_all
from sluicegate.operations.dialect import Known
from sluicegate.operations.members import text_of
from sluicegate.operations.view import RequestView, Unreadable

_BULK = ("index", "create", "update", "delete")

_PLACED = ("location", "url", "container", "endpoint")


def read_bulk(view: RequestView, index: str | None, known: Known) -> Operation:
    parameters_of(view)
    found, awaiting = [], ""
    for line in lines_of(view):
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
        found.append(operation_on(known, text_of(line[action], "_index") or index, "write", ()))
        awaiting = "" if action == "delete" else action
    return together(found)


def read_changed(view: RequestView, index: str, known: Known) -> Operation:
    parameters_of(view, *CHOOSING, "lang")
    body = read_body(view, False)
    if "script" in body:
        return operation_on(known, index, "script", None, script_digest=hashlib.sha256(view.body).hexdigest())
    try:
        predicates = tuple(dsl.fields_of(body["query"])) if "query" in body else ()
    except dsl.Script:
        return operation_on(known, index, "script", None, script_digest=hashlib.sha256(view.body).hexdigest())
    returned = None if "_source" in body or "_source" in view.query else ()
    return operation_on(known, index, "write", returned, predicates=predicates)


def read_reindex(view: RequestView, known: Known) -> Operation:
    """A copy inside the service, which no mask reaches."""
    parameters_of(view)
    body = read_body(view)
    source, target = body.get("source"), body.get("dest")
    if not isinstance(source, dict) or not isinstance(target, dict) or "remote" in source or "script" in body:
        raise Unreadable("it reads from another cluster, or runs a script")
    named = source.get("index")
    names = ",".join(named) if isinstance(named, list) and all(isinstance(n, str) for n in named) else named
    written = text_of(target, "index")
    if not isinstance(names, str) or written is None:
        raise Unreadable("it does not say from which index to which")
    destination, side = judge(f"index://{written}", known.ours)
    leaving = operation_on(known, names, "export", None, destination=destination, destination_side=side)
    return together([leaving, operation_on(known, written, "write", ())])


def renamed(found: Operation, index: str | None, known: Known) -> Operation:
    """A change after which what an index holds can be read under another name; of any index where none is named."""
    whole = operation_on(known, index, "read", None)
    taken = copied((replace(whole, parts=()), *whole.parts), (SOMEWHERE,), known)
    parts = (*found.parts, *(one for one in taken if one.kind == "share"))
    return replace(found, parts=tuple(dict.fromkeys(parts)))


def read_snapshot(view: RequestView, path: tuple[str, ...], known: Known) -> Operation:
    if view.method in ("GET", "HEAD") and not view.body:
        return Operation(known.service, "poll")
    match (view.method, *path[1:]):
        case ("PUT" | "POST", repository):
            settings = read_body(view).get("settings")
            places = []
            if isinstance(settings, dict):
                places = [f"s3://{settings['bucket']}"] if isinstance(settings.get("bucket"), str) else []
                places += [
                    str(settings[name]) for name in ("location", "url", "container", "endpoint") if name in settings
                ]
            destination, side = judge_all(places or [f"snapshot://{repository}"], known.ours)
            return Operation(known.service, "admin", destination=destination, destination_side=side)
        case ("PUT" | "POST", repository, _):
            named = read_body(view, False).get("indices")
            names = ",".join(named) if isinstance(named, list) and all(isinstance(n, str) for n in named) else named
            if names is not None and not isinstance(names, str):
                raise Unreadable("it does not say of which indices")
            destination, side = judge(f"snapshot://{repository}", known.ours)
            return operation_on(known, names, "export", None, destination=destination, destination_side=side)
        case ("POST", _, _, "_restore") | ("DELETE", *_):
            return Operation(known.service, "admin")
    raise Unreadable("no request of this form is known")
