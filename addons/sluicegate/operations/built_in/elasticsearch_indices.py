"""What the requests of Elasticsearch have in common: indices as datasets, fields as columns, parameters and bodies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from sluicegate.exchange import ColumnScope, Kind, Operation
from sluicegate.operations import query as queries
from sluicegate.operations.body import read_object, read_text
from sluicegate.operations.built_in.aws_json import together
from sluicegate.operations.dialect import Known
from sluicegate.operations.names import with_inner
from sluicegate.operations.view import RequestView, Unreadable

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


def handle_of(word: str, handle: str) -> str:
    return f"{word}:{hashlib.sha256(handle.encode('utf-8', 'surrogatepass')).hexdigest()}"  # they grow with the shards


_VERSION = re.compile(r"compatible-with=\d{1,3}")
"""Clients say for which version of the service they are made."""


def parameters_of(view: RequestView, *accepted: str) -> dict[str, str]:
    found = queries.parameters(view.query)
    for name in found:
        if name not in _HARMLESS and name not in accepted:
            raise Unreadable(f"the query parameter {name[:40]!r} is not known")
    if found.get("format", "json") != "json":
        raise Unreadable("the answer is asked for in a format other than JSON")
    return found


def _media(view: RequestView) -> str:
    """The type of the body. Raises Unreadable for a character set other than UTF-8."""
    media, *more = ((view.header("content-type") or "").lower().replace(" ", "").replace("\t", "")).split(";")
    if any(one not in ("charset=utf-8", 'charset="utf-8"') and not _VERSION.fullmatch(one) for one in more):
        raise Unreadable("the content-type of the body has a parameter that is not known")
    return media


def read_body(view: RequestView, needed: bool = True) -> dict[str, Any]:
    if not view.body and not needed:
        return {}
    if _media(view) not in ("application/json", "application/vnd.elasticsearch+json"):
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


def operation_on(known: Known, index: str | None, kind: Kind, fields: Sequence[str] | None, **more: Any) -> Operation:
    """An operation on every index that is named. `fields` None: all of them."""
    found = []
    for dataset, declared in _indices(index, known):
        sensitive = known.columns.get(dataset, frozenset())
        columns, scope = _columns(fields, sensitive)
        chosen = rooted_in(more.get("predicates", ()), sensitive)
        changed = {**more, "predicates": chosen}
        found.append(Operation(known.service, kind, dataset, declared, columns=columns, column_scope=scope, **changed))
    return together(found)


def _columns(fields: Sequence[str] | None, sensitive: Iterable[str]) -> tuple[tuple[str, ...], ColumnScope]:
    if fields is None or any("*" in field for field in fields):
        return (), "all"
    return (rooted_in(fields, sensitive), "listed") if fields else ((), "none")


def rooted_in(fields: Iterable[str], sensitive: Iterable[str]) -> tuple[str, ...]:
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
    return with_inner(found, known)


def wire_name(operation: Operation, known: Known) -> str:
    return next((wire for wire, key in known.datasets.items() if key == operation.dataset), operation.dataset or "_all")


def list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def lines_of(view: RequestView) -> list[dict[str, Any]]:
    if _media(view) not in ("application/x-ndjson", "application/json", "application/vnd.elasticsearch+x-ndjson",
                            "application/vnd.elasticsearch+json"):  # fmt: skip
        raise Unreadable("the body is not of a JSON type")
    found = []
    for line in read_text(view, MAX_BODY).split("\n"):
        if line.strip():
            one = view._replace(body=line.encode(), headers={"content-type": ("application/json",)})
            found.append(read_object(one, MAX_BODY))
    return found
