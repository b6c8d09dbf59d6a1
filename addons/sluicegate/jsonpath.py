"""JSONPath as far as we vouch for it: jsonpath-ng parses, and only the steps listed here are taken from its tree.

Its own find() and update() are never used: they miss nodes silently for some valid paths. What is not on the list
is refused when the policy loads, never ignored when a body comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonpath_ng
import jsonpath_ng.jsonpath
import jsonpath_ng.parser
from jsonpath_ng.exceptions import JSONPathError


@dataclass(frozen=True, slots=True)
class Names:
    """Members of an object by name; no names means every child (`*`)."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Elements:
    """Elements of an array by Python slice."""

    start: int | None
    stop: int | None
    step: int | None


@dataclass(frozen=True, slots=True)
class Below:
    """The nodes themselves and everything below them (`..`)."""


Step = Names | Elements | Below


def parse(text: str) -> tuple[Step, ...]:
    """The steps of a path, from the root. Raises ValueError, with the reason, for anything outside the list."""
    if "\\" in text:
        raise ValueError("escapes in a path are not supported")
    if not text.startswith("$"):
        raise ValueError("a path starts with `$`")
    if _GRAMMAR.fullmatch(text) is None:
        raise ValueError(_why(text))
    try:
        tree = jsonpath_ng.parser.parse(text)
    except (JSONPathError, Exception) as error:  # the parser raises bare Exception for some inputs
        raise ValueError(str(error).splitlines()[0]) from None
    return tuple(_steps(tree))


_NAME = r"[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*"
_BLANK = r"[ \t\r\n]*"
_NUMBER = r"(?:0|[1-9][0-9]{0,8})"
_QUOTED = r"""(?:'[^'"\x00-\x1f]+'|"[^'"\x00-\x1f]+")"""
_SLICE = rf"(?={_NUMBER}|:[:\s]*{_NUMBER}){_NUMBER}?{_BLANK}:{_BLANK}{_NUMBER}?(?:{_BLANK}:{_BLANK}{_NUMBER}?)?"
_ITEMS = rf"{_BLANK}(?:\*|{_QUOTED}(?:{_BLANK},{_BLANK}{_QUOTED})*|{_NUMBER}|{_SLICE}){_BLANK}"
_GRAMMAR = re.compile(rf"\$(?:{_BLANK}(?:\.(?:{_NAME}|\*)|\.\.(?:{_NAME}|\*|\[{_ITEMS}\])|\[{_ITEMS}\]))*")
"""What of RFC 9535 is taken. The parser takes much more, and some of it in another meaning."""


def _why(text: str) -> str:
    for sign, reason in (
        ("?", "filters in a path are not supported"),
        ("-", "negative indexes and slices are not supported, and names with `-` stand in quotes: `$['first-name']`"),
        (",", "several indexes in one step are not supported"),
    ):
        if sign in text:
            return reason
    return "it is not written as RFC 9535 says, or uses more of it than is supported"


def _steps(node: Any) -> Iterator[Step]:
    match node:
        case jsonpath_ng.Root():
            return
        case jsonpath_ng.Child():
            yield from _steps(node.left)
            yield from _steps(node.right)
        case jsonpath_ng.Descendants():
            yield from _steps(node.left)
            yield Below()
            yield from _steps(node.right)
        case jsonpath_ng.Fields():
            yield Names(frozenset() if "*" in node.fields else frozenset(node.fields))
        case jsonpath_ng.jsonpath.Wildcard():
            yield Names(frozenset())
        case jsonpath_ng.Index():
            for index in node.indices:
                if index < 0:
                    raise ValueError("negative indexes are not supported")
            if len(node.indices) != 1:
                raise ValueError("several indexes in one step are not supported")
            yield Elements(node.indices[0], node.indices[0] + 1, 1)
        case jsonpath_ng.Slice(start=None, end=None, step=None):
            yield Names(frozenset())  # `[*]` means the members of an object too (RFC 9535 section 2.3.2)
        case jsonpath_ng.Slice():
            if any(part is not None and part < 0 for part in (node.start, node.end, node.step)) or node.step == 0:
                raise ValueError("negative slices are not supported")
            yield Elements(node.start, node.end, node.step)
        case _:
            raise ValueError(f"{type(node).__name__} is not supported in a path")


def select(document: Any, steps: tuple[Step, ...]) -> list[Any]:
    """The values that the path selects in a decoded JSON document, in document order."""
    nodes = [document]
    for step in steps:
        nodes = [child for node in nodes for child in children(node, step)]
    return nodes


def children(node: Any, step: Step) -> Iterator[Any]:
    """What one step selects from one node."""
    match step:
        case Names(names):
            if isinstance(node, dict):
                yield from (v for k, v in node.items() if not names or k in names)
            elif isinstance(node, list) and not names:
                yield from node
        case Elements(start, stop, stride):
            if isinstance(node, list):
                yield from node[start:stop:stride]
        case Below():
            yield node
            for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
                yield from children(child, step)
