"""Rows that do not name their columns: `{"columns": [...], "rows": [[...], ...]}` and its relatives.

Position says what a value is, so a list of columns beside the rows is believed only where it fits them; where it
does not, nothing is known, and the response is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sluicegate.masking.json_body import MAX_DEPTH, Unfit, parse
from sluicegate.masking.methods import Action
from sluicegate.masking.names import normal
from sluicegate.masking.owed import action_of
from sluicegate.rows import HEADER_KEYS, header_entries

ROW_KEYS = frozenset(("rows", "row", "data", "values", "rowset", "records", "record", "results", "result", "items"))
_LONGEST_NAME = 1024
_KEPT = 256
_LIST = re.compile(r"[^\s,;|]++(?: ?[,;|\t] ?[^\s,;|]++)+")
_BETWEEN = re.compile(r" ?[,;|\t] ?")


@dataclass(frozen=True, slots=True)
class Header:
    """A list of columns of which at least one owes a mask."""

    width: int
    owed: dict[int, tuple[str, Action]]
    """Position to the column's normal name and what it owes."""
    written: frozenset[str]
    """Everything in it that may be a name, as it is written."""

    def names(self, row: dict[str, Any]) -> bool:
        """Whether at least one key of the row is one of these columns."""
        return not self.written.isdisjoint(row) or not set(map(normal, row)).isdisjoint(map(normal, self.written))


class Headers:
    """Reads lists of columns for one set of masks; `owed` is column name in normal form to what it owes."""

    def __init__(self, owed: Mapping[str, Action]) -> None:
        self._owed = owed
        self._known: dict[tuple[str, ...], Header | None] = {}

    def read(self, value: Any) -> Header | None:
        """The list of columns in a member's value, if that is one and a column in it owes a mask."""
        if value.__class__ is list:
            with suppress(KeyError, TypeError):  # mostly a list of texts that was met before
                return self._known[tuple(value)]
        entries = header_entries(value)
        if entries is None or not isinstance(entries[0], str):
            return self._header([_texts(entry) for entry in entries]) if entries else None
        names = tuple(entries)
        known = self._known
        with suppress(KeyError):  # one look-up: a thread beside us may empty it at any time
            return known[names]
        header = self._header([[name] for name in names])
        if len(names) <= _KEPT:
            if len(known) >= _KEPT:
                known.clear()
            known[names] = header
        return header

    def beside(self, node: dict[str, Any]) -> Header | None:
        """What names the columns of the arrays of arrays among the members of an object: the lists beside them.

        None when nothing there names a column that owes a mask. Raises Unfit when two lists differ in length.
        """
        found: Header | None = None
        for value in node.values():  # an array of arrays is no list of columns itself
            header = self.read(value) if isinstance(value, list | dict) else None
            if header is None or found is None:
                found = found or header
                continue
            if found.width != header.width:
                raise Unfit("its columns are listed twice, and the lists differ")
            owed = dict(found.owed)
            for place, named in header.owed.items():
                owed[place] = min(named, owed.get(place, named), key=lambda pair: pair[1])
            found = Header(found.width, owed, found.written | header.written)
        return found

    def check_rows(self, node: dict[str, Any], member: str, taken: Collection[int] = ()) -> None:
        """Where `node[member]` names a column that owes a mask, rows beside it are objects with such names, or arrays.

        `taken` are the ids of what stands where rows were that are masked by themselves. Raises Unfit for rows that are
        bare values, and for objects with other names (`{"f": [{"v": ...}]}`).
        """
        header = self.read(node[member])
        if header is None:
            return
        for key, value in node.items():
            if key == member or key not in ROW_KEYS or value.__class__ is not list:
                continue
            strange = header.written.isdisjoint
            for row in value:
                if row.__class__ is dict:
                    if taken and row and all(id(value) in taken for value in row.values()):
                        continue
                    if row and strange(row) and not header.names(row):
                        raise Unfit("its rows do not use the names of its columns")
                elif row.__class__ is not list:
                    raise Unfit("its rows are neither objects nor arrays")

    def mentions(self, document: Any) -> bool:
        """Whether a string in the document, one inside a JSON string too, is the name of a column that owes a mask.

        Then an array of arrays somewhere else in it may hold that column.
        """
        texts = (text for text in _all_texts(document, 0) if len(text) <= _LONGEST_NAME)
        return any(normal(name) in self._owed for text in texts for name in _names(text))

    def _header(self, entries: list[list[str]]) -> Header | None:
        found = {}
        for place, texts in enumerate(entries):
            hits = [(normal(text), action) for text in texts if (action := self._owes(text)) is not None]
            if hits:
                found[place] = min(hits, key=lambda pair: pair[1])
        return Header(len(entries), found, frozenset(text for texts in entries for text in texts)) if found else None

    def _owes(self, text: str) -> Action | None:
        # A sentence, as in a description of a column, is no way to one.
        return self._owed.get(normal(text)) if " " in text else action_of(self._owed, text)


def _texts(entry: Any) -> list[str]:
    # Which member of `{"name": ..., "label": ..., "type": ...}` is the name, nobody knows: any of them counts.
    return [entry] if isinstance(entry, str) else [value for value in entry.values() if isinstance(value, str)]


def _names(text: str) -> Iterator[str]:
    """The text, and the names in it where it is a list of them (`id, ssn`)."""
    yield text
    if _LIST.fullmatch(text) is not None:
        yield from _BETWEEN.split(text)


def _places(node: dict[str, Any]) -> bool:
    """Whether an object says for each of its keys which place it has (`{"id": 0, "ssn": 1}`)."""
    places = node.values()
    return {int}.issuperset(map(type, places)) and sorted(places) in (
        list(range(len(node))),
        list(range(1, len(node) + 1)),
    )


def _all_texts(node: Any, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise Unfit("its JSON is nested too deeply")
    if isinstance(node, str):
        yield node
        if node.lstrip()[:1] in ("{", "["):
            try:
                inner = parse(node.encode())
            except Unfit:
                return
            yield from _all_texts(inner, depth + 1)
    elif isinstance(node, list):
        for value in node:
            yield from _all_texts(value, depth + 1)
    elif isinstance(node, dict):
        if node and _places(node):
            yield from node
        for key, value in node.items():
            if key in HEADER_KEYS and isinstance(value, dict):
                yield from value  # `{"columns": {"ssn": 2}}`
            yield from _all_texts(value, depth + 1)
