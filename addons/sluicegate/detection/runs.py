"""Walks through a dataset, chunk after chunk, also where other work lies between two steps, and over days.

A run is a stretch of chunk numbers of which each was taken. A few are remembered for each dataset; a chunk that lies
at one of their ends makes that one longer. Somebody who takes a dataset a little a day goes on where they ended, and
nearly nobody hits the end of yesterday's run twice in a row by accident.
"""

from __future__ import annotations

from typing import Any

KEPT = 8
"""Runs that are remembered of a dataset; of more, the shortest goes, and of equals the oldest."""
DATASETS = 4
LONGEST_DAYS = 14
"""A run on which nobody went on for so long is over."""
STEPS = 2
"""So many steps in a day make it one on which a run was taken up again."""


class Run:
    """One stretch."""

    __slots__ = ("begun", "day", "high", "low", "since", "today")

    def __init__(self, low: int, high: int, begun: int, day: int, since: int = 0, today: int = 0) -> None:
        self.low, self.high = low, high
        self.begun = begun
        """The day on which it began,"""
        self.day = day
        """and the last on which it grew;"""
        self.since = since
        """how many days it was taken up again,"""
        self.today = today
        """and the steps of that last day."""

    @property
    def length(self) -> int:
        """Chunks in it."""
        return self.high - self.low + 1


class Runs:
    """The runs of one dataset, the newest last."""

    __slots__ = ("runs",)

    def __init__(self) -> None:
        self.runs: list[Run] = []

    def step(self, number: int, day: int) -> Run:
        """A chunk was taken; the run that it belongs to now."""
        after, before = number + 1, number - 1
        for run in reversed(self.runs):
            if run.low <= after and before <= run.high:
                if number < run.low or number > run.high:
                    self._grow(run, number, day)
                return run
        run = Run(number, number, day, day, 0, 1)
        self.runs.append(run)
        if len(self.runs) > KEPT:
            self._forget(day)
        return run

    def _forget(self, day: int) -> None:
        least, at = 0, -1
        for place in range(len(self.runs) - 1):
            one = self.runs[place]
            if day - one.day > LONGEST_DAYS:
                at = place
                break
            length = one.high - one.low
            if at < 0 or length < least:
                least, at = length, place
        del self.runs[at]

    @staticmethod
    def _grow(run: Run, number: int, day: int) -> None:
        run.low, run.high = min(run.low, number), max(run.high, number)
        if day != run.day:
            run.day, run.today = day, 0
        run.today += 1
        if run.today == STEPS and run.begun != day:
            run.since += 1

    @property
    def packed(self) -> list[list[int]]:
        """Plain values."""
        return [[run.low, run.high, run.begun, run.day, run.since, run.today] for run in self.runs]

    @classmethod
    def unpacked(cls, value: Any) -> Runs:
        """From what `packed` gave. Raises TypeError, ValueError."""
        found = cls()
        found.runs = [Run(*map(int, one)) for one in value][-KEPT:]
        return found


def number_of(chunk: str) -> int:
    """The number in a chunk's name, the last one where there are several; -1 where there is none."""
    if chunk.isascii() and chunk.isdigit():
        return int(chunk) if len(chunk) <= 15 else -1
    digits = ""
    for letter in reversed(chunk):
        if not ("0" <= letter <= "9"):
            if digits:
                break
            continue
        digits = letter + digits
    return int(digits) if digits and len(digits) <= 15 else -1
