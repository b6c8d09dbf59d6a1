"""Query strings (the WHATWG URL form encoding), read so that no parameter can hide behind another."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote_to_bytes

from sluicegate.operations.view import Unreadable

MAX_PARAMETERS = 200
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def parameters(query: str, texts: Collection[str] = ()) -> dict[str, str]:
    """Name to value. Raises Unreadable for a parameter sent twice and for what parsers read differently.

    `texts` are parameters whose values may have lines and tabs, such as statements.
    """
    if not query:
        return {}
    if ";" in query or _BAD_ESCAPE.search(query):
        raise Unreadable("the query can be read in more than one way")  # some servers separate at semicolons
    pieces = query.split("&")
    if len(pieces) > MAX_PARAMETERS:
        raise Unreadable("the query has too many parameters")
    found: dict[str, str] = {}
    folded = set()
    for piece in pieces:
        name, _, value = piece.partition("=")
        name = _decode(name)
        value = _decode(value, lines=name in texts)
        if not name:
            raise Unreadable("the query has a parameter without a name")
        if name.casefold() in folded:
            raise Unreadable(f"the query parameter {name[:40]!r} was sent more than once")
        folded.add(name.casefold())
        found[name] = value
    return found


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
