"""The query language of Elasticsearch and OpenSearch: which fields a search chooses by, and which it hands out.

From their documentation. Clauses are on a list; one that is not on it makes the search not understood, since a clause
nobody knows may read any field, or run a script.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sluicegate.operations.view import Unreadable

ANY = "*"
"""Stands for every field."""

_BY_FIELD = frozenset(
    (
        *("term", "terms", "match", "match_phrase", "match_phrase_prefix", "match_bool_prefix", "range", "prefix"),
        *("wildcard", "regexp", "fuzzy", "terms_set", "intervals", "span_term", "geo_distance", "geo_bounding_box"),
        *("geo_shape", "semantic", "knn_vector"),
    )
)
"""Clauses whose members are fields."""
_OPTIONS = frozenset({"boost", "_name", "distance", "distance_type", "validation_method", "ignore_unmapped", "type"})
_INSIDE = {
    "bool": ("must", "should", "filter", "must_not"),
    "constant_score": ("filter",),
    "dis_max": ("queries",),
    "boosting": ("positive", "negative"),
    "nested": ("query",),
    "has_child": ("query",),
    "has_parent": ("query",),
    "pinned": ("organic",),
}
"""Clauses that hold others, and where."""
_BESIDE = frozenset(
    {
        *("boost", "_name", "path", "score_mode", "ignore_unmapped", "minimum_should_match", "tie_breaker", "type"),
        *("min_children", "max_children", "parent_type", "score", "negative_boost", "docs"),
        *("adjust_pure_negative", "disable_coord"),
    }
)
"""What else stands in these, and reads nothing."""
_NOTHING = frozenset({"match_all", "match_none", "ids", "parent_id"})
_SCRIPTS = frozenset({"script", "script_score", "distance_feature_script", "scripted_metric", "bucket_script"})

AGGREGATIONS = frozenset(
    (
        *("terms", "rare_terms", "significant_terms", "multi_terms", "histogram", "date_histogram", "range", "filter"),
        *("auto_date_histogram", "variable_width_histogram", "date_range", "ip_range", "filters", "missing", "nested"),
        *("reverse_nested", "global", "sampler", "composite", "avg", "sum", "min", "max", "stats", "extended_stats"),
        *("value_count", "cardinality", "percentiles", "percentile_ranks", "weighted_avg", "top_hits", "top_metrics"),
        *("median_absolute_deviation", "geo_bounds", "geo_centroid", "geohash_grid", "geotile_grid", "boxplot"),
        *("string_stats", "matrix_stats", "significant_text", "bucket_sort", "avg_bucket", "sum_bucket", "min_bucket"),
        *("max_bucket", "stats_bucket", "cumulative_sum", "derivative"),
    )
)
MAX_CLAUSES = 5000


class Script(Exception):
    """The search runs a script."""


def fields_of(query: Any) -> Iterator[str]:
    """The fields that a query chooses by. Raises Unreadable, or Script."""
    waiting, read = [query], 0
    while waiting:
        clause = waiting.pop()
        read += 1
        if isinstance(clause, list):
            waiting += clause
            continue
        if not isinstance(clause, dict) or read > MAX_CLAUSES:
            raise Unreadable("a clause of the query is no object, or there are too many")
        for kind, inner in clause.items():
            if kind in _SCRIPTS:
                raise Script
            if kind in _NOTHING:
                continue
            if not isinstance(inner, dict):
                raise Unreadable(f"the clause {kind[:40]!r} is no object")
            if kind in _INSIDE:
                if not inner.keys() <= {*_INSIDE[kind], *_BESIDE}:  # `inner_hits` are a search of their own
                    raise Unreadable(f"the clause {kind[:40]!r} has a member that is not known")
                waiting += [inner[name] for name in _INSIDE[kind] if name in inner]
            elif kind in _BY_FIELD:
                if "script" in str(inner):
                    raise Script
                if any(isinstance(value, dict) and _ELSEWHERE & value.keys() for value in inner.values()):
                    raise Unreadable("a clause looks its values up in another document")
                yield from (name for name in inner if name not in _OPTIONS)
                if kind in ("intervals", "terms_set"):  # another field may be named inside
                    yield ANY
            else:
                yield from _special(kind, inner, waiting)


def _special(kind: str, inner: dict[str, Any], waiting: list[Any]) -> Iterator[str]:
    if kind == "exists":
        yield from names(inner.get("field"))
    elif kind in ("multi_match", "query_string", "simple_query_string", "combined_fields"):
        # Without a list of fields, and in a query text, any field may be named.
        listed = list(names(inner.get("fields")))
        yield from listed if listed and not kind.endswith("query_string") else [ANY]
    elif kind == "function_score":
        if "script_score" in str(inner):
            raise Script
        waiting += [inner[name] for name in ("query",) if name in inner]
        functions = inner.get("functions", [])
        for function in functions if isinstance(functions, list) else [functions]:
            if not isinstance(function, dict):
                raise Unreadable("a function of the query is no object")
            waiting += [function["filter"]] if "filter" in function else []
        yield ANY
    elif kind == "more_like_this" and any(isinstance(like, dict) for like in _several(inner.get("like"))):
        raise Unreadable("a clause looks its values up in another document")
    elif kind == "knn":
        if "inner_hits" in inner:
            raise Unreadable("a search by vectors has hits inside hits")
        yield from names(inner.get("field"))
        waiting += [inner["filter"]] if "filter" in inner else []
    elif kind in ("more_like_this", "distance_feature", "rank_feature"):
        yield ANY
    else:
        raise Unreadable(f"the clause {kind[:40]!r} is not known")


_ELSEWHERE = frozenset({"index", "id", "path", "indexed_shape"})
"""Members of a clause that takes its values from another document, of whichever index."""


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def names(value: Any) -> Iterator[str]:
    """The fields in a text, a list of texts, or a list of objects with `field`. Raises Unreadable."""
    if value is None:
        return
    for one in value if isinstance(value, list) else [value]:
        found = one.get("field") if isinstance(one, dict) else one
        if not isinstance(found, str) or not found:
            raise Unreadable("a field has no name")
        yield found.partition("^")[0]


def sorted_by(value: Any) -> Iterator[str]:
    """The fields that hits are sorted by. Raises Unreadable, or Script."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            yield one.partition(":")[0]
        elif isinstance(one, dict):
            for name in one:
                if name == "_script":
                    raise Script
                yield name
                yield from _sorted_inside(name, one[name])
        elif one is not None:
            raise Unreadable("a sort is neither a text nor an object")


def _sorted_inside(name: str, how: Any) -> Iterator[str]:
    """Fields that stand inside a sort: those of a distance, and those of a filter of nested objects."""
    if not isinstance(how, dict):
        return
    if name == "_geo_distance":
        yield from how
    nested: Any = how
    while isinstance(nested := nested.get("nested"), dict):
        if "filter" in nested:
            yield from fields_of(nested["filter"])
    if "nested_filter" in how:
        yield from fields_of(how["nested_filter"])


def aggregated(value: Any) -> Iterator[str]:
    """The fields that aggregations show values of. Raises Unreadable, or Script."""
    waiting, read = [value], 0
    while waiting:
        level = waiting.pop()
        if not isinstance(level, dict):
            raise Unreadable("an aggregation is no object")
        for one in level.values():
            read += 1
            if not isinstance(one, dict) or read > MAX_CLAUSES:
                raise Unreadable("an aggregation is no object, or there are too many")
            for kind, inner in one.items():
                if kind in ("aggs", "aggregations"):
                    waiting.append(inner)
                elif kind != "meta":
                    yield from _aggregation(kind, inner)


def _aggregation(kind: str, inner: Any) -> Iterator[str]:
    if kind in _SCRIPTS:
        raise Script
    if kind not in AGGREGATIONS or not isinstance(inner, dict):
        raise Unreadable(f"the aggregation {kind[:40]!r} is not known")
    if "background_filter" in inner:
        yield from fields_of(inner["background_filter"])
    if kind == "filter":
        yield from fields_of(inner)
    elif kind == "filters":
        filters = inner.get("filters", {})
        yield from fields_of(list(filters.values()) if isinstance(filters, dict) else filters)
    elif kind in ("top_hits", "top_metrics"):
        yield ANY  # whole documents, in an order of its own
    else:
        yield from _named(inner)


def _named(node: Any) -> Iterator[str]:
    waiting = [node]
    while waiting:
        here = waiting.pop()
        if isinstance(here, list):
            waiting += here
        elif isinstance(here, dict):
            for name, inner in here.items():
                if name == "script":
                    raise Script
                if name in ("field", "fields", "path", "sort") and not isinstance(inner, dict):
                    yield from names(inner)
                else:
                    waiting.append(inner)
