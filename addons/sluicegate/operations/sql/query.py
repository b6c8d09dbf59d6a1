"""Queries as operations: a part for each table, the columns of the result by position, at most so many rows."""

from __future__ import annotations

from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError

from sluicegate.exchange import Kind, Operation, Output
from sluicegate.operations.sql.lineage import Lineage
from sluicegate.operations.sql.reading import Context
from sluicegate.operations.sql.sources import EVERY, Item, Origins, Pair, union


def lineage_of(context: Context) -> Lineage:
    """A walk that has seen nothing yet."""
    return Lineage(context.tables, context.language, context.name, context.declared)


def read_query(node: exp.Expr, context: Context, kind: str = "select") -> list[Operation]:
    """What a query reads. Raises Opaque."""
    lineage = lineage_of(context)
    items = lineage.read(node)
    return reads(lineage, items, context, (kind,), limit(node))


def read_tables(node: exp.Expr, context: Context, kind: str) -> list[Operation]:
    """Everything of every table that a statement names. Raises Opaque."""
    lineage = lineage_of(context)
    lineage.blot(node)
    return reads(lineage, [], context, (kind,))


def reads(
    lineage: Lineage, items: list[Item], context: Context, kinds: tuple[str, ...], rows: int | None = None
) -> list[Operation]:
    """An operation for each table that is read; the first also says the columns of the result, and how many rows."""
    left = union(item.origins for item in items)
    vague = bool(lineage.coarse) or any(not dataset for dataset, _ in lineage.touched)
    service = context.known.service
    # What each operation is made with: copies of a frozen value with so many fields cost more than the reading.
    found: list[dict[str, Any]] = []
    undeclared: set[str] = set()
    for table in lineage.found.values():
        for dataset in table.datasets:
            made = {"dataset": dataset, "declared": table.declared, "statements": kinds}
            made["predicates"] = _names(dataset, lineage.predicates | (lineage.touched - left))
            if not table.declared:
                undeclared.add(dataset)
                made["column_scope"] = "unknown"
            elif vague or (dataset, EVERY) in lineage.touched:
                made["column_scope"] = "all"
            else:
                made |= {"column_scope": "listed", "columns": _names(dataset, left)}
            found.append(made)
    if not found:
        found.append({"column_scope": "unknown" if vague else "none", "statements": kinds})
    first = found[0]
    if rows is not None:
        first["rows"] = rows
    if not lineage.coarse and not any(item.source is not None for item in items):
        first["outputs"] = tuple(
            Output(item.name, _told(item.origins, undeclared), item.copied and len(item.origins) == 1) for item in items
        )
    kind: Kind = "read"
    if names := tuple(lineage.functions):
        kind = "unknown"
        first["opaque"] = f"it calls {', '.join(names)[:200]}, which is not known to be harmless"
        first["statements"] = (*kinds, *(f"function:{name}"[:200] for name in names))
    return [Operation(service, kind if made is first else "read", **made) for made in found]


def _names(dataset: str, pairs: set[Pair] | Origins) -> tuple[str, ...]:
    return tuple(sorted({column for name, column in pairs if name == dataset and column != EVERY}))


def _told(origins: Origins, undeclared: set[str]) -> Origins | None:
    if any(not dataset or column == EVERY or dataset in undeclared for dataset, column in origins):
        return None
    return origins


def limit(node: exp.Expr) -> int | None:
    """At most how many rows the result has, where the text says a number."""
    clause = node.args.get("limit")
    while clause is None and isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
        node = node.this
        clause = node.args.get("limit")
    if isinstance(clause, exp.Limit) and not clause.expressions and not clause.args.get("limit_options"):
        value = clause.expression
    elif isinstance(clause, exp.Fetch):
        options = clause.args.get("limit_options")
        if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
            return None
        value = clause.args.get("count")
    else:
        return None
    if isinstance(value, exp.Literal) and not value.is_string and value.name.isdecimal() and len(value.name) < 19:
        return int(value.name)
    return None


def rewritten(node: exp.Expr, context: Context) -> str | None:
    """The statement as it may go out: written anew from what was understood, without comments."""
    try:
        # The tree is used up by writing it: nobody looks at it afterwards.
        return node.sql(context.language, comments=False, copy=False) if context.writes else ""
    except (SqlglotError, ValueError):
        return None
