"""Detectors on a list of which the elements come a few at a time: the last one waits for its neighbour.

What leaves is what would leave if all of them were here, except where a member that is cut in two is missing in the
rows between its parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluicegate.masking.content_walk import mask_content_of

if TYPE_CHECKING:
    from sluicegate.masking.content import Content, Counts

_LOOKED = 64
"""Texts of a column that say whether its values are texts with blanks, which may have been cut."""


class Neighbours:
    """One list; `name` is the key that it stands under."""

    def __init__(self, content: Content, counts: Counts, name: str = "") -> None:
        self._content = content
        self._counts = counts
        self._name = name
        self._held: list[Any] = []
        self._columns: tuple[Any, ...] | None = None
        """The members of the first row; nothing where elements are texts themselves."""
        self._elements = False
        self._looked: dict[Any, tuple[int, bool]] = {}

    def take(self, elements: list[Any]) -> list[Any]:
        """The next elements; those that may leave. Raises Unfit."""
        if not elements:
            return []
        if self._columns is None:
            self._elements = isinstance(elements[0], str)
            self._columns = tuple(elements[0]) if isinstance(elements[0], dict) else ()
        here = [*self._held, *elements]
        old = len(self._held)
        if self._elements:
            self._column(None, [(here, index) for index in range(len(here))], old)
        for key in self._columns:
            places = [(row, key) for row in here if isinstance(row, dict) and key in row]
            self._column(key, places, old if places and here and places[0][0] is here[0] else 0)
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
        texts = [holder[at] for holder, at in places]
        count, blanks = self._looked.get(key, (0, False))
        fresh = texts[old:][: max(0, _LOOKED - count)]
        blanks = blanks or any(type(text) is str and " " in text for text in fresh)
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
