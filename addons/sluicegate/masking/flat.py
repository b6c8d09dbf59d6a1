"""Whether rows hold nothing but plain values, found by counting: then nobody has to look at each of them.

A document has at most as many objects and arrays as its text has opening brackets. Where all of them are accounted for,
none is left that could be inside a row; and where no string begins as JSON would, none is left inside a string.
"""

from __future__ import annotations

from typing import Any

import re2

_LEAST = 2048  # bytes of text below which looking at each value costs no more
_ROWS = (dict, list)
_OTHERS = 256  # objects and arrays beside the rows that are worth counting

_BYTES = re2.Options()
_BYTES.encoding = re2.Options.Encoding.LATIN1
# The openers of `nested`, and every escape, at the front of a string. A closing quote is never followed by one, except
# by a space in a text with generous spacing; then each value is looked at, which does no harm.
_OPENING = re2.compile(rb'"(?:[{\[ \\]|\xef\xbb\xbf|\xe2\x80\x8b|\xe2\x81\xa0)', _BYTES)


def widest(document: Any) -> list[Any] | None:
    """The longest list of rows at the top of a document, or the document itself."""
    if type(document) is list:
        return document
    if type(document) is not dict:
        return None
    lists = [value for value in document.values() if type(value) is list and value and type(value[0]) in _ROWS]
    return max(lists, key=len, default=None)


def flat(document: Any, original: bytes, rows: list[Any]) -> bool:
    """Whether `rows`, a list in the document, are objects (or all arrays) without anything inside that has an inside.

    `original` is what the document was parsed from. False also where that is not certain.
    """
    return shallow(document, original, rows) and not opens(original)


def shallow(document: Any, original: bytes, rows: list[Any]) -> bool:
    """The same, whatever strings hold."""
    if len(original) < _LEAST or not rows:
        return False
    kinds = set(map(type, rows))
    if kinds not in ({dict}, {list}):
        return False
    found = _count(document, rows, [0, 0], 0)
    if found is None:
        return False
    found[0 if kinds == {dict} else 1] += len(rows)
    return found == [original.count(b"{"), original.count(b"[")]


def opens(text: bytes) -> bool:
    """Whether a string in a JSON text may begin as JSON would."""
    return _OPENING.search(text) is not None


def _count(node: Any, rows: list[Any], found: list[int], depth: int) -> list[int] | None:
    """Objects and arrays outside of the rows, the list of rows included; None when there are many."""
    if type(node) is dict:
        found[0] += 1
        inner: Any = node.values()
    elif type(node) is list:
        found[1] += 1
        if node is rows:
            return found
        inner = node
    else:
        return found
    if depth > 16 or len(inner) > _OTHERS or found[0] + found[1] > _OTHERS:
        return None
    for value in inner:
        if (type(value) is dict or type(value) is list) and _count(value, rows, found, depth + 1) is None:
            return None
    return found
