"""Proves of most documents that detectors find nothing in them, without a look at each of their values.

The document is written, and read once as that text; only what looks suspicious there is taken out of it. What is not
certain is left to the pass over all values.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from sluicegate.masking.flat import opens, shallow, widest
from sluicegate.masking.json_body import MAX_DEPTH, serialise

if TYPE_CHECKING:
    from sluicegate.masking.content import Content
    from sluicegate.masking.json_text import Document

_LOOKED = 64
_INNER = (dict, list)


def clean(document: Any, content: Content, apart: Any) -> bool:
    """Whether it is certain that detectors find nothing in a document.

    `apart`: a list whose elements are no neighbours.
    """
    if not content.provable or not isinstance(document, _INNER):
        return False
    try:
        text = serialise(document)
    except (TypeError, ValueError, RecursionError):
        return False
    rows = widest(document)
    if rows is not None and not shallow(document, text, rows):
        rows = None
    if b"\\" in text and opens(text):
        return False  # JSON in a string; what needs no backslash there is read as it stands
    keys: set[str] = set()
    return _gather(document, rows, keys, content, apart, 0) and content.clean(text, sorted(keys))


def clean_text(found: Document, content: Content) -> bool:
    """The same of a document whose rows were masked in their text."""
    text = found.text
    if not content.provable or not found.layout.compact or b"\\" in text or not isinstance(found.node, _INNER):
        return False
    keys: set[str] = set()
    shown = text.decode()
    return (
        _gather(found.node, None, keys, content, None, 0)
        and not any(_cut_in_text(shown, key, content) for key in found.layout.keys)
        and content.clean(text, sorted(keys))
    )


def _cut_in_text(text: str, key: str, content: Content) -> bool:
    """Whether a value may be cut by the border of neighbouring members with this key, in a text without backslashes."""
    sign = f'"{key}":"'
    first = text.split(sign, _LOOKED)[1:]
    if not any(" " in piece[: piece.find('"')] for piece in first):
        return False
    return content.crosses([piece[: piece.find('"')] for piece in text.split(sign)[1:]])


def _gather(node: Any, rows: Any, keys: set[str], content: Content, apart: Any, depth: int) -> bool:
    """Collects keys, and looks at borders: False where something may be cut by one. `rows` hold plain values only."""
    if depth > MAX_DEPTH:
        return False
    if type(node) is dict:
        keys.update(node)
        inner: Any = node.values()
    else:
        if len(node) > 1 and node is not apart and any(map(content.crosses, _columns(node))):
            return False
        if node is rows:
            keys.update(chain.from_iterable(node) if type(node[0]) is dict else ())
            if type(node[0]) is dict:
                return True
        inner = node
    return all(
        _gather(value, rows, keys, content, apart, depth + 1)
        for value in inner
        if type(value) is dict or type(value) is list
    )


def _columns(node: list[Any]) -> Iterator[list[Any]]:
    """The elements of a list, or the members of neighbouring rows, where they are texts that may have been cut."""
    if type(node[0]) is str:
        if may_be_cut(node):
            yield node
    elif type(node[0]) is dict:
        rows = [row for row in node if type(row) is dict]
        for key in node[0]:
            first = [row[key] for row in islice((row for row in rows if key in row), _LOOKED)]
            if may_be_cut(first):
                yield [row[key] for row in rows if key in row]


def may_be_cut(texts: list[Any]) -> bool:
    """Values of their own, such as names and numbers, have no blanks; texts that were cut do."""
    return any(type(text) is str and " " in text for text in texts[:_LOOKED])
