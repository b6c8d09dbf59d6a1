"""On how many days an amount reached each power of two: for what is nothing on most days, and much on some.

A mean and a distance say little of such amounts (walks, refusals, the same thing again at night); how often it was so
much says it plainly.
"""

from __future__ import annotations

from array import array

TIERS = 12
"""Tier n is 2^n and more."""
_MOST = 200
"""Days after which all counts are halved, so that what was long ago counts for less."""


class Tiers:
    """Days by the highest power of two that the amount reached; days without it count too."""

    __slots__ = ("_days",)

    def __init__(self) -> None:
        self._days = array("d", bytes(8 * (TIERS + 1)))

    def learn(self, amount: int, most: int = _MOST) -> None:
        """A whole day's amount."""
        self._days[tier(amount)] += 1
        if self.days > most:
            self._days = array("d", [count / 2 for count in self._days])

    @property
    def days(self) -> float:
        """All days."""
        return sum(self._days)

    def like(self, amount: int) -> float:
        """Days on which it was about so much, or more."""
        return sum(self._days[tier(amount) :])

    @property
    def packed(self) -> list[float]:
        """Plain values."""
        return list(self._days)

    @classmethod
    def unpacked(cls, value: object) -> Tiers:
        """From what `packed` gave; what has another size counts as nothing."""
        found = cls()
        if isinstance(value, list) and len(value) == TIERS + 1:
            found._days = array("d", [max(0.0, float(count)) for count in value])
        return found


def tier(amount: int) -> int:
    """0 for nothing, else one more than the power of two that is reached."""
    return min(int(amount).bit_length(), TIERS)
