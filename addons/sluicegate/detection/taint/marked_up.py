"""Rows in XML and HTML, whole, broken or cut: an element with a text is a value, one that holds several is a row."""

from __future__ import annotations

import html
import re
from collections import Counter
from typing import Any

from sluicegate.nested_rows import Block

# None of them looks behind the next mark, so that a text full of beginnings takes no longer than another.
_TOKEN = re.compile(r"<!\[CDATA\[|\]\]>|<[?!][^<>]*+>|<(/?)([\w:.-]++)((?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+)>")
_ATTRIBUTE = re.compile(r"([\w:.-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_VOID = frozenset(("br", "img", "hr", "input", "meta", "link", "col", "wbr"))
_PART = frozenset(("td", "th", "a", "b", "i", "p", "em", "strong", "span", "small", "code", "font"))
"""Elements of HTML that are a value of a row, however many stand in it."""
_DEEP = 256


class _Element:
    """One that is open: its values so far, and the elements in it that have several."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.text: list[str] = []
        self.values: list[tuple[str, str]] = []
        self.inner: list[_Element] = []


def marked_up(text: str) -> list[Block]:
    """The rows, by the element that they are."""
    found: dict[str, Block] = {}
    stack = [_Element("")]
    at = 0
    for token in _TOKEN.finditer(text):
        stack[-1].text.append(html.unescape(text[at : token.start()]))
        at = token.end()
        closes, name, rest = token.groups()
        tag = (name or "").rpartition(":")[2]
        if closes:
            if any(one.tag == tag for one in stack):
                while _close(stack, found) != tag:
                    pass
            else:  # it was opened before this piece begins
                _settle(stack[0], found)
                _emit(stack[0], found)
                stack[0] = _Element("")
        elif tag and len(stack) < _DEEP:
            stack.append(_Element(tag))
            stack[-1].values += [
                (key, html.unescape(one or other))
                for key, one, other in _ATTRIBUTE.findall(rest)
                if not key.startswith("xmlns")
            ]
            if rest.endswith("/") or tag.lower() in _VOID:
                _close(stack, found)
    stack[-1].text.append(html.unescape(text[at:]))
    while len(stack) > 1:
        _close(stack, found)
    _settle(stack[0], found)
    _emit(stack[0], found)
    return list(found.values())


def _close(stack: list[_Element], found: dict[str, Block]) -> str:
    """An element is over: a value of the one around it, or several; its tag."""
    one, around = stack.pop(), stack[-1]
    _settle(one, found)
    if len(one.values) <= 1 or one.tag.lower() in _PART:
        around.values += one.values
    else:
        around.inner.append(one)
    return one.tag


def _settle(one: _Element, found: dict[str, Block]) -> None:
    """What comes several times inside it are rows; what comes once is a part of it."""
    if text := "".join(one.text).strip():
        one.values.append((one.tag, text))
    often = Counter(inner.tag for inner in one.inner)
    for inner in one.inner:
        if often[inner.tag] > 1:
            _emit(inner, found)
        else:
            one.values += inner.values
    one.inner = []


def _emit(one: _Element, found: dict[str, Block]) -> None:
    row: dict[str, Any] = {}
    for name, value in one.values:
        row.setdefault(name, []).append(value)
    if row:
        found.setdefault(one.tag, Block(one.tag)).rows.append(row)
