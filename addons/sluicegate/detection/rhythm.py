"""The last 200 things that a person asked for, exactly: how often each comes, and whether a clock asks for it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

KEPT = 200
STEADY = 0.1
"""Gaps between requests whose deviation is less than this share of their mean are those of a clock."""
LEAST = 8
"""So many gaps are needed to say so,"""
KNOWN_SECONDS = 7 * 86_400.0
"""and the thing must have been asked for since so long: a clock that was started today is news, not habit."""
RETRY_SECONDS = 60.0


class Met(NamedTuple):
    """One thing: when it was first and last asked for, the gaps between, and whether the last try had failed."""

    first: float
    last: float
    gaps: int
    mean: float
    spread: float
    """Sum of the squared distances of the gaps from their mean."""
    failed: bool


class Rhythm:
    """Things by key, the one that was met last at the end."""

    __slots__ = ("_met",)

    def __init__(self) -> None:
        self._met: OrderedDict[int, Met] = OrderedDict()

    def meet(self, key: int, at: float, failed: bool) -> bool:
        """A thing was asked for. True where that says nothing about a person, since a known clock asks.

        A try again is no beat of a clock; what it brings counts, since the failed one brought nothing.
        """
        met = self._met.get(key)
        if met is None:
            if len(self._met) >= KEPT:
                self._met.popitem(last=False)
            self._met[key] = Met(at, at, 0, 0.0, 0.0, failed)
            return False
        gap = max(0.0, at - met.last)
        again = met.failed and gap <= RETRY_SECONDS
        gaps, mean, spread = met.gaps, met.mean, met.spread
        if not again:
            gaps = min(gaps + 1, 64)
            distance = gap - mean
            mean += distance / gaps
            spread = spread * (gaps - 1) / gaps if gaps == 64 else spread
            spread += distance * (gap - mean)
        self._met[key] = met = Met(met.first, at, gaps, mean, spread, failed)
        self._met.move_to_end(key)
        return gaps >= LEAST and self._steady(met)

    @staticmethod
    def _steady(met: Met) -> bool:
        if met.gaps < LEAST or met.last - met.first < KNOWN_SECONDS or met.mean <= 0:
            return False
        return met.spread / met.gaps < (STEADY * met.mean) ** 2

    @property
    def packed(self) -> list[list[Any]]:
        """Plain values."""
        return [[key, *met] for key, met in self._met.items()]

    @classmethod
    def unpacked(cls, value: Any) -> Rhythm:
        """From what `packed` gave. Raises TypeError, ValueError."""
        found = cls()
        for key, first, last, gaps, mean, spread, failed in value[-KEPT:]:
            found._met[int(key)] = Met(float(first), float(last), int(gaps), float(mean), float(spread), bool(failed))
        return found
