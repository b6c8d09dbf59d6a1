"""Looks for two people who complement each other: between events, since it takes longer than a request may wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sluicegate.detection.covered import Covered
from sluicegate.detection.habit import Habit
from sluicegate.detection.indicators.complement import pairs_with
from sluicegate.detection.look import Signal

PEOPLE = 20_000
"""People who are remembered; of more, the one who was seen longest ago is forgotten here (not in the database)."""
WEIGHT = 2.0


class Pairing:
    """Who is to be looked at, once a day for each person and dataset, and what came of it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, str, int]] = []
        self._done: dict[tuple[str, str], int] = {}
        self._found: dict[str, tuple[Signal, ...]] = {}

    def __bool__(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    def ask(self, person: str, dataset: str, day: int) -> None:
        """A person has a large part of a dataset."""
        if self._done.get((person, dataset)) != day:
            if len(self._done) >= PEOPLE:
                self._done.clear()
            self._done[person, dataset] = day
            self._waiting.append((person, dataset, day))

    def taken(self, person: str) -> tuple[Signal, ...]:
        """What was found about a person since their last event."""
        return self._found.pop(person, ()) if self._found else ()

    def settle(self, people: Iterable[tuple[str, Habit]], everybody: Mapping[str, Covered]) -> None:
        """Hold what one person has of a dataset against what others have."""
        wanted, self._waiting = self._waiting, []
        if not wanted:
            return
        people = list(people)
        for person, dataset, day in wanted:
            of = everybody.get(dataset)
            covered = {who: found for who, habit in people if (found := habit.covered.get(dataset)) is not None}
            if of is None or person not in covered:
                continue
            for pair in pairs_with(person, covered, day, of.size(day)):
                other = pair.other.partition(" ")[2] or pair.other
                signal = Signal(
                    "complement",
                    f"{dataset} {pair.other}"[:200],
                    pair.bits,
                    WEIGHT,
                    f"took a part of {dataset} that hardly overlaps with that of {other}; together {pair.share:.0%}",
                    {
                        "dataset": dataset,
                        "other": other,
                        "together": f"{pair.share:.0%}",
                        "in common": f"about {pair.common:.0f}",
                        "by chance": f"{pair.expected:.0f}",
                    },
                )
                self._found[person] = (*self._found.get(person, ()), signal)
