"""Detectors on a list of which the elements come a few at a time: the last one waits for its neighbour.

What leaves is what would leave if all of them were here, except where a member that is cut in two is missing in the
rows between its parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluicegate.masking.content_proof import LOOKED, columns_of
from sluicegate.masking.content_walk import mask_content_of

if TYPE_CHECKING:
    from sluicegate.masking.content import Content, Counts

_KEPT = 4096
"""Columns of which that is known; of those beyond, each is looked at."""


class Neighbours:
    """One list; `name` is the key that it stands under."""

    def __init__(self, content: Content, counts: Counts, name: str = "") -> None:
        self._content = content
        self._counts = counts
        self._name = name
        self._held: list[Any] = []
        self._looked: dict[Any, tuple[int, bool]] = {}

    def take(self, elements: list[Any]) -> list[Any]:
        """The next elements; those that may leave. Raises Unfit."""
        if not elements:
            return []
        here = [*self._held, *elements]
        first = self._held[0] if self._held else None
        if str in map(type, here):
            self._column(None, [(here, index) for index in range(len(here))], len(self._held))
        for key, rows in columns_of(here):
            # A place of arrays and a key of objects may have the same name.
            column = type(rows[0]), key
            self._column(column, [(row, key) for row in rows], 1 if rows[0] is first else 0)
        self._held = here[-1:]
        return self._looked_at(here[:-1])

    def end(self) -> list[Any]:
        """No more elements come; those that had to wait."""
        held, self._held = self._held, []
        return self._looked_at(held)

    def _looked_at(self, elements: list[Any]) -> list[Any]:
        if not elements:
            return []
        return list(mask_content_of(elements, self._content, self._counts, self._name, apart=True))

    def _column(self, key: Any, places: list[tuple[Any, Any]], old: int) -> None:
        """`old`: how many of them were looked at for blanks before."""
        texts = [holder[at] for holder, at in places]
        count, blanks = self._looked.get(key, (0, len(self._looked) >= _KEPT))
        if not blanks and count < LOOKED:
            fresh = [text for text in texts[old:] if type(text) is str and text][: LOOKED - count]
            blanks = any(" " in text for text in fresh)
            self._looked[key] = count + len(fresh), blanks
        if not blanks:
            return
        for place in self._content.cut(texts):
            one, other = self._content.across(texts[place], texts[place + 1], self._counts)
            if one is not texts[place]:
                for at, new in ((place, one), (place + 1, other)):
                    texts[at] = new
                    holder, where = places[at]
                    holder[where] = new
