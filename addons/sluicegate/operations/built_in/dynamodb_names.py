"""The expressions of DynamoDB: which attributes they name, with `#` aliases resolved. From its developer guide."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sluicegate.operations.view import Unreadable

MAX_EXPRESSION = 4096
"""The service takes expressions of up to 4 KB."""
_TOKEN = re.compile(r"\s*(?:([#:]?[A-Za-z_]\w*|[#:]\w+)|(\d+)|(<>|<=|>=|[=<>+\-.,()\[\]]))", re.ASCII)
_WORDS = frozenset({"and", "or", "not", "between", "in", "set", "remove", "add", "delete"})
_FUNCTIONS = frozenset(
    {
        *("attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size"),
        *("if_not_exists", "list_append"),
    }
)


def aliases(document: Mapping[str, Any]) -> dict[str, str]:
    """ExpressionAttributeNames. Raises Unreadable."""
    names = document.get("ExpressionAttributeNames")
    if names is None:
        return {}
    if not isinstance(names, dict):
        raise Unreadable("ExpressionAttributeNames is not an object")
    for alias, name in names.items():
        if not alias.startswith("#") or not isinstance(name, str) or not name:
            raise Unreadable("ExpressionAttributeNames has an entry that is no alias")
    return names


def attributes(expression: Any, known: Mapping[str, str]) -> tuple[str, ...]:
    """The attributes that an expression names, each with its path inside joined by dots. Raises Unreadable."""
    if expression is None:
        return ()
    if not isinstance(expression, str) or len(expression) > MAX_EXPRESSION:
        raise Unreadable("an expression is no text, or too long")
    return tuple(dict.fromkeys(_paths(list(_tokens(expression)), known)))


def _tokens(expression: str) -> Iterator[str]:
    at, end = 0, len(expression.rstrip())
    while at < end:
        found = _TOKEN.match(expression, at)
        if not found:
            raise Unreadable("an expression has characters that do not belong in one")
        at = found.end()
        yield found[1] or found[2] or found[3]


def _paths(tokens: list[str], known: Mapping[str, str]) -> Iterator[str]:
    at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if not (token[0].isalpha() or token[0] in "_#"):
            continue
        following = tokens[at] if at < len(tokens) else ""
        if following == "(" and token.lower() in (_FUNCTIONS | _WORDS):
            continue
        if token.lower() in _WORDS:
            continue
        path = [_resolved(token, known)]
        while at < len(tokens) and tokens[at] in (".", "["):
            if tokens[at] == "[":
                if tokens[at + 1 : at + 3][1:] != ["]"] or not tokens[at + 1].isdigit():
                    raise Unreadable("an expression has an index that is no number")
                at += 3
            else:
                step = tokens[at + 1] if at + 1 < len(tokens) else ""
                if not step or not (step[0].isalpha() or step[0] in "_#"):
                    raise Unreadable("an expression ends within a path")
                path.append(_resolved(step, known))
                at += 2
        yield ".".join(path)


def _resolved(token: str, known: Mapping[str, str]) -> str:
    if not token.startswith("#"):
        return token
    name = known.get(token)
    if name is None:
        raise Unreadable("an expression uses an alias that is not defined")
    return name


def listed(names: Any, what: str) -> tuple[str, ...]:
    """A list of attribute names, as in AttributesToGet. Raises Unreadable."""
    if names is None:
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise Unreadable(f"{what} is not a list of names")
    return tuple(names)


def keys(document: Any, what: str) -> tuple[str, ...]:
    """The names in an object by attribute, as in Key and the older filters. Raises Unreadable."""
    if document is None:
        return ()
    if not isinstance(document, dict):
        raise Unreadable(f"{what} is not an object")
    return tuple(document)


def once(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once, in its first place."""
    return tuple(dict.fromkeys(names))
