"""One statement, by its first words: those that hold another statement are unwrapped and what they hold is read."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from sluicegate.exchange import Operation
from sluicegate.operations.sql.exports import exported
from sluicegate.operations.sql.lexical import Opaque
from sluicegate.operations.sql.reading import Context, Statement, opaque, parse, read_text, together
from sluicegate.operations.sql.statements import read_statement
from sluicegate.operations.sql.tokens import bare
from sluicegate.operations.sql.words import by_words

_TEXTS = frozenset({TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.RAW_STRING})
_VALUES = frozenset(
    {
        *(TokenType.STRING, TokenType.NUMBER, TokenType.COMMA, TokenType.PLACEHOLDER, TokenType.DASH, TokenType.NULL),
        *(TokenType.TRUE, TokenType.FALSE, TokenType.DATE, TokenType.TIMESTAMP, TokenType.DECIMAL, TokenType.TIME),
    }
)
_WORDS = """
    ANALYZE ANALYSE VERBOSE PLAN QUERY EXTENDED FORMATTED CODEGEN COST LOGICAL PHYSICAL DISTRIBUTED SYNTAX AST PIPELINE
    ESTIMATE USING TEXT JSON TABULAR FOR
"""
_OPTIONS = frozenset(_WORDS.split())
"""What may stand between EXPLAIN and the statement that is explained."""


def read_chunk(tokens: list[Token], text: str, context: Context) -> Statement:
    """One statement. What is not understood is an opaque operation."""
    marked = tokens  # Athena's tokens begin with one that says which of its two parsers is meant
    tokens = [token for token in tokens if token.text or token.end > token.start] or tokens
    words = [token.text.upper() for token in tokens[:2]]
    first, second = words[0].partition(" ")[0], words[1] if len(words) > 1 else ""
    service = context.known.service
    try:
        if tokens[0].token_type in _TEXTS or tokens[0].token_type is TokenType.IDENTIFIER:
            raise Opaque("the statement does not begin with a word")
        if first == "EXPLAIN":
            return _explain(tokens, text, context)
        if first == "EXECUTE" and second == "IMMEDIATE":
            return _immediate(tokens, text, context)
        if first == "EXECUTE" and context.name != "tsql":
            return _execute(tokens, text, context)
        if first == "PREPARE":
            return _prepare(tokens, text, context)
        if first == "DEALLOCATE":
            operation = Operation(service, "read", column_scope="none", outputs=(), statements=("deallocate",))
            return Statement((operation,), bare(tokens, text))
        if first == "SHOW":
            return _show(tokens, text, context)
        if first == "UNLOAD":
            return _unload(tokens, text, context)
        node = parse(marked, text, context)
        if isinstance(node, exp.Command):
            return Statement(by_words(tokens, text, context, "its effect is not known"), None)
        return read_statement(node, tokens, text, context)
    except Opaque as error:
        return Statement(by_words(tokens, text, context, str(error)), None)
    except RecursionError:
        return Statement((opaque(service, "the statement is nested too deeply"),), None)


def _marked(inner: tuple[Operation, ...], word: str, *, rows: bool) -> tuple[Operation, ...]:
    first = inner[0]
    first = replace(first, statements=(word, *first.statements), outputs=first.outputs if rows else None)
    return (first, *inner[1:])


def _explain(tokens: list[Token], text: str, context: Context) -> Statement:
    at = 1
    while at < len(tokens):
        if tokens[at].token_type is TokenType.L_PAREN and at == 1:
            while at < len(tokens) and tokens[at].token_type is not TokenType.R_PAREN:
                if tokens[at].token_type is TokenType.SELECT:
                    raise Opaque("it is not clear what is explained")
                at += 1
        elif tokens[at].text.upper() not in _OPTIONS:
            break
        at += 1
    if at >= len(tokens):
        raise Opaque("nothing is explained")
    inner = read_chunk(tokens[at:], text, context)
    out = None if inner.text is None else f"{bare(tokens[:at], text)} {inner.text}"
    return Statement(_marked(inner.operations, "explain", rows=False), out)


def _show(tokens: list[Token], text: str, context: Context) -> Statement:
    """SHOW asks about the database, not for rows of it."""
    if any(token.token_type in (TokenType.SELECT, TokenType.L_PAREN, TokenType.WITH) for token in tokens):
        raise Opaque("a query stands where none is expected")
    if any(token.text.upper() in _VALUED for token in tokens[1:4]):
        raise Opaque("it shows values of rows")
    operation = Operation(context.known.service, "read", column_scope="none", statements=("show",))
    return Statement((operation,), bare(tokens, text))


_VALUED = frozenset(
    {
        *("STATS", "STATISTICS", "HISTOGRAM", "PARTITIONS", "RANGES", "SAMPLES"),
        *("PROCESSLIST", "QUERIES", "HISTORY", "WARNINGS", "ERRORS", "PROFILE", "PROFILES", "EVENTS", "TRANSACTIONS"),
    }
)
"""What SHOW shows that is made from rows: the least and greatest values of a column, the values that divide a table;
and what quotes statements, which hold values of whoever asked, and of rows that were found while they were planned."""


def inside(text: str, context: Context) -> tuple[list[Statement], tuple[Operation, ...]]:
    """What a text inside a statement asks."""
    context.depth += 1
    try:
        statements = read_text(text, context)
    finally:
        context.depth -= 1
    main = replace(together(statements, text), statement=None)
    return statements, (replace(main, parts=()), *main.parts)


def _written(statements: list[Statement]) -> str | None:
    parts = [statement.text for statement in statements]
    return "; ".join(part or "" for part in parts) if all(part is not None for part in parts) else None


def _immediate(tokens: list[Token], text: str, context: Context) -> Statement:
    """EXECUTE IMMEDIATE 'text' [USING values]."""
    if len(tokens) < 3 or tokens[2].token_type not in _TEXTS:
        raise Opaque("the statement that is executed is not written out")
    values = _values(tokens[3:])
    statements, operations = inside(tokens[2].text, context)
    written = _written(statements)
    out = None
    if written is not None:
        out = f"EXECUTE IMMEDIATE {exp.Literal.string(written).sql(context.language)}"
        out += f" {bare(values, text)}" if values else ""
    return Statement(_marked(operations, "execute", rows=True), out)


def _values(tokens: list[Token]) -> list[Token]:
    """USING and values. Raises Opaque when anything but values stands there."""
    if tokens and (tokens[0].token_type is not TokenType.USING or len(tokens) < 2):
        raise Opaque("something else than values follows the statement that is executed")
    if any(token.token_type not in _VALUES for token in tokens[1:]):
        raise Opaque("something else than values is given to the statement that is executed")
    return tokens


def _execute(tokens: list[Token], text: str, context: Context) -> Statement:
    """EXECUTE name [USING values | (values)]."""
    if len(tokens) < 2:
        raise Opaque("nothing is executed")
    inner = {**context.prepared, **context.prepares}.get(tokens[1].text)
    if inner is None:
        raise Opaque("the prepared statement is not known to the gateway: prepare it again")
    rest = tokens[2:]
    if rest and rest[0].token_type is TokenType.L_PAREN and rest[-1].token_type is TokenType.R_PAREN:
        if any(token.token_type not in _VALUES for token in rest[1:-1]):
            raise Opaque("something else than values is given to the prepared statement")
    else:
        _values(rest)
    _, operations = inside(inner, context)
    return Statement(_marked(operations, "execute", rows=True), bare(tokens, text))


def _prepare(tokens: list[Token], text: str, context: Context) -> Statement:
    """PREPARE name [(types)] FROM or AS statement."""
    if len(tokens) < 4:
        raise Opaque("nothing is prepared")
    at = 2
    if tokens[at].token_type is TokenType.L_PAREN:
        while at < len(tokens) and tokens[at].token_type is not TokenType.R_PAREN:
            at += 1
        at += 1
    if at + 1 >= len(tokens) or tokens[at].text.upper() not in ("FROM", "AS"):
        raise Opaque("it is not clear what is prepared")
    inner = tokens[at + 1 :]
    if len(inner) == 1 and inner[0].token_type in _TEXTS:
        held = inner[0].text
    elif inner[0].token_type in _TEXTS:
        raise Opaque("the statement that is prepared is not written out")
    else:
        held = text[inner[0].start : inner[-1].end + 1]
    statements, operations = inside(held, context)
    written = _written(statements)
    out = None
    if written is not None and inner[0].token_type not in _TEXTS:
        out = f"{bare(tokens[: at + 1], text)} {written}"
        held = written or held
    context.prepares[tokens[1].text] = held
    return Statement(_marked(operations, "prepare", rows=True), out)


def _unload(tokens: list[Token], text: str, context: Context) -> Statement:
    """UNLOAD ('statement' or statement) TO 'place' ..."""
    if len(tokens) < 5 or tokens[1].token_type is not TokenType.L_PAREN:
        raise Opaque("it is not clear what is unloaded")
    depth = 0
    for end in range(1, len(tokens)):
        kind = tokens[end].token_type
        depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        if depth == 0:
            break
    inner, rest = tokens[2:end], tokens[end + 1 :]
    if len(rest) < 2 or rest[0].text.upper() != "TO" or rest[1].token_type not in _TEXTS or not inner:
        raise Opaque("it is not clear where to it is unloaded")
    held = (
        inner[0].text if len(inner) == 1 and inner[0].token_type in _TEXTS else text[inner[0].start : inner[-1].end + 1]
    )
    _, operations = inside(held, context)
    return Statement(exported(operations, "unload", [rest[1].text], context), None)
