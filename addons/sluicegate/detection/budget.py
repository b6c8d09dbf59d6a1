"""The alert budget: how high a day's score must be, so that no more people are pointed to than somebody can look at.

Counted are days of people, each by its highest score. The line is drawn where, of the days so far, the share that the
operator allows lies above it (a streaming quantile), or one a week, so that few people are watched too. Proof is not
held against it.
"""

from __future__ import annotations

from array import array
from typing import Any

BINS = 121
"""Half points from 0 to 60 and more."""
LEAST = 10.0
"""No score below this is ever an alert, however quiet everybody is."""
_FADES = 0.98
"""What a day counts for, a day later: about the last 50 days do."""


class Budget:
    """How many days of people had which score."""

    __slots__ = ("_counts", "_days", "_line", "day")

    def __init__(self) -> None:
        self._counts = array("d", bytes(8 * BINS))
        self._days = 0.0
        """Days that were counted, fading as the counts do."""
        self.day = 0
        """The newest day of anybody."""
        self._line: tuple[float, float] | None = None
        """What was allowed, and the line, while nothing is counted."""

    def begin(self, day: int) -> None:
        """A person's day begins."""
        self._line = None
        if day > self.day:
            fade = _FADES ** min(day - self.day, 400)
            self._counts = array("d", [count * fade for count in self._counts])
            self._days = self._days * fade + 1.0
            self.day = day
        self._counts[0] += 1.0

    def rise(self, before: float, after: float) -> None:
        """A person's day has a higher score now."""
        old, new = _bin(before), _bin(after)
        if old != new:
            self._line = None
            self._counts[old] = max(0.0, self._counts[old] - 1.0)
            self._counts[new] += 1.0

    def line(self, per_thousand: float) -> float:
        """The score above which at most so many of 1,000 days lie."""
        if self._line is None or self._line[0] != per_thousand:
            self._line = per_thousand, self._drawn(per_thousand)
        return self._line[1]

    @property
    def stale(self) -> bool:
        """Whether the line has to be drawn anew."""
        return self._line is None

    def _drawn(self, per_thousand: float) -> float:
        allowed = max(sum(self._counts) * per_thousand / 1000, self._days / 7)
        above = 0.0
        for place in range(BINS - 1, int(LEAST * 2) - 1, -1):
            above += self._counts[place]
            if above > allowed:
                return (place + 1) / 2
        return LEAST

    def add(self, other: Budget, base: Budget) -> None:
        """Add what another has counted since `base`."""
        self._line = None
        for place in range(BINS):
            self._counts[place] = max(0.0, self._counts[place] + other._counts[place] - base._counts[place])
        self.day, self._days = max(self.day, other.day), max(self._days, other._days)

    def plain(self) -> list[Any]:
        """Plain values."""
        return [self.day, self._days, list(self._counts)]

    @classmethod
    def of(cls, value: Any) -> Budget:
        """From what `plain` gave. Raises ValueError."""
        budget = cls()
        try:
            day, days, counts = value
            budget.day, budget._days, budget._counts = int(day), float(days), array("d", map(float, counts))
        except (TypeError, OverflowError) as error:
            raise ValueError(f"not a budget: {error}") from None
        if len(budget._counts) != BINS:
            raise ValueError("cut off")
        return budget


def _bin(score: float) -> int:
    return min(BINS - 1, int(score * 2))
