"""Statements that change something: what they write to, and what they read on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sqlglot import exp
from sqlglot.tokenizer_core import Token

from sluicegate.exchange import Operation
from sluicegate.operations import copied as copies
from sluicegate.operations.copied import copied, targets
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


def sources(node: exp.Expr | None, kind: str, context: Context, into: tuple[str, ...]) -> list[Operation]:
    """What a query inside a statement reads. Its result does not come back: it goes into tables, or outside."""
    if node is None:
        return []
    if not isinstance(node, exp.Query | exp.Values):
        raise Opaque("something else than a query says what is written")
    found = copied(read_query(node, context, kind), into, context.known)
    return [one for one in found if one.dataset is not None or one.kind != "read" or one.column_scope != "none"]


def everything(node: exp.Expr, kind: str, context: Context, written: list[Operation], stays: bool) -> list[Operation]:
    """Every table that a statement names, as if all of it were read and went into what is written.

    `stays`: what is read of the written tables themselves stays where it is.
    """
    own = {one.dataset for one in written} if stays else set()
    found = named(node, kind, context)
    gone = copied([one for one in found if one.dataset not in own], targets(written), context.known)
    return [one for one in found if one.dataset in own] + gone


def named(node: exp.Expr, kind: str, context: Context) -> list[Operation]:
    """Every table that a statement names, as if all of it were read."""
    lineage = lineage_of(context)
    lineage.blot(node)
    return [one for one in reads(lineage, [], context, (kind,)) if one.dataset is not None or one.kind != "read"]


def _once(node: exp.Expr, place: exp.Expr) -> bool:
    """Whether a table is named in one place of a statement alone."""
    return sum(fold(table.name) == fold(place.name) for table in node.find_all(exp.Table)) == 1


def insert(node: exp.Insert, tokens: list[Token], text: str, context: Context) -> list[Operation]:
    """INSERT. Into a directory or a function it is an export."""
    place = node.this
    if isinstance(place, exp.Directory):
        found = _from(node, "insert_directory", context)
        return list(exports.exported(found, "insert_directory", [place.name], context))
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
        found = everything(node, "insert", context, written, stays=_once(node, _table(place)))
        return written + [one for one in found if one.dataset is None or one.into]
    written = target(place, "insert", context)
    found = written + sources(node.expression, "insert", context, targets(written))
    return found + _returned(node, "insert", context)


def _table(node: exp.Expr) -> exp.Expr:
    return node.this if isinstance(node, exp.Schema) else node


def _from(node: exp.Insert, kind: str, context: Context) -> list[Operation]:
    if node.args.get("with_") is not None:
        return everything(node, kind, context, [], stays=False) or [
            Operation(context.known.service, "read", column_scope="unknown")
        ]
    return sources(node.expression, kind, context, (copies.SOMEWHERE,)) or [
        Operation(context.known.service, "read", column_scope="none", statements=(kind,))
    ]


def _returned(node: exp.Expr, kind: str, context: Context) -> list[Operation]:
    """RETURNING hands out rows of what is written to."""
    if not node.args.get("returning"):
        return []
    place = _table(node.this)
    found = [replace(one, kind="read", columns=(), column_scope="all") for one in target(place, kind, context)]
    return found + named(node.args["returning"], kind, context)  # a query may stand in it


def update(node: exp.Update, tokens: list[Token], text: str, context: Context) -> list[Operation]:
    """UPDATE. Values may move from one column to another, so whatever it reads is read."""
    written = target(node.this, "update", context)
    changed = list(assigned(node))
    names = {column.name for column, _ in changed}
    written = [
        replace(one, columns=declared(one.dataset or "", names, context), column_scope="listed") for one in written
    ]
    read = _read_by(node, "update", {id(column) for column, _ in changed}, written, context)
    moved = [name for pair in changed for name in others(*pair)]
    if moved and len(written) == 1 and not any(one.into and one.dataset == written[0].dataset for one in read):
        columns = declared(written[0].dataset or "", moved, context)  # from one column of the table to another
        found = [replace(written[0], kind="read", columns=columns, column_scope="listed")]
        read += [one for one in copied(found, targets(written), context.known) if one.kind == "share"]
    return written + read


def assigned(node: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """The columns that are set, and to what. Raises Opaque where that cannot be told."""
    for part in node.expressions:
        if not isinstance(part, exp.EQ) or not isinstance(part.this, exp.Column):
            raise Opaque("an UPDATE sets something else than columns")
        yield part.this, part.expression


def inserted(node: exp.Insert) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """The same of `INSERT (columns) VALUES (values)`."""
    names, values = node.this, node.expression
    if not isinstance(names, exp.Tuple) or not isinstance(values, exp.Tuple):
        raise Opaque("the columns that are filled are not named")
    if len(names.expressions) != len(values.expressions):
        raise Opaque("there are more values than columns, or fewer")
    yield from zip(names.expressions, values.expressions, strict=True)


def others(column: exp.Expr, value: exp.Expr) -> list[str]:
    """The columns that a value is made of, but the one that has the name of the column that it goes into."""
    return [part.name for part in value.find_all(exp.Column) if fold(part.name) != fold(column.name)]


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
    if kind == "delete":  # nothing goes anywhere
        return named(node, kind, context)
    return everything(node, kind, context, written, stays=_once(node, node.this))


def merge(node: exp.Merge, tokens: list[Token], text: str, context: Context) -> list[Operation]:
    """MERGE. What is read of its own table stays there, unless a column of it is set to what another one holds."""
    written = target(node.this, "merge", context)
    names = {fold(name) for one in written for name in context.known.columns.get(one.dataset or "", ())}
    stays = names.isdisjoint(fold(name) for pair in _merged(node) for name in others(*pair))
    return written + everything(node, "merge", context, written, stays=stays and _once(node, node.this))


def _merged(node: exp.Merge) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    whens = node.args.get("whens")
    for when in whens.expressions if whens is not None else ():
        then = when.args.get("then")
        if isinstance(then, exp.Update):
            yield from assigned(then)
        elif isinstance(then, exp.Insert):
            yield from inserted(then)


def select_into(node: exp.Select, context: Context) -> list[Operation]:
    """SELECT INTO a table."""
    place = node.args["into"].this
    plain = node.copy()
    plain.set("into", None)
    if not isinstance(place, exp.Table):
        raise Opaque("a SELECT goes into something else than a table")
    written = target(place, "create_table_as", context)
    return written + sources(plain, "create_table_as", context, targets(written))


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


_WITHOUT_ROWS = frozenset({"INDEX", "SEQUENCE", "ROLE", "USER", "TYPE", "WAREHOUSE", "TAG", "FILE FORMAT"})
"""What else can be created, and shows rows to nobody."""


def create(node: exp.Create, tokens: list[Token], text: str, context: Context) -> list[Operation]:
    """CREATE. With a place outside of the database it is an export, with a body it is a script."""
    what = str(node.args.get("kind") or "").upper()
    kind = _CREATED.get(what, "create_other")
    if kind in ("create_udf", "create_procedure", "create_trigger"):
        return _script(node, kind, text[tokens[0].start : tokens[-1].end + 1], context)
    _nothing_hidden(node, context)
    properties = node.args.get("properties")
    places, outside = exports.places_in(properties, context)
    clone = node.args.get("clone")
    if clone is not None:
        if what != "TABLE":
            raise Opaque("more than a table is copied")
        written = target(node.this, "clone", context)
        everything_of = exp.select("*").from_(clone.this.copy())
        found = written + sources(everything_of, "clone", context, targets(written))
        return list(exports.exported(found, "clone", places, context)) if outside else found
    query = node.expression if isinstance(node.expression, exp.Query) else None
    if node.expression is not None and query is None:
        raise Opaque("something is created from what is no query")
    if query is not None and kind == "create_table":
        kind = "create_table_as"
    if kind == "create_other" and what not in _WITHOUT_ROWS:
        raise Opaque("it is not known what is created")
    if properties is not None and properties.find(exp.ExecuteAsProperty) is not None:
        raise Opaque("a table is made from a prepared statement")
    written = target(node.this, kind, context)
    to = properties.find(exp.ToTableProperty) if properties is not None else None
    if to is not None:
        written += [replace(one, kind="write") for one in target(to.this, kind, context)]
    found = [*written, *sources(query, kind, context, targets(written))]
    if outside:
        kind = "create_stage" if kind == "create_stage" else "create_external"
        exported = exports.exported([replace(one, kind="export") for one in found], kind, places, context)
        found = list(exported)
    if exports.keyed(node):
        found = [replace(one, statements=(*one.statements, exports.CREDENTIALS)) for one in found]
    return found


def _nothing_hidden(node: exp.Create, context: Context) -> None:
    """Raise Opaque for what is read beside the query: to make up columns, or to fill them."""
    for part in node.walk(prune=lambda one: one is node.expression):
        if isinstance(part, exp.Query) and part is not node.expression:
            raise Opaque("a query stands where none is expected")
    if isinstance(node.this, exp.Schema):
        lineage = lineage_of(context)
        lineage.screen(node.this)
        if lineage.functions:
            raise Opaque("a column is filled by a function that is not known to be harmless")


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
    found = [replace(one, columns=(), column_scope="none") for one in found] or target(None, kind, context)
    return found + (_renamed(node, found, context) if isinstance(node, exp.Alter) else [])


_STAYING = (exp.ColumnDef, exp.Drop, exp.AlterColumn, exp.AddConstraint)
"""What ALTER TABLE may do without values coming to stand under another name."""


def _computed(action: exp.Expr) -> bool:
    """Whether values of columns become values of another one."""
    if isinstance(action, exp.Drop):
        return False
    return any(column is not action.this for column in action.find_all(exp.Column))


def _renamed(node: exp.Alter, found: list[Operation], context: Context) -> list[Operation]:
    """Tables and columns under other names, and columns that are computed from others: values can be read there."""
    actions = node.args.get("actions") or ()
    if actions and all(isinstance(action, _STAYING) and not _computed(action) for action in actions):
        return []
    moved = [replace(one, kind="read", column_scope="all") for one in found if one.declared]
    return [one for one in copied(moved, (copies.SOMEWHERE,), context.known) if one.kind == "share"]
