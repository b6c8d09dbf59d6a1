"""Statements that change something: what they write to, and what they read on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlglot import exp
from sqlglot.tokenizer_core import Token

from sluicegate.exchange import Operation
from sluicegate.operations.sql import exports
from sluicegate.operations.sql.kinds import KINDS
from sluicegate.operations.sql.lexical import Opaque
from sluicegate.operations.sql.query import lineage_of, read_query, reads
from sluicegate.operations.sql.reading import Context, digest
from sluicegate.operations.sql.tables import fold, path_of


def declared(dataset: str, names: Iterable[str], context: Context) -> tuple[str, ...]:
    """Columns as the policy writes them; others folded."""
    spelled = context.declared.get(dataset, {})
    spelled = {**{fold(name): name for name in context.tables.all_columns.get(dataset, ())}, **spelled}
    return tuple(sorted({spelled.get(fold(name), fold(name)) for name in names}))


def target(node: exp.Expr | None, kind: str, context: Context) -> list[Operation]:
    """What is written to, or changed."""
    columns: tuple[str, ...] = ()
    if isinstance(node, exp.Schema):
        columns = tuple(part.name for part in node.expressions if isinstance(part, exp.Identifier))
        node = node.this
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
        return [Operation(context.known.service, KINDS[kind], column_scope="none", statements=(kind,))]
    path = path_of(node)
    table = context.tables.find(path, ".".join(path))
    return [
        Operation(
            context.known.service,
            KINDS[kind],
            dataset,
            table.declared,
            columns=declared(dataset, columns, context),
            column_scope="listed" if columns else "all",
            statements=(kind,),
        )
        for dataset in table.datasets
    ]


def sources(node: exp.Expr | None, kind: str, context: Context) -> list[Operation]:
    """What a query inside a statement reads. Its result does not come back."""
    if node is None:
        return []
    if not isinstance(node, exp.Query | exp.Values):
        raise Opaque("something else than a query says what is written")
    found = [replace(operation, outputs=None, rows=None) for operation in read_query(node, context, kind)]
    return [one for one in found if one.dataset is not None or one.kind != "read" or one.column_scope != "none"]


def everything(node: exp.Expr, kind: str, context: Context, but: set[str]) -> list[Operation]:
    """Every table that a statement names, as if all of it were read; without those of which it is known better."""
    lineage = lineage_of(context)
    lineage.blot(node)
    found = reads(lineage, [], context, (kind,))
    return [one for one in found if (one.dataset is not None and one.dataset not in but) or one.kind != "read"]


def insert(node: exp.Insert, tokens: list[Token], text: str, context: Context) -> list[Operation]:
    """INSERT. Into a directory or a function it is an export."""
    place = node.this
    if isinstance(place, exp.Directory):
        return list(
            exports.exported(_from(node, "insert_directory", context), "insert_directory", [place.name], context)
        )
    if node.args.get("is_function") or isinstance(place, exp.Func):
        named = place.name if isinstance(place, exp.Anonymous) else type(place).__name__
        marked = [
            replace(one, statements=(*one.statements, f"function:{named.lower()}"[:200]))
            for one in _from(node, "insert", context)
        ]
        places = [value.name for value in place.expressions[:1] if isinstance(value, exp.Literal)]
        return list(exports.exported(marked, "insert", places, context))
    known = {"this", "expression", "returning", "overwrite", "with_", "alias", "columns"}
    if any(value and name not in known for name, value in node.args.items()):
        raise Opaque("an INSERT has a clause that is not looked into")
    if node.args.get("with_") is not None:
        written = target(place, "insert", context)
        return written + everything(node, "insert", context, {one.dataset or "" for one in written})
    found = target(place, "insert", context) + sources(node.expression, "insert", context)
    return found + _returned(node, "insert", context)


def _from(node: exp.Insert, kind: str, context: Context) -> list[Operation]:
    if node.args.get("with_") is not None:
        return everything(node, kind, context, set()) or [
            Operation(context.known.service, "read", column_scope="unknown")
        ]
    return sources(node.expression, kind, context) or [
        Operation(context.known.service, "read", column_scope="none", statements=(kind,))
    ]


def _returned(node: exp.Expr, kind: str, context: Context) -> list[Operation]:
    """RETURNING hands out rows of what is written to."""
    if not node.args.get("returning"):
        return []
    place = node.this.this if isinstance(node.this, exp.Schema) else node.this
    return [replace(one, kind="read", columns=(), column_scope="all") for one in target(place, kind, context)]


def update(node: exp.Update, tokens: list[Token], text: str, context: Context) -> list[Operation]:
    """UPDATE. Values may move from one column to another, so whatever it reads is read."""
    written = target(node.this, "update", context)
    changed = [part.this for part in node.expressions if isinstance(part, exp.EQ) and isinstance(part.this, exp.Column)]
    if len(changed) != len(node.expressions):
        raise Opaque("an UPDATE sets something else than columns")
    names = {column.name for column in changed}
    written = [
        replace(one, columns=declared(one.dataset or "", names, context), column_scope="listed") for one in written
    ]
    return written + _read_by(node, "update", {id(column) for column in changed}, written, context)


def delete(node: exp.Delete, tokens: list[Token], text: str, context: Context) -> list[Operation]:
    """DELETE. What it is told to look for can be guessed from how many rows are gone."""
    if not isinstance(node.this, exp.Table):
        raise Opaque("it is not clear what is deleted from")
    written = target(node.this, "delete", context)
    return written + _read_by(node, "delete", set(), written, context)


def _read_by(
    node: exp.Expr, kind: str, skipped: set[int], written: list[Operation], context: Context
) -> list[Operation]:
    columns = {column.name for column in node.find_all(exp.Column) if id(column) not in skipped}
    lineage = lineage_of(context)
    lineage.screen(node)
    tables = list(node.find_all(exp.Table))
    if len(tables) == 1 and not node.args.get("returning") and len(written) == 1 and not lineage.functions:
        if not columns:
            return []
        one = replace(written[0], kind="read", columns=(), column_scope="listed")
        names = declared(one.dataset or "", columns, context)
        return [replace(one, predicates=names) if kind == "delete" else replace(one, columns=names)]
    return everything(node, kind, context, set())


def merge(node: exp.Merge, tokens: list[Token], text: str, context: Context) -> list[Operation]:
    """MERGE."""
    return target(node.this, "merge", context) + everything(node, "merge", context, set())


def select_into(node: exp.Select, context: Context) -> list[Operation]:
    """SELECT INTO a table."""
    place = node.args["into"].this
    plain = node.copy()
    plain.set("into", None)
    if not isinstance(place, exp.Table):
        raise Opaque("a SELECT goes into something else than a table")
    return target(place, "create_table_as", context) + sources(plain, "create_table_as", context)


_CREATED = {
    "TABLE": "create_table",
    "VIEW": "create_view",
    "SCHEMA": "create_schema",
    "DATABASE": "create_schema",
    "FUNCTION": "create_udf",
    "PROCEDURE": "create_procedure",
    "TRIGGER": "create_trigger",
    "STAGE": "create_stage",
}


def create(node: exp.Create, tokens: list[Token], text: str, context: Context) -> list[Operation]:
    """CREATE. With a place outside of the database it is an export, with a body it is a script."""
    what = str(node.args.get("kind") or "").upper()
    kind = _CREATED.get(what, "create_other")
    if kind in ("create_udf", "create_procedure", "create_trigger"):
        return _script(node, kind, text[tokens[0].start : tokens[-1].end + 1], context)
    properties = node.args.get("properties")
    places, outside = exports.places_in(properties, context)
    clone = node.args.get("clone")
    if clone is not None:
        found = target(node.this, "clone", context) + sources(
            exp.select("*").from_(clone.this.copy()), "clone", context
        )
        return list(exports.exported(found, "clone", places, context)) if outside else found
    query = node.expression if isinstance(node.expression, exp.Query) else None
    if node.expression is not None and query is None:
        raise Opaque("something is created from what is no query")
    if query is not None and kind == "create_table":
        kind = "create_table_as"
    found = [*target(node.this, kind, context), *sources(query, kind, context)]
    to = properties.find(exp.ToTableProperty) if properties is not None else None
    if to is not None:
        found += [replace(one, kind="write") for one in target(to.this, kind, context)]
    if outside:
        kind = "create_stage" if kind == "create_stage" else "create_external"
        exported = exports.exported([replace(one, kind="export") for one in found], kind, places, context)
        found = list(exported)
    if exports.keyed(node):
        found = [replace(one, statements=(*one.statements, exports.CREDENTIALS)) for one in found]
    return found


def _script(node: exp.Create, kind: str, whole: str, context: Context) -> list[Operation]:
    body = node.expression.name if isinstance(node.expression, exp.Literal | exp.Heredoc) else whole
    operation = Operation(
        context.known.service, "script", column_scope="unknown", statements=(kind,), script_digest=digest(body)
    )
    if "://" in body and node.find(exp.ExternalProperty) is not None:
        destination, side = exports.place([body], context)
        operation = replace(operation, destination=destination, destination_side=side)
    return [operation]


_ON_TABLES: dict[type[exp.Expr], str] = {
    exp.Drop: "drop",
    exp.Undrop: "create_other",
    exp.TruncateTable: "truncate",
    exp.Comment: "comment",
    exp.Alter: "alter",
    exp.Grant: "grant",
    exp.Revoke: "revoke",
}


def on_tables(node: exp.Expr, tokens: list[Token], text: str, context: Context) -> list[Operation]:
    """Statements about tables and other things as a whole."""
    kind = _ON_TABLES[type(node)]
    if any(isinstance(part, exp.Query) for part in node.walk()):
        raise Opaque("a query stands where none is expected")
    what = str(node.args.get("kind") or "").upper()
    if kind == "alter" and what == "SESSION":
        raise Opaque("it changes how the session reads statements")
    if what == "SHARE":
        kind = "share"
    tables = [node.args.get("securable")] if kind in ("grant", "revoke") else list(node.find_all(exp.Table))
    found = [one for table in tables for one in target(table, kind, context)]
    return [replace(one, columns=(), column_scope="none") for one in found] or target(None, kind, context)
