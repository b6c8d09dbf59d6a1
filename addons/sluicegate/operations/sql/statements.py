"""One parsed statement as operations, by its kind."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp
from sqlglot.tokenizer_core import Token

from sluicegate.exchange import Operation
from sluicegate.operations.sql.kinds import KINDS
from sluicegate.operations.sql.lexical import Opaque
from sluicegate.operations.sql.query import read_query
from sluicegate.operations.sql.reading import Context, Statement, digest, opaque

_CHANGES = (exp.DML, exp.DDL, exp.Into, exp.Command)


def read_statement(node: exp.Expr, tokens: list[Token], text: str, context: Context) -> Statement:
    """Raises Opaque for what is not understood."""
    if isinstance(node, exp.Query):
        for part in node.walk():
            if isinstance(part, _CHANGES) and not isinstance(part, exp.Query):
                raise Opaque("a query changes something")
        operations = read_query(node, context)
        return Statement(tuple(operations), node.sql(context.language, comments=False))
    raise Opaque(f"{type(node).__name__} statements are not read")


def by_words(tokens: list[Token], text: str, context: Context, why: str) -> Operation:
    """What a statement is that is not understood any further: its first words at least say its kind."""
    return opaque(context.known.service, why)


__all__ = ["KINDS", "by_words", "digest", "read_statement", "replace"]
