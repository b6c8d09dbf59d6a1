"""Detectors on the pairs of a form, a few at a time: a value may go on in the next pair of its name, so that one waits.

A pair that is further away than `FAR` is no neighbour, in a form that is here as a whole neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluicegate.masking.content_walk import mask_content_of

if TYPE_CHECKING:
    from sluicegate.masking.content import Content, Counts

FAR = 16 << 10
"""Bytes of a form between a pair and its neighbour."""


class Pair:
    """One pair: its name, the document of one member that it is (masked by names), and where it is in the form."""

    __slots__ = ("after", "before", "blanks", "came", "end", "member", "name", "start")

    def __init__(self, name: str, member: Any, start: int, end: int) -> None:
        self.name = name
        self.member = member
        self.start = start
        self.end = end
        self.came = member.get(name) if isinstance(member, dict) else None
        """Its value, before its neighbours took something of it."""
        self.blanks = isinstance(self.came, str) and " " in self.came
        """Whether values of its name have blanks here: names and numbers have none, and texts that were cut do."""
        self.before: Pair | None = None
        self.after: Pair | None = None


class Pairs:
    """One form."""

    def __init__(self, content: Content, counts: Counts) -> None:
        self._content = content
        self._counts = counts
        self._held: list[Pair] = []
        self._last: dict[str, Pair] = {}
        """The last pair of each name, of those that wait."""

    def take(self, pairs: list[Pair], *, final: bool) -> list[Pair]:
        """The next pairs; those that may leave. Raises Unfit. `final`: no more come."""
        for pair in pairs:
            if isinstance(pair.came, str):
                self._join(pair)
        here = [*self._held, *pairs]
        done = len(here)
        if not final:
            done = next((place for place, pair in enumerate(here) if here[-1].end - pair.end <= FAR), done)
        ready, self._held = here[:done], here[done:]
        if not ready:
            return []
        self._look_across(ready)
        for pair in ready:
            if self._last.get(pair.name) is pair:
                del self._last[pair.name]
            if pair.after is not None:
                pair.after.before = None  # else all that has left would stay
        members = mask_content_of([pair.member for pair in ready], self._content, self._counts, apart=True)
        for pair, member in zip(ready, members, strict=True):
            pair.member = member
        return ready

    def _join(self, pair: Pair) -> None:
        before = self._last.get(pair.name)
        self._last[pair.name] = pair
        if before is None or pair.start - before.end > FAR:
            return
        before.after, pair.before = pair, before
        if not pair.blanks:
            pair.blanks = before.blanks
            return
        while before is not None and not before.blanks and pair.start - before.end <= FAR:
            before.blanks, before = True, before.before

    def _look_across(self, ready: list[Pair]) -> None:
        """Values that begin at the end of one pair and go on in the next of its name."""
        both = [(pair, pair.after) for pair in ready if pair.after is not None and pair.blanks]
        for place in self._content.cut([text for one, other in both for text in (one.came, other.came)]):
            if place % 2 == 0:  # else it is the border of two that are no neighbours
                one, other = both[place // 2]
                name = one.name
                one.member[name], other.member[name] = self._content.across(
                    one.member[name], other.member[name], self._counts
                )
