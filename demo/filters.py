"""The filter of a query, such as `country = 'DE' and balance > 1000`: a grammar so small that it can be read whole.

    filter     = comparison { ("and" | "or") comparison }       `and` binds closer than `or`
    comparison = column operator literal
    operator   = "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=" | "like"
    literal    = number | 'text', where '' is a quote

Each token that comes out as SQL is one of our own constants; every literal becomes a bound parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from demo.customers import COLUMNS, NUMBERS

MAX_LENGTH = 2000
MAX_COMPARISONS = 50

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
        (?P<text>'(?:[^'\x00]|'')*')
      | (?P<number>[+-]?[0-9]{1,15}(?:\.[0-9]{1,9})?(?![0-9A-Za-z_.]))
      | (?P<operator><=|>=|<>|!=|=|<|>)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]{0,63})
    )""",
    re.VERBOSE,
)
_OPERATORS = {op: op for op in ("=", "<", "<=", ">", ">=")} | {"!=": "<>", "<>": "<>", "like": "LIKE"}
_JOINTS = {"and": "AND", "or": "OR"}


class FilterError(ValueError):
    """The filter is not in the grammar; the message says where."""


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL that follows WHERE, with a `?` for each parameter, and the parameters in order."""

    sql: str
    parameters: tuple[int | float | str, ...]


def parse(text: str) -> Condition:
    """The condition that a filter means. Raises FilterError."""
    if len(text) > MAX_LENGTH:
        raise FilterError(f"a filter has at most {MAX_LENGTH} characters")
    tokens = _tokens(text)
    sql: list[str] = []
    parameters: list[int | float | str] = []
    while True:
        column = _column(next(tokens, None))
        operator = _operator(next(tokens, None), column)
        parameters.append(_literal(next(tokens, None), column))
        sql.append(f"{column} {operator} ?")
        if len(parameters) > MAX_COMPARISONS:
            raise FilterError(f"a filter has at most {MAX_COMPARISONS} comparisons")
        joint = next(tokens, None)
        if joint is None:
            return Condition(" ".join(sql), tuple(parameters))
        if joint.kind != "word" or joint.text.lower() not in _JOINTS:
            raise FilterError(f"`and` or `or` was expected at {joint.place}")
        sql.append(_JOINTS[joint.text.lower()])


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def place(self) -> str:
        return f"character {self.start + 1}"


def _tokens(text: str) -> Iterator[_Token]:
    position, end = 0, len(text.rstrip(" \t\r\n"))
    while position < end:
        match = _TOKEN.match(text, position, end)
        if match is None or match.lastgroup is None:
            raise FilterError(f"character {position + 1} cannot be read")
        yield _Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup))
        position = match.end()


def _column(token: _Token | None) -> str:
    if token is None:
        raise FilterError("a column was expected at the end")
    for column in COLUMNS:
        if token.kind == "word" and token.text.lower() == column:
            return column  # our constant, not the text that came in
    raise FilterError(f"a column was expected at {token.place}; the columns are {', '.join(COLUMNS)}")


def _operator(token: _Token | None, column: str) -> str:
    operator = _OPERATORS.get(token.text.lower()) if token and token.kind in ("operator", "word") else None
    if operator is None:
        raise FilterError(f"an operator was expected {f'at {token.place}' if token else 'at the end'}")
    if operator == "LIKE" and column in NUMBERS:
        raise FilterError(f"`like` is for text, and {column} holds numbers")
    return operator


def _literal(token: _Token | None, column: str) -> int | float | str:
    if token is None:
        raise FilterError("a literal was expected at the end")
    wanted = "number" if column in NUMBERS else "text"
    if token.kind != wanted:
        raise FilterError(f"a {wanted} was expected at {token.place}, since {column} holds {wanted}s")
    if wanted == "text":
        return token.text[1:-1].replace("''", "'")
    return float(token.text) if "." in token.text else int(token.text)
