"""Proves of most documents that detectors find nothing in them, without a look at each of their values.

The document is written, and read once as that text; only what looks suspicious there is taken out of it. What is not
certain is left to the pass over all values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from sluicegate.masking.flat import opens, shallow, widest
from sluicegate.masking.json_body import MAX_DEPTH, serialise

if TYPE_CHECKING:
    from sluicegate.masking.content import Content
    from sluicegate.masking.json_text import Document

LOOKED = 64
"""Texts of a column that say whether its values are texts with blanks, which may have been cut."""
_SPARSE = 4
"""Rows that are looked into for a key, for each that has it, before rows are sorted by their keys instead."""
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
    first = text.split(sign, LOOKED)[1:]
    if not any(" " in piece[: piece.find('"')] for piece in first):
        return False
    return content.crosses([piece[: piece.find('"')] for piece in text.split(sign)[1:]])


def _gather(node: Any, rows: Any, keys: set[str], content: Content, apart: Any, depth: int, row: bool = False) -> bool:
    """Collects keys, and looks at borders: False where something may be cut by one. `rows` hold plain values only."""
    if depth > MAX_DEPTH:
        return False
    if type(node) is dict:
        keys.update(node)
        inner: Any = node.values()
    else:
        if len(node) > 1 and node is not apart and any(map(content.crosses, _columns(node, row))):
            return False
        if node is rows:
            keys.update(chain.from_iterable(node) if type(node[0]) is dict else ())
            if type(node[0]) is dict:
                return True
        inner = node
    row = type(node) is list and len(node) > 1
    return all(
        _gather(value, rows, keys, content, apart, depth + 1, row)
        for value in inner
        if type(value) is dict or type(value) is list
    )


def _columns(node: list[Any], row: bool) -> Iterator[list[Any]]:
    """The elements of a list, and the members of neighbouring rows, where they are texts that may have been cut."""
    if holds_texts(node, row) and may_be_cut(node):
        yield node
    for key, rows in columns_of(node):
        if may_be_cut(each[key] for each in rows):
            yield [each[key] for each in rows]


def holds_texts(node: list[Any], row: bool) -> bool:
    """Whether elements of a list are neighbouring texts. Those of a `row` among rows are of a column each, unless it
    begins with a text."""
    return type(node[0]) is str or (not row and str in map(type, node))


def columns_of(node: list[Any]) -> Iterator[tuple[Any, list[Any]]]:
    """Each key of the objects in a list, and each place of the arrays in it, with those that have it, in their order.

    Takes as long as there are members, however few rows have a key in common.
    """
    kinds = set(map(type, node))
    for kind in _INNER:
        if kind not in kinds:
            continue
        rows = [row for row in node if type(row) is kind]
        keys = dict.fromkeys(chain.from_iterable(rows)) if kind is dict else range(max(map(len, rows)))
        members = sum(map(len, rows))
        if members == len(keys) * len(rows):
            yield from ((key, rows) for key in keys)
        elif len(keys) * len(rows) <= _SPARSE * members:
            for key in keys:
                yield key, [row for row in rows if (key in row if kind is dict else key < len(row))]
        else:
            found: dict[Any, list[Any]] = {}
            for row in rows:
                for key in row if kind is dict else range(len(row)):
                    found.setdefault(key, []).append(row)
            yield from found.items()


def may_be_cut(texts: Iterable[Any]) -> bool:
    """Values of their own, such as names and numbers, have no blanks; texts that were cut do."""
    return any(" " in text for text in islice((text for text in texts if type(text) is str and text), LOOKED))
