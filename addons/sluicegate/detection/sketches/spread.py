"""What a day's amount usually is, and how far it strays: a moving mean and mean distance, in logarithms.

Amounts (rows, bytes, refusals) are told by their factors, not by their differences: ten times as much is as far from
what is usual for somebody who takes ten rows as for somebody who takes a million.
"""

from __future__ import annotations

import math

SLOWEST = 0.04
"""The least weight that a new day has: about the last 50 days count."""
LEAST = 0.35
"""No habit is thought steadier than this (in natural logarithms): a factor of 1.4."""
WORTH = 3.2
"""Usual distances, below which nobody says a word about an amount."""
PRIOR_DAYS = 5.0
"""How many days the habit of the group counts for."""


class Spread:
    """Days, mean and mean distance of the logarithms."""

    __slots__ = ("days", "far", "mean")

    def __init__(self, days: int = 0, mean: float = 0.0, far: float = 0.0) -> None:
        self.days = days
        self.mean = mean
        self.far = far

    def learn(self, amount: float) -> None:
        """A whole day's amount."""
        value = math.log1p(max(amount, 0.0))
        self.days += 1
        weight = max(1.0 / self.days, SLOWEST)
        distance = abs(value - self.mean) if self.days > 1 else 0.0
        self.mean += weight * (value - self.mean)
        self.far += weight * (distance - self.far)

    def strays(self, amount: float, group: Spread) -> float:
        """How many times its usual distance an amount is above what is usual, with the group's habit as a start.

        Without any habit at all nothing strays.
        """
        own, prior = float(min(self.days, 50)), PRIOR_DAYS if group.days else 0.0
        if not own + prior:
            return 0.0
        mean, scale = self._usual(own, prior, group)
        return (math.log1p(max(amount, 0.0)) - mean) / scale

    def bound(self, group: Spread) -> float:
        """The amount below which nothing strays as far as `WORTH`. It stays until a day is learned, here or there."""
        own, prior = float(min(self.days, 50)), PRIOR_DAYS if group.days else 0.0
        if not own + prior:
            return math.inf
        mean, scale = self._usual(own, prior, group)
        # A little lower than it is: what lies at the bound is looked at exactly.
        return math.expm1(min(mean + WORTH * scale, 700.0)) * (1 - 1e-9)

    def _usual(self, own: float, prior: float, group: Spread) -> tuple[float, float]:
        total = own + prior
        mean = (own * self.mean + prior * group.mean) / total
        # Where own and group differ, that is distance too; it goes away as the own days grow.
        far = (own * self.far + prior * (group.far + abs(group.mean - self.mean) * (own > 0))) / total
        return mean, max(LEAST, 1.2533 * far)

    @property
    def packed(self) -> list[float]:
        """Plain values."""
        return [self.days, self.mean, self.far]

    @classmethod
    def unpacked(cls, value: object) -> Spread:
        """From what `packed` gave; anything else is no habit."""
        match value:
            case [int() as days, int() | float() as mean, int() | float() as far]:
                return cls(days, float(mean), float(far))
        return cls()
