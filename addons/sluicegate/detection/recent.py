"""The last 14 days of somebody, kept apart from their habits.

What begins small and goes on becomes a habit before it adds up to anything, if each day is learned as usual when it is
over. So a day is usual only when two weeks lie behind it; until then it is what habits are compared with.
"""

from __future__ import annotations

from typing import Any, NamedTuple

SIGNS = ("night", "resumed", "tried", "exported", "placed")
"""What a day can have: the same thing again at odd hours as on a night before; a walk went on that had begun on an
earlier day; several things that were never refused before were refused; something was exported outside; something was
sent to a place that this person has used for two weeks at most, and that the group does not."""
NIGHT, RESUMED, TRIED, EXPORTED, PLACED = range(len(SIGNS))
KEPT = 14
"""Days with something in them,"""
LONGEST = 30
"""none of them longer ago than this."""
WINDOWS = (1, 3, 7, 14)
_FORGETS = 120.0
"""Own days after which all counts are halved."""


class Past(NamedTuple):
    """A day that is over, and not yet usual."""

    number: int
    signs: int
    """As bits."""
    hours: int
    """Hours of the week in which something was done, as bits."""
    loud: bool
    """Whether something was found on it: then it never becomes usual."""


class Recent:
    """The days that wait, oldest first, and on how many of those before each sign was met."""

    __slots__ = ("days", "known", "past")

    def __init__(self) -> None:
        self.past: list[Past] = []
        self.days = 0.0
        """Days that have become usual,"""
        self.known = [0.0] * len(SIGNS)
        """and those of them with each sign."""

    def over(self, day: Past, today: int) -> list[Past]:
        """A day is over. The days that are usual from now on."""
        self.past.append(day)
        done: list[Past] = []
        while self.past and (len(self.past) >= KEPT or today - self.past[0].number >= LONGEST):
            old = self.past.pop(0)
            if old.loud:
                continue
            done.append(old)
            self.days += 1
            for sign in range(len(SIGNS)):
                self.known[sign] += old.signs >> sign & 1
            if self.days > _FORGETS:
                self.days /= 2
                self.known = [count / 2 for count in self.known]
        return done

    def counts(self, sign: int) -> list[tuple[int, int]]:
        """On how many of the last days a sign was met, for longer and longer windows; today it was."""
        found, count = [], 1
        for days, past in enumerate([*reversed(self.past), None], 1):
            if days in WINDOWS or past is None:
                found.append((count, days))
            if past is not None:
                count += past.signs >> sign & 1
        return found

    @property
    def packed(self) -> list[Any]:
        """Plain values."""
        past = [[one.number, one.signs, hours_of(one.hours), one.loud] for one in self.past]
        return [self.days, list(self.known), past]

    @classmethod
    def unpacked(cls, value: Any) -> Recent:
        """From what `packed` gave. Raises TypeError, ValueError."""
        found = cls()
        days, known, past = value
        if len(known) != len(SIGNS):
            raise ValueError("cut off")
        found.days, found.known = float(days), [float(count) for count in known]
        found.past = [
            Past(int(number), int(signs), sum(1 << int(hour) % 168 for hour in {*hours}), bool(loud))
            for number, signs, hours, loud in past
        ][-KEPT:]
        return found


def hours_of(bits: int) -> list[int]:
    """The hours of the week that are set."""
    found = []
    while bits:
        lowest = bits & -bits
        found.append(lowest.bit_length() - 1)
        bits ^= lowest
    return found
