"""Which part of a dataset somebody has been through in the last 30 days: three summaries of ten days each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluicegate.detection.sketches.distinct import Distinct, together

SLICE_DAYS = 10
SLICES = 3
DATASETS = 4
"""Datasets that are followed for one person; of more, the one of which least was taken goes."""


class Covered:
    """Different chunks (or requests) of one dataset, by slices of ten days."""

    __slots__ = ("_late", "_whole", "slices", "until")

    def __init__(self) -> None:
        self.until = 0
        """The number of the newest slice."""
        self.slices: list[Distinct] = []
        """The newest last."""
        self._whole: Distinct | None = None
        """All slices together, once that was asked for,"""
        self._late: tuple[int, Distinct] | None = None
        """and those that are not over yet so many slices later, while nothing is added."""

    def add(self, key: int, day: int) -> bool:
        """A chunk was taken. True where it may be a new one."""
        number = day // SLICE_DAYS
        if not self.slices or number > self.until:
            gone = number - self.until if self.slices else 1
            self.slices = [*self.slices, *(Distinct() for _ in range(min(gone, SLICES)))][-SLICES:]
            self.until = number
            # What was put together for the days after it is what is left of it.
            self._whole = self._late[1] if self._late is not None and self._late[0] == gone else None
        self._late = None
        if self._whole is not None:
            self._whole.add(key)
        return self.slices[-1].add(key)

    def whole(self, day: int) -> Distinct:
        """What was met in the last 30 days. Not to be changed."""
        old = max(0, day // SLICE_DAYS - self.until)
        if old:
            if self._late is None or self._late[0] != old:
                self._late = old, Distinct().merge(self._left(old))
            return self._late[1]
        if self._whole is None:
            self._whole = Distinct().merge(self.slices)
        return self._whole

    def size(self, day: int) -> float:
        """How many different chunks were met in the last 30 days, about: without putting the slices together, where
        nobody has done so. Of many people this is all that is asked."""
        old = max(0, day // SLICE_DAYS - self.until)
        if not old:
            return self._whole.estimate if self._whole is not None else together(self.slices)
        if self._late is not None and self._late[0] == old:
            return self._late[1].estimate
        return together(self._left(old))

    def _left(self, old: int) -> list[Distinct]:
        """The slices that are not over yet, so many slices after the newest; there may be fewer than `SLICES`."""
        return self.slices[max(0, len(self.slices) - SLICES + old) :]

    @property
    def packed(self) -> list[Any]:
        """Plain values."""
        return [self.until, [one.packed for one in self.slices]]

    @classmethod
    def unpacked(cls, value: Any) -> Covered:
        """From what `packed` gave. Raises TypeError, ValueError."""
        found = cls()
        until, slices = value
        found.until = int(until)
        found.slices = [Distinct(one) for one in slices][-SLICES:]
        return found


def least(covered: Mapping[str, Covered], day: int) -> str:
    """The dataset of which least was met in the last 30 days; of equals, the one that came first."""
    return min(covered, key=lambda name: covered[name].size(day))
