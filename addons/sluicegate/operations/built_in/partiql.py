"""PartiQL as DynamoDB takes it: SELECT from one table, INSERT, UPDATE, DELETE. From its developer guide.

The grammar is small: one table, no joins, no subqueries but EXISTS. So which attributes stand where is read from the
words alone, and anything else is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from sluicegate.operations.view import Unreadable

MAX_STATEMENT = 8192
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")+")|(?P<name>[A-Za-z_]\w*)|(?P<number>\d+(?:\.\d+)?)"""
    r"""|(?P<sign><<|>>|<>|<=|>=|!=|[=<>+\-*/.,()\[\]{}:?]))""",
    re.ASCII,
)
_WORDS = frozenset(
    (
        *("select", "from", "where", "order", "by", "asc", "desc", "and", "or", "not", "in", "between", "is"),
        *("missing", "null", "true", "false", "exists", "into"),
    )
)
"""Reserved everywhere. Other words of the language (`set`, `old`) may be attributes too, and count as such."""
_FUNCTIONS = frozenset({"attribute_type", "begins_with", "contains", "size", "list_append", "set_add", "set_delete"})


class Token(NamedTuple):
    """A word of a statement: `name` for attributes and tables, `word` for what the language reserves."""

    kind: Literal["text", "name", "word", "number", "sign"]
    value: str


class Statement(NamedTuple):
    """What a statement asks. `columns` None: all of them."""

    verb: Literal["select", "insert", "update", "delete"]
    table: str
    columns: tuple[str, ...] | None
    predicates: tuple[str, ...]


def read(text: str) -> Statement:
    """Raises Unreadable for anything but one plain statement."""
    tokens = _tokens(text)
    verb = tokens[0].value.lower() if tokens and tokens[0].kind in ("word", "name") else ""
    if verb == "select":
        return _select(tokens)
    if verb == "insert" and [token.value for token in tokens[1:2]] == ["into"]:
        table, _ = _table(tokens, 2)
        return Statement("insert", table, (), ())
    if verb in ("update", "delete"):
        start = 1 if verb == "update" else 2
        if verb == "delete" and [token.value for token in tokens[1:2]] != ["from"]:
            raise Unreadable("the statement is not PartiQL as the service writes it")
        table, at = _table(tokens, start)
        returns = any(token.kind == "name" and token.value.lower() == "returning" for token in tokens[at:])
        named = _names(tokens[at:])
        return Statement("update" if verb == "update" else "delete", table, None if returns else (), named)
    raise Unreadable("the statement is not PartiQL as the service writes it")


def _select(tokens: Sequence[Token]) -> Statement:
    at = next((index for index, token in enumerate(tokens) if token == Token("word", "from")), None)
    if at is None or Token("word", "select") in tokens[1:]:
        raise Unreadable("the statement is not one plain SELECT")
    table, end = _table(tokens, at + 1)
    rest = tokens[end:]
    if rest and rest[0] not in (Token("word", "where"), Token("word", "order")):
        raise Unreadable("the statement selects from more than one table")
    chosen = tokens[1:at]
    if any(_ends(one) and _begins(other) for one, other in pairwise(chosen)):
        raise Unreadable("what is selected is given another name")
    columns = None if Token("sign", "*") in chosen else _names(chosen)
    return Statement("select", table, columns or None, _names(rest))


def _ends(token: Token) -> bool:
    return token.kind == "name" or token.value in (")", "]", "*", "?")


def _begins(token: Token) -> bool:
    return token.kind in ("name", "word", "text")


def _table(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    """The table at a place, and where what follows begins. An index behind a dot is another view of the table."""
    if at >= len(tokens) or tokens[at].kind != "name":
        raise Unreadable("the statement names no table")
    end = at + 1
    if tokens[end : end + 1] == [Token("sign", ".")]:
        if end + 1 >= len(tokens) or tokens[end + 1].kind != "name":
            raise Unreadable("the statement names no index")
        end += 2
    return tokens[at].value, end


def _names(tokens: Sequence[Token]) -> tuple[str, ...]:
    """The attributes named, each with its path joined by dots."""
    found: dict[str, None] = {}
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.kind != "name" or (after == Token("sign", "(") and token.value.lower() in _FUNCTIONS):
            continue
        if before == Token("sign", ".") and found:
            last = next(reversed(found))
            del found[last]
            found[f"{last}.{token.value}"] = None
        else:
            found[token.value] = None
    return tuple(found)


def _tokens(text: str) -> list[Token]:
    if len(text) > MAX_STATEMENT or "--" in text or "/*" in text or ";" in text:
        raise Unreadable("the statement is too long, or has what PartiQL does not")
    found: list[Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if not match:
            raise Unreadable("the statement has characters that do not belong in one")
        at = match.end()
        value = match.group().strip()
        if match["quoted"]:
            found.append(Token("name", value[1:-1].replace('""', '"')))
        elif match["name"]:
            word = value.lower()
            found.append(Token("word", word) if word in _WORDS else Token("name", value))
        else:
            found.append(Token("text" if match["text"] else "number" if match["number"] else "sign", value))
    return found
