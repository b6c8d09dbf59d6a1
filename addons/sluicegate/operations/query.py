"""Query strings (the WHATWG URL form encoding), read so that no parameter can hide behind another."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import unquote_to_bytes, urlencode

from sluicegate.operations.view import Unreadable

MAX_PARAMETERS = 200
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def parameters(query: str, texts: Collection[str] = ()) -> dict[str, str]:
    """Name to value. Raises Unreadable for a parameter sent twice and for what parsers read differently.

    `texts` are parameters whose values may have lines and tabs, such as statements.
    """
    return {name: values[0] for name, values in grouped(query, texts=texts).items()}


def grouped(query: str, repeated: Collection[str] = (), texts: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
    """Name to values, in their order; only the names in `repeated` may be sent more than once. Raises Unreadable.

    Names that differ in their case alone count as the same name, and are never sent twice.
    """
    found: dict[str, tuple[str, ...]] = {}
    folded = set()
    for name, value in pairs(query, texts):
        if not name:
            raise Unreadable("the query has a parameter without a name")
        if name in repeated and name in found:
            found[name] = (*found[name], value)
            continue
        if name.casefold() in folded:
            raise Unreadable(f"the query parameter {name[:40]!r} was sent more than once")
        folded.add(name.casefold())
        found[name] = (value,)
    return found


def pairs(query: str, texts: Collection[str] = ()) -> list[tuple[str, str]]:
    """Names and values, in their order. Raises Unreadable for what parsers read differently."""
    if not query:
        return []
    if ";" in query or _BAD_ESCAPE.search(query):
        raise Unreadable("the query can be read in more than one way")  # some servers separate at semicolons
    pieces = query.split("&")
    if len(pieces) > MAX_PARAMETERS:
        raise Unreadable("the query has too many parameters")
    found = []
    for piece in pieces:
        name, _, value = piece.partition("=")
        name = _decode(name)
        found.append((name, _decode(value, lines=name in texts)))
    return found


def write(query: str, changes: Mapping[str, str]) -> str:
    """The query with parameters put in the place of those that have their names, and everything encoded anew."""
    kept = [(name, value) for name, value in pairs(query, changes) if name not in changes]
    return urlencode([*kept, *changes.items()])


def _decode(text: str, *, lines: bool = False) -> str:
    try:
        decoded = unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeError:
        raise Unreadable("the query is not UTF-8") from None
    if decoded and not (_without_lines(decoded) if lines else decoded).isprintable():
        raise Unreadable("the query has control characters")
    return decoded


def _without_lines(text: str) -> str:
    return text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
