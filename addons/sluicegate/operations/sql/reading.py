"""A text in SQL becomes operations: cut into statements, unwrapped, read one by one, put together."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from threading import get_ident
from typing import NamedTuple

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token, TokenType

from sluicegate.exchange import Operation
from sluicegate.operations.dialect import Known
from sluicegate.operations.sql.lexical import Opaque, tokens_of
from sluicegate.operations.sql.tables import Tables

logging.getLogger("sqlglot").disabled = True  # it quotes statements in warnings, and those may hold values

MAX_DEPTH = 4
"""How deep statements may stand inside the texts of statements."""
MAX_STATEMENTS = 100

Uses = tuple[str | None, str | None]
"""Catalog and schema that unqualified names belong to from now on; None for what stays."""


class Read(NamedTuple):
    """A statement text as it was read."""

    operation: Operation
    regenerated: str | None = None
    """What may go out instead of the text; None where nothing can be regenerated."""
    prepares: Mapping[str, str] = {}
    """PREPARE name to inner text, for the dialect to remember."""
    uses: Uses | None = None
    """What the statement sets as the session's catalog and schema; None where it sets nothing."""


@dataclass
class Context:
    """What stays the same while one text is read."""

    known: Known
    name: str
    language: Dialect
    tables: Tables
    prepared: Mapping[str, str]
    declared: dict[str, dict[str, str]]
    writes: bool = True
    """Whether statements are written anew; not when a text is read again only to see whether it means the same."""
    depth: int = 0
    prepares: dict[str, str] = field(default_factory=dict)
    uses: Uses | None = None


class Statement(NamedTuple):
    """One statement of a text. The first operation is what it is; the others are what it does besides."""

    operations: tuple[Operation, ...]
    text: str | None
    """How it may go out; None where it cannot be regenerated."""
    tree: int | None = None
    """Hash of the syntax tree, where everything that is known of it comes from that alone."""


def opaque(service: str, why: str, *more: str) -> Operation:
    """A statement that is not understood."""
    return Operation(service, "unknown", column_scope="unknown", statements=(*more, "opaque"), opaque=why)


def read_text(text: str, context: Context) -> list[Statement]:
    """The statements of a text. Raises Opaque when the text cannot even be cut into statements."""
    from sluicegate.operations.sql.unwrap import read_chunk  # the two call each other: texts hold texts

    if context.depth > MAX_DEPTH:
        raise Opaque("statements stand too deep inside the texts of statements")
    return [read_chunk(chunk, text, context) for chunk in _cut(text, context)]


def _cut(text: str, context: Context) -> list[list[Token]]:
    """The tokens of each statement of a text. Raises Opaque."""
    chunks: list[list[Token]] = [[]]
    for token in tokens_of(text, context.language, context.name):
        if token.token_type is TokenType.SEMICOLON:
            chunks.append([])
        else:
            chunks[-1].append(token)
    chunks = [chunk for chunk in chunks if chunk]
    if not chunks:
        raise Opaque("there is no statement")
    if len(chunks) > MAX_STATEMENTS:
        raise Opaque("there are too many statements")
    return chunks


def parse(tokens: list[Token], text: str, context: Context) -> exp.Expr:
    """The syntax tree of one statement. Raises Opaque."""
    try:
        found = _parser(context.language, get_ident()).parse(tokens, text)
    except SqlglotError:
        raise Opaque("the statement is not SQL as the service writes it") from None
    except RecursionError:
        raise Opaque("the statement is nested too deeply") from None
    if len(found) != 1 or found[0] is None:
        raise Opaque("the statement is not one statement")
    for node in found[0].find_all(exp.Placeholder) if "{" in text else ():
        kind = node.args.get("kind")
        if kind is not None and (not isinstance(kind, exp.DataType) or kind.this is exp.DType.USERDEFINED):
            raise Opaque("a parameter stands for something else than a value")  # `{column:Identifier}`
    return found[0]


_WEIGHT = {"export": 7, "share": 6, "script": 5, "admin": 4, "write": 3, "upload": 3, "unknown": 2}


def together(statements: list[Statement], text: str) -> Operation:
    """One operation of all of them: the gravest first, the others as parts."""
    everything = [operation for statement in statements for operation in statement.operations]
    kinds = tuple(dict.fromkeys(kind for operation in everything for kind in operation.statements))
    at = max(range(len(everything)), key=lambda index: (_weight(everything[index]), -index))
    main = everything.pop(at)
    several = len([one for one in statements if one.operations[0].dataset is not None or one.operations[0].outputs]) > 1
    reasons = dict.fromkeys(operation.opaque for operation in [main, *everything] if operation.opaque)
    return replace(
        main,
        statement=text,
        statements=kinds,
        outputs=None if several else main.outputs,
        rows=None if len(statements) > 1 else main.rows,
        opaque="; ".join(reasons),
        parts=tuple(dict.fromkeys(everything)),
    )


def _weight(operation: Operation) -> int:
    return 0 if operation.into else _WEIGHT.get(operation.kind, 0)  # where rows come from is said beside where they go


_SUSPICIOUS = re.compile(r"/\*|--|#|\\|[^\x00-\x7f]")


@lru_cache(maxsize=64)
def _parser(language: Dialect, thread: int) -> Parser:
    """One for each thread: it is set back for each text, and cannot read two at a time."""
    return language.parser()


@cache
def _language(name: str) -> Dialect:
    return Dialect.get_or_raise(name or None)


def _regenerated(statements: list[Statement], context: Context, tables: Tables) -> str | None:
    """The text that may go out: only one that means, read again, just what the first meant."""
    if any(statement.text is None for statement in statements):
        return None
    text = "; ".join(statement.text or "" for statement in statements)
    again = replace(context, tables=tables, writes=False, prepares={}, uses=None)
    try:
        if _same_trees(statements, text, again):
            return text
        same = [one.operations for one in read_text(text, again)] == [one.operations for one in statements]
    except Opaque:
        return None
    return text if same and again.uses == context.uses else None


def _same_trees(statements: list[Statement], text: str, again: Context) -> bool:
    """Whether the text becomes the very trees that the statements were told from: then it means the same."""
    if any(one.tree is None for one in statements):
        return False
    chunks = _cut(text, again)
    return len(chunks) == len(statements) and all(
        hash(parse(chunk, text, again)) == one.tree for chunk, one in zip(chunks, statements, strict=True)
    )


def read_now(
    text: str,
    name: str,
    known: Known,
    catalog: str | None,
    schema: str | None,
    prepared: Mapping[str, str],
) -> Read:
    """Read without limits of size, without a cache. Never raises."""
    try:
        language = _language(name)
        tables = Tables.of(known, catalog, schema)
        context = Context(known, name, language, tables, prepared, tables.declared.columns)
        statements = read_text(text, context)
        operation = together(statements, text)
        regenerated = _regenerated(statements, context, tables)
        if regenerated is None and operation.kind == "read" and _SUSPICIOUS.search(text) is not None:
            why = operation.opaque or "the statement has comments or escapes, and cannot be written without them"
            operation = replace(operation, kind="unknown", opaque=why, statements=(*operation.statements, "opaque"))
        return Read(operation, regenerated, context.prepares, context.uses)
    except Opaque as error:
        return Read(replace(opaque(known.service, str(error)), statement=text))
    except RecursionError:
        return Read(replace(opaque(known.service, "the statement is nested too deeply"), statement=text))
    except Exception as error:  # whatever a library says to hostile input: it is not understood
        return Read(
            replace(opaque(known.service, f"the statement cannot be read ({type(error).__name__})"), statement=text)
        )


def digest(text: str) -> str:
    """SHA-256 of a script, hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
