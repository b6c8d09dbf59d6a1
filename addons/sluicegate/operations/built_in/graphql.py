"""The little of GraphQL (October 2021) that table services answer: one query, one table, its arguments, its columns.

    query { emp(limit: 1, filter: {id: {gt: 5}}, sort: [{field: "ssn"}]) { id ssn } }

Aliases, variables, fragments and directives are not understood here, and neither is a second table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from sluicegate.operations.view import Unreadable

MAX_LENGTH = 64 << 10
_DEPTH = 32
_TOKEN = re.compile(
    r"""[ \t\r\n,\ufeff]+|\#[^\r\n]*|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<mark>[{}()\[\]:])"""
    r"""|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<text>"(?!"")(?:[^"\\\r\n]|\\["\\/bfnrt])*")"""
)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Selection(NamedTuple):
    """What a query asks for: the table, its arguments as plain values, and the columns."""

    table: str
    arguments: dict[str, Any]
    columns: tuple[str, ...]


def parse(text: str) -> Selection:
    """Reads a query. Raises Unreadable for everything else than one table with a list of columns."""
    if len(text) > MAX_LENGTH:
        raise Unreadable("the query is too large")
    reader = _Reader(list(_tokens(text)))
    if reader.next_is("query"):
        reader.take()
    reader.expect("{")
    table = reader.name()
    arguments = {}
    if reader.next_is("("):
        reader.take()
        arguments = reader.members(")", 0)
    reader.expect("{")
    columns = []
    while not reader.next_is("}"):
        columns.append(reader.name())
    reader.expect("}")
    reader.expect("}")
    if not reader.done or not columns:
        raise Unreadable("the query asks for something else than the columns of one table")
    return Selection(table, arguments, tuple(columns))


def fields(value: Any) -> Iterator[str]:
    """Every name and text in arguments that could be a column: what filters and sorts."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from fields(inner)
    elif isinstance(value, str):
        yield value


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise Unreadable("the query has something that is not understood")
        if found.lastgroup is not None:
            yield found.lastgroup, found.group()
        place = found.end()


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._place = tokens, 0

    @property
    def done(self) -> bool:
        return self._place == len(self._tokens)

    def next_is(self, text: str) -> bool:
        return not self.done and self._tokens[self._place] in (("name", text), ("mark", text))

    def take(self) -> tuple[str, str]:
        if self.done:
            raise Unreadable("the query ends too early")
        self._place += 1
        return self._tokens[self._place - 1]

    def expect(self, mark: str) -> None:
        if self.take() != ("mark", mark):
            raise Unreadable("the query asks for something else than the columns of one table")

    def name(self) -> str:
        kind, text = self.take()
        if kind != "name" or self.next_is(":"):
            raise Unreadable("the query has an alias, or something else than a name where one belongs")
        return text

    def members(self, end: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self.next_is(end):
            kind, name = self.take()
            if kind != "name" or name in found:
                raise Unreadable("the query has an argument twice, or without a name")
            self.expect(":")
            found[name] = self.value(depth + 1)
        self.take()
        return found

    def value(self, depth: int) -> Any:
        if depth > _DEPTH:
            raise Unreadable("the query is nested too deeply")
        kind, text = self.take()
        if (kind, text) == ("mark", "{"):
            return self.members("}", depth)
        if (kind, text) == ("mark", "["):
            found = []
            while not self.next_is("]"):
                found.append(self.value(depth + 1))
            self.take()
            return found
        if kind == "text":
            return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text[1:-1])
        if kind == "number":
            return float(text) if re.search(r"[.eE]", text) else int(text)
        if kind == "name":
            return text
        raise Unreadable("the query has something that is not understood")
