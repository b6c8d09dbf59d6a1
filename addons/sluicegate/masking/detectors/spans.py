"""What the detectors find in one text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from sluicegate.mask_method import Detector


class Span(NamedTuple):
    """Where a value stands in a text, from start up to end."""

    start: int
    end: int
    detector: Detector


class Look(NamedTuple):
    """A text, and what is known of it."""

    text: str
    name: str = ""
    """The key or column that it stands under."""
    regions: tuple[str, ...] = ()
    kinds: frozenset[str] | None = None
    """Which kinds of a detector may be in it; None where nobody has looked."""

    def before(self, place: int, length: int = 48) -> str:
        """What stands in front of a place, with the name: words there say what a number is."""
        return f"{self.name} {self.text[max(0, place - length) : place]}".lower()

    def apart(self, start: int, end: int) -> bool:
        """Whether it is not the middle of a longer word, number, path or address."""
        left, right = self.text[max(0, start - 2) : start], self.text[end : end + 2]
        if left and (left[-1].isalnum() or left[-1] in "_\\" or (left[-1] in "-./:=+" and left[:-1].isdigit())):
            return False
        return not (right and (right[0].isalnum() or right[0] == "_" or (right[0] in "-./:" and right[1:].isdigit())))


Finder = Callable[[Look], Iterator[tuple[int, int]]]


def find(look: Look, finders: Iterable[tuple[Detector, Finder]]) -> list[Span]:
    """Everything that is found, in order; what overlaps is one span, of the first of them."""
    spans = sorted(Span(start, end, name) for name, finder in finders for start, end in finder(look))
    kept: list[Span] = []
    for span in spans:
        if kept and span.start < kept[-1].end:
            last = kept[-1]
            kept[-1] = Span(last.start, max(last.end, span.end), last.detector)
        else:
            kept.append(span)
    return kept
