"""Detectors on a decoded document: all its strings, keys, long whole numbers, JSON inside strings, and the borders of
neighbouring texts. One pass collects, one scan looks, and only what was found is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sluicegate.masking import nested
from sluicegate.masking.content_proof import clean, columns_of, holds_texts, may_be_cut
from sluicegate.masking.detectors.numbers import whole
from sluicegate.masking.json_body import MAX_DEPTH, Unfit, parse, serialise

if TYPE_CHECKING:
    from sluicegate.masking.content import Content, Counts

_LONG = 10**8
_NESTED = 3


def mask_content_of(document: Any, content: Content, counts: Counts, name: str = "", *, apart: bool = False) -> Any:
    """The document (the same objects) with what the detectors find masked. Raises Unfit.

    `name` is the key that it stands under. `apart`: it is a list whose elements are not to be read as neighbours.
    """
    kept = document if apart else None
    if clean(document, content, kept):
        return document
    return _Pass(content, counts, 0).run(document, name, kept)


def _both(_place: int) -> tuple[bool, bool]:
    """Any text of a document may be a piece of a larger one."""
    return True, True


class _Pass:
    """One document; `level` is how many strings deep it begins."""

    def __init__(self, content: Content, counts: Counts, level: int) -> None:
        self._content = content
        self._counts = counts
        self._level = level
        self._texts: list[str] = []
        self._names: list[str] = []
        self._places: list[tuple[Any, Any]] = []
        self._keys: set[str] = set()
        self._apart: Any = None
        self._found: dict[tuple[int, Any], int] = {}
        self._sought = 0
        """Of how many places that says where they are in the list: nobody looks through it twice."""

    def run(self, document: Any, name: str = "", apart: Any = None) -> Any:
        """The masked document."""
        box = [document]
        self._apart = apart
        self._gather(box, name, 0)
        made = self._content.texts(self._texts, self._names, self._counts, ends=_both)
        if made is not None:
            for (holder, key), old, new in zip(self._places, self._texts, made, strict=True):
                if new is not old:
                    holder[key] = self._fit(holder[key], new)
        keys = sorted(self._keys)
        renamed = self._content.texts(keys, "", self._counts)
        if renamed is not None:
            names = {old: str(new) for old, new in zip(keys, renamed, strict=True) if new is not old}
            box[0] = _renamed(box[0], names)
        return box[0]

    def _fit(self, old: Any, new: Any) -> Any:
        if isinstance(old, str) or new is None:
            return new
        return int(new) if isinstance(new, str) and new.isascii() and new.isdigit() else new

    def _gather(self, node: Any, name: str, depth: int, *, row: bool = False) -> None:
        if depth > MAX_DEPTH:
            raise Unfit("its JSON is nested too deeply")
        if isinstance(node, dict):
            self._keys.update(node)
            for key, value in node.items():
                self._value(node, key, value, key, depth)
        else:
            for index, value in enumerate(node):
                self._value(node, index, value, name, depth)
            if len(node) > 1 and node is not self._apart:
                self._borders(node, row)

    def _value(self, holder: Any, key: Any, value: Any, name: str, depth: int) -> None:
        kind = type(value)
        if kind is str:
            if value[:1] in nested.OPENERS and self._inner(holder, key, value):
                return
            self._texts.append(value)
            self._names.append(name)
            self._places.append((holder, key))
        elif kind is dict or kind is list:
            self._gather(value, name, depth + 1, row=type(holder) is list and len(holder) > 1)
        elif (kind is int and not -_LONG < value < _LONG) or kind is msgspec.Raw or kind is float:
            # JSON keeps the text of a number with a fraction; MessagePack has none to keep.
            digits = str(value) if kind is int else whole(repr(value) if kind is float else bytes(value).decode())
            if digits is not None:
                self._texts.append(digits)
                self._names.append(name)
                self._places.append((holder, key))

    def _inner(self, holder: Any, key: Any, text: str) -> bool:
        """Whether the text was JSON, and is done with."""
        inner = nested.strip(text)
        if inner[:1] not in nested.BEGINNINGS:
            return False
        try:
            document = parse(inner.encode("utf-8", "surrogatepass"))
        except Unfit:
            return False
        if not isinstance(document, dict | list | str):
            return False
        if self._level >= _NESTED:
            raise Unfit("JSON is nested in its strings too deeply")
        before = sum(self._counts.values())
        masked = _Pass(self._content, self._counts, self._level + 1).run(document)
        if sum(self._counts.values()) != before:
            holder[key] = serialise(masked).decode()
        return True

    def _borders(self, node: list[Any], row: bool) -> None:
        """Values that begin at the end of one text and go on in the next: elements, or members of neighbouring rows."""
        if holds_texts(node, row):
            self._column(node, [(node, index) for index in range(len(node))])
        for key, rows in columns_of(node):
            self._column([each[key] for each in rows], [(each, key) for each in rows])

    def _column(self, texts: list[Any], places: list[tuple[Any, Any]]) -> None:
        for place in self._content.cut(texts) if may_be_cut(texts) else ():
            one, other = self._content.across(texts[place], texts[place + 1], self._counts)
            if one is not texts[place]:
                texts[place], texts[place + 1] = one, other
                for at, new in ((place, one), (place + 1, other)):
                    holder, where = places[at]
                    holder[where] = new
                    self._moved(holder, where, new)

    def _moved(self, holder: Any, key: Any, new: str) -> None:
        """A text that was collected already has changed."""
        for index in range(self._sought, len(self._places)):
            there, at = self._places[index]
            self._found[id(there), at] = index
        self._sought = len(self._places)
        place = self._found.get((id(holder), key))
        if place is not None:
            self._texts[place] = new


def _renamed(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_renamed(value, names) for value in node]
    if not isinstance(node, dict):
        return node
    made: dict[str, Any] = {}
    numbers: dict[str, int] = {}
    for key, value in node.items():
        shown = str(names.get(key, key))
        new = shown
        number = numbers.get(shown, 1)
        while new in made or (new != key and new in node):
            number += 1
            new = f"{shown} {number}"
        numbers[shown] = number
        made[new] = _renamed(value, names)
    return made
