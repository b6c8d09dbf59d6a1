"""One parsed statement as operations, by its kind: queries here, everything else in its own file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlglot import exp
from sqlglot.tokenizer_core import Token

from sluicegate.exchange import Operation
from sluicegate.operations.sql import changes, exports, session
from sluicegate.operations.sql.lexical import Opaque
from sluicegate.operations.sql.query import read_query, rewritten
from sluicegate.operations.sql.reading import Context, Statement
from sluicegate.operations.sql.tokens import bare


def read_statement(node: exp.Expr, tokens: list[Token], text: str, context: Context) -> Statement:
    """Raises Opaque for what is not understood."""
    if isinstance(node, exp.Query):
        if isinstance(node, exp.Select) and node.args.get("into") is not None:
            return Statement(tuple(changes.select_into(node, context)), rewritten(node, context))
        operations, tree = tuple(query(node, context)), hash(node)
        return Statement(operations, rewritten(node, context), tree)
    read = _READERS.get(type(node))
    if read is not None:
        operations = tuple(read(node, tokens, text, context))
        anew = isinstance(node, exp.DML) and not isinstance(node, exp.Copy)
        return Statement(operations, rewritten(node, context) if anew else bare(tokens, text))
    if (found := session.read_session(node, tokens, text, context)) is not None:
        return found
    raise Opaque(f"{type(node).__name__} statements are not read")


def query(node: exp.Expr, context: Context) -> list[Operation]:
    """What a query reads; and what the texts inside of it read, that it passes on to another service."""
    found = read_query(node, context)
    if found[0].kind == "unknown" and any(kind.endswith(".system.query") for kind in found[0].statements):
        found += _passed_on(node, context)
    return found


def _passed_on(node: exp.Expr, context: Context) -> list[Operation]:
    """TABLE(catalog.system.query(query => 'text')): the text goes to a database behind the service."""
    from sluicegate.operations.sql.unwrap import inside

    found: list[Operation] = []
    for call in node.find_all(exp.Anonymous):
        if call.name.lower() != "query" or not isinstance(call.parent, exp.Dot):
            continue
        values = [value.expression if isinstance(value, exp.Kwarg) else value for value in call.expressions]
        if len(values) != 1 or not isinstance(values[0], exp.Literal) or not values[0].is_string:
            raise Opaque("the statement that is passed on is not written out")
        _, operations = inside(values[0].name, context)
        found += [replace(operation, outputs=None, rows=None) for operation in operations]
    return found


_READERS: dict[type[exp.Expr], Callable[[Any, list[Token], str, Context], list[Operation]]] = {
    exp.Copy: exports.copy,
    exp.Export: exports.export_data,
    exp.Insert: changes.insert,
    exp.Create: changes.create,
    exp.Update: changes.update,
    exp.Delete: changes.delete,
    exp.Merge: changes.merge,
    exp.Drop: changes.on_tables,
    exp.Undrop: changes.on_tables,
    exp.TruncateTable: changes.on_tables,
    exp.Comment: changes.on_tables,
    exp.Alter: changes.on_tables,
    exp.Grant: changes.on_tables,
    exp.Revoke: changes.on_tables,
}
