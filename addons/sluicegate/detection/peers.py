"""What is known of a group of people, or of everybody: the start for those whose own habits are not yet known.

A person's day is learned once, at its end, and only where nothing was found on it.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any, NamedTuple

from sluicegate.detection.covered import Covered, least
from sluicegate.detection.day import MEASURES, TIERED
from sluicegate.detection.recent import SIGNS
from sluicegate.detection.sketches.distinct import Distinct
from sluicegate.detection.sketches.hours import Hours
from sluicegate.detection.sketches.seen import Seen
from sluicegate.detection.sketches.spread import Spread
from sluicegate.detection.sketches.tiers import Tiers

VERSION = 2
_MANY = 20_000
"""Days of people after which counts of days are halved."""
ENOUGH = 5
"""People whom a group must have before it says what is usual."""
_DATASETS = 64
_COLUMNS = 1024


class Lesson(NamedTuple):
    """A person's day that is over, or a thing that was just done for the first time."""

    at: float
    person: int
    """Key of the person."""
    amounts: Mapping[str, float] = {}
    hours: tuple[int, ...] = ()
    tiers: Mapping[str, int] = {}
    """Amounts of what is nothing on most days; empty where this is no whole day."""
    signs: int = -1
    """What the day had of `recent.SIGNS`, as bits; -1 where this is no whole day."""
    columns: Mapping[str, tuple[str, ...]] = {}
    steps: int = -1
    """The set of steps, as bits; -1 where this is no whole day."""
    places: tuple[int, ...] = ()
    """Keys of destinations that were sent to."""
    chunks: tuple[tuple[str, int, int], ...] = ()
    """Dataset, key and day of chunks that were taken."""


class Peers:
    """A group. Changed by `learn` alone."""

    __slots__ = (
        "columns", "covered", "days", "first", "hours", "people", "places", "signs", "spreads", "steps", "tiers",
        "whole",
    )  # fmt: skip

    def __init__(self) -> None:
        self.first = 0.0
        """When the first thing was learned."""
        self.people = Distinct()
        self.hours = Hours()
        self.tiers = {measure: Tiers() for measure in TIERED}
        self.signs = [0.0] * len(SIGNS)
        """On how many days of people each sign was met,"""
        self.whole = 0.0
        """of so many."""
        self.spreads = {measure: Spread() for measure in MEASURES}
        self.columns: dict[str, dict[str, int]] = {}
        """By dataset, on how many days of people each column was received,"""
        self.days: dict[str, int] = {}
        """and on how many days of people anything was."""
        self.steps = array("I", bytes(4 * 16))
        self.places = Seen()
        self.covered: dict[str, Covered] = {}

    def learn(self, lesson: Lesson) -> None:
        """Take up a lesson."""
        if not self.first or lesson.at < self.first:
            self.first = lesson.at
        self.people.add(lesson.person)
        for hour in lesson.hours:
            self.hours.learn(hour)
        for measure, count in lesson.tiers.items():
            self.tiers[measure].learn(count, _MANY)
        if lesson.signs >= 0:
            self.whole += 1
            for sign in range(len(SIGNS)):
                self.signs[sign] += lesson.signs >> sign & 1
            if self.whole > _MANY:
                self.whole /= 2
                self.signs = [count / 2 for count in self.signs]
        for measure, amount in lesson.amounts.items():
            self.spreads[measure].learn(amount)
        for dataset, names in lesson.columns.items():
            if dataset not in self.days and len(self.days) >= _DATASETS:
                continue
            self.days[dataset] = self.days.get(dataset, 0) + 1
            known = self.columns.setdefault(dataset, {})
            for name in names:
                if name in known or len(known) < _COLUMNS:
                    known[name] = known.get(name, 0) + 1
        if lesson.steps >= 0:
            self.steps[lesson.steps] += 1
        for place in lesson.places:
            self.places.add(place)
        for dataset, chunk, day in lesson.chunks:
            covered = self.covered.get(dataset)
            if covered is None:
                if len(self.covered) >= _DATASETS:
                    del self.covered[least(self.covered, day)]
                covered = self.covered[dataset] = Covered()
            covered.add(chunk, day)

    def plain(self) -> list[Any]:
        """A copy in plain values."""
        return [
            VERSION,
            self.first,
            self.people.packed,
            self.hours.packed,
            {measure: tiers.packed for measure, tiers in self.tiers.items()},
            [self.whole, list(self.signs)],
            {measure: spread.packed for measure, spread in self.spreads.items()},
            {dataset: dict(known) for dataset, known in self.columns.items()},
            dict(self.days),
            list(self.steps),
            self.places.packed,
            {dataset: covered.packed for dataset, covered in self.covered.items()},
        ]

    @classmethod
    def of(cls, value: Any) -> Peers:
        """From what `plain` gave. Raises ValueError."""
        try:
            if value[0] != VERSION:
                raise ValueError("another version")
            _, first, people, hours, tiers, signs, spreads, columns, days, steps, places, covered = value
            peers = cls()
            peers.first = float(first)
            peers.people, peers.hours, peers.places = Distinct(people), Hours(hours), Seen(places)
            peers.steps = array("I", map(int, steps))
            peers.tiers |= {name: Tiers.unpacked(tiers.get(name)) for name in TIERED}
            peers.whole, peers.signs = float(signs[0]), [float(count) for count in signs[1]]
            peers.spreads |= {name: Spread.unpacked(spreads.get(name)) for name in MEASURES}
            peers.columns = {str(name): {str(c): int(n) for c, n in known.items()} for name, known in columns.items()}
            peers.days = {str(name): int(count) for name, count in days.items()}
            peers.covered = {str(name): Covered.unpacked(one) for name, one in covered.items()}
            if len(peers.signs) != len(SIGNS) or len(peers.steps) != 16:
                raise ValueError("cut off")
        except (TypeError, AttributeError, IndexError, KeyError, OverflowError) as error:
            raise ValueError(f"not a group's habit: {error}") from None
        return peers
