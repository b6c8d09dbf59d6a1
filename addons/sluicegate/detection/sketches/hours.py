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

    __slots__ = ("counts", "total")

    def __init__(self, packed: bytes = b"") -> None:
        """From what `packed` gave; what has another size counts as nothing."""
        whole = len(packed) == HOURS * 4
        self.counts = array("f", packed if whole else bytes(HOURS * 4))
        if not all(math.isfinite(count) and count >= 0 for count in self.counts):
            self.counts = array("f", bytes(HOURS * 4))
        self.total = math.fsum(self.counts)

    def learn(self, hour: int) -> None:
        """One event. What was long ago is forgotten by and by."""
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
        prior = group.shares() if group is not None and group.total else [1 / HOURS] * HOURS
        smooth = _smoothed(self.counts)
        whole = self.total + PRIOR
        return [(count + PRIOR * before) / whole for count, before in zip(smooth, prior, strict=True)]

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
    around = [0.5 * counts[hour] + 0.25 * counts[hour - 1] + 0.25 * counts[(hour + 1) % HOURS] for hour in range(HOURS)]
    # A third of what is known of an hour is what is known of it on other days of its kind: habits are of the day, not
    # of the weekday alone.
    found = []
    for first, last in ((0, 5), (5, 7)):
        mean = [math.fsum(around[day * 24 + hour] for day in range(first, last)) / (last - first) for hour in range(24)]
        found += [around[day * 24 + hour] * 2 / 3 + mean[hour] / 3 for day in range(first, last) for hour in range(24)]
    return found
