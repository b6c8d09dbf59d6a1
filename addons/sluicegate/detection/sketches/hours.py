"""When somebody works: how often each of the 168 hours of a week was met, and how odd an hour therefore is."""

from __future__ import annotations

import math
from array import array

HOURS = 168
PRIOR = 20.0
"""For how many events the habit of the group counts."""
ODD = 0.01
"""The hours in which one event of a hundred falls, taken together, are odd."""
_MOST = 5000.0


class Hours:
    """Counts by hour of the week, Monday first, in the person's own time zone."""

    __slots__ = ("_alone", "counts", "total")

    def __init__(self, packed: bytes = b"") -> None:
        """From what `packed` gave; what has another size counts as nothing."""
        self._alone: list[float] | None = None
        """The shares without a group, once they were asked for."""
        if len(packed) != HOURS * 4:
            self.counts, self.total = array("f", bytes(HOURS * 4)), 0.0
            return
        self.counts = array("f", packed)
        if not all(math.isfinite(count) and count >= 0 for count in self.counts):
            self.counts = array("f", bytes(HOURS * 4))
        self.total = math.fsum(self.counts)

    def learn(self, hour: int) -> None:
        """One event. What was long ago is forgotten by and by."""
        self._alone = None
        self.counts[hour] += 1.0
        self.total += 1.0
        if self.total > _MOST:
            self.counts = array("f", [count / 2 for count in self.counts])
            self.total = math.fsum(self.counts)

    def usual(self, hour: int) -> bool:
        """Whether an hour is certainly not odd, by itself; a no says nothing."""
        around = 0.5 * self.counts[hour] + 0.25 * (self.counts[hour - 1] + self.counts[(hour + 1) % HOURS])
        return around * 2 / 3 >= ODD * (self.total + PRIOR)

    def shares(self, group: Hours | None = None) -> list[float]:
        """How likely each hour is, smoothed over its neighbours and over the days of its kind; they add up to 1."""
        if group is not None and group.total:
            return self._with(group.shares())
        if self._alone is None:
            self._alone = self._with([1 / HOURS] * HOURS)
        return self._alone

    def _with(self, prior: list[float]) -> list[float]:
        whole = self.total + PRIOR
        return [(count + PRIOR * before) / whole for count, before in zip(_smoothed(self.counts), prior, strict=True)]

    @property
    def packed(self) -> bytes:
        """Its bytes."""
        return self.counts.tobytes()


def oddness(shares: list[float]) -> list[float]:
    """For each hour the bits of surprise of an event in an hour that is as rare or rarer; 0 where it is not odd."""
    order = sorted(range(HOURS), key=shares.__getitem__)
    bits, mass, at = [0.0] * HOURS, 0.0, 0
    while at < HOURS:
        end = at
        while end < HOURS and shares[order[end]] <= shares[order[at]] * 1.000001:
            mass += shares[order[end]]
            end += 1
        if mass >= ODD:
            break
        for place in range(at, end):
            bits[order[place]] = -math.log2(max(mass, 1e-6))
        at = end
    return bits


def _smoothed(counts: array[float]) -> list[float]:
    plain = counts.tolist()
    before, behind = plain[-1:] + plain[:-1], plain[1:] + plain[:1]
    around = [0.5 * at + 0.25 * (one + other) for one, at, other in zip(before, plain, behind, strict=True)]
    # A third of what is known of an hour is what is known of it on other days of its kind: habits are of the day, not
    # of the weekday alone.
    working = [sum(around[hour:120:24]) / 15 for hour in range(24)] * 5
    free = [sum(around[hour::24]) / 6 for hour in range(120, 144)] * 2
    return [one * 2 / 3 + other for one, other in zip(around, working + free, strict=True)]
