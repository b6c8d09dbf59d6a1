"""What is known of one person: their habits, their day, and what has pointed to them. About 12 KB, packed."""

from __future__ import annotations

import zlib
from array import array
from typing import Any

import msgspec

from sluicegate.detection.covered import DATASETS, Covered, least
from sluicegate.detection.day import MEASURES, TIERED, Day
from sluicegate.detection.recent import Recent
from sluicegate.detection.rhythm import Rhythm
from sluicegate.detection.risk import KEPT, Point
from sluicegate.detection.runs import DATASETS as WALKED
from sluicegate.detection.runs import Runs
from sluicegate.detection.sketches.count_min import CountMin
from sluicegate.detection.sketches.hours import Hours, oddness
from sluicegate.detection.sketches.seen import Seen
from sluicegate.detection.sketches.spread import Spread
from sluicegate.detection.sketches.tiers import Tiers

VERSION = 2
NIGHTS = 64
"""Things that were asked for at odd hours last, that are remembered with the day."""
PLACES = 16
"""Places outside that were new, that are remembered with the day."""
_LARGEST = 1 << 20


class Habit:
    """One person. Changed by `learn` alone."""

    __slots__ = (
        "bounds", "covered", "day", "days", "first", "found", "hours", "last", "looked", "lost", "nights", "odd",
        "placed", "points", "recent", "repeats", "rhythm", "runs", "seen", "spreads", "steps", "tiers", "week",
    )  # fmt: skip

    def __init__(self) -> None:
        self.first = 0.0
        self.last = 0.0
        self.days = 0
        """Days on which something was done, before this one."""
        self.lost = 0.0
        """When it was seen that what had been kept of the person cannot be read; below 0 while nothing came from them
        since. 0 where nothing was lost."""
        self.week = 0
        self.hours = Hours()
        self.repeats = CountMin()
        self.tiers = {measure: Tiers() for measure in TIERED}
        self.recent = Recent()
        self.nights: dict[int, int] = {}
        """Keys of what was asked for at odd hours, with the last day, the newest last."""
        self.placed: dict[int, int] = {}
        """Keys of places outside that nobody had used before, with the day of the first use."""
        self.runs: dict[str, Runs] = {}
        """Walks, by dataset."""
        self.seen = Seen()
        self.spreads = {measure: Spread() for measure in MEASURES}
        self.covered: dict[str, Covered] = {}
        self.rhythm = Rhythm()
        self.steps = array("I", bytes(4 * 16))
        """How many days had each set of the four steps of a sequence."""
        self.day = Day()
        self.points: list[Point] = []
        self.found: dict[str, float] = {}
        """When each indicator was last found about the person."""
        self.odd: list[float] | None = None
        """How odd each hour of the week is, by the days before; found behind the first request of each day."""
        self.bounds: tuple[object, int, int, tuple[float, float, float, float, float, float]] | None = None
        """What was found of usual amounts (`indicators.amounts`), while nobody's day is learned. Not kept."""
        self.looked: dict[str, tuple[Any, ...]] = {}
        """By dataset, the columns and classes that were looked at last (`indicators.columns`). Not kept."""

    def warm(self, group: Hours | None) -> None:
        """Find how odd each hour is, before it is asked for. The first request of a day is held against the day before:
        this takes longer than a request may wait."""
        self.odd = oddness(self.hours.shares(group))

    def oddness(self, hour: int, group: Hours | None) -> float:
        """How odd an hour of the week is to this person, in bits; 0 where it is not."""
        if self.odd is None:
            if self.hours.usual(hour):
                return 0.0
            self.odd = oddness(self.hours.shares(group))
        return self.odd[hour]

    def coverage(self, dataset: str, day: int) -> Covered:
        """What was covered of a dataset; begun where nothing was."""
        found = self.covered.get(dataset)
        if found is None:
            if len(self.covered) >= DATASETS:
                # Not the oldest: a look at some others would hide how far somebody is with the one that matters.
                del self.covered[least(self.covered, day)]
            found = self.covered[dataset] = Covered()
        return found

    def walked(self, dataset: str) -> Runs:
        """The walks through a dataset; begun where there are none."""
        found = self.runs.pop(dataset, None)
        if found is None:
            if len(self.runs) >= WALKED:
                longest = {name: max([run.length for run in one.runs], default=0) for name, one in self.runs.items()}
                del self.runs[min(longest, key=longest.__getitem__)]
            found = Runs()
        self.runs[dataset] = found
        return found

    def again_tonight(self, thing: int, day: int) -> bool:
        """A thing was asked for at an odd hour. True where it was on a night before, too."""
        before = self.nights.pop(thing, day)
        if len(self.nights) >= NIGHTS:
            del self.nights[next(iter(self.nights))]
        self.nights[thing] = day
        return before < day

    def plain(self) -> list[Any]:
        """A copy in plain values, that may be packed on another thread."""
        return [
            VERSION,
            [self.first, self.last, self.days, self.week, self.lost],
            self.hours.packed,
            self.repeats.packed,
            {measure: tiers.packed for measure, tiers in self.tiers.items()},
            self.seen.packed,
            {measure: spread.packed for measure, spread in self.spreads.items()},
            {dataset: covered.packed for dataset, covered in self.covered.items()},
            self.rhythm.packed,
            list(self.steps),
            self.day.packed,
            [list(point) for point in self.points],
            dict(self.found),
            self.recent.packed,
            [list(self.nights.items()), list(self.placed.items())],
            {dataset: runs.packed for dataset, runs in self.runs.items()},
        ]

    @classmethod
    def of(cls, value: Any) -> Habit:
        """From what `plain` gave. Raises ValueError."""
        try:
            if value[0] != VERSION:
                raise ValueError("another version")
            _, numbers, hours, repeats, tiers, seen, spreads, covered, rhythm, steps, day, points, found, *more = value
            recent, (nights, placed), runs = more
            habit = cls()
            habit.first, habit.last = float(numbers[0]), float(numbers[1])
            habit.days, habit.week = int(numbers[2]), int(numbers[3])
            habit.lost = float(numbers[4]) if len(numbers) > 4 else 0.0
            habit.hours, habit.repeats, habit.seen = Hours(hours), CountMin(repeats), Seen(seen)
            habit.tiers |= {name: Tiers.unpacked(tiers.get(name)) for name in TIERED}
            habit.spreads |= {name: Spread.unpacked(spreads.get(name)) for name in MEASURES}
            habit.covered = {str(name): Covered.unpacked(one) for name, one in covered.items()}
            habit.rhythm = Rhythm.unpacked(rhythm)
            habit.steps = array("I", [*map(int, steps)][:16])
            habit.day = Day.unpacked(day)
            habit.points = [
                Point(str(name), str(about), int(number), float(at), float(score))
                for name, about, number, at, score in points[:KEPT]
            ]
            habit.found = {str(name): float(at) for name, at in found.items()}
            habit.recent = Recent.unpacked(recent)
            habit.nights = {int(thing): int(at) for thing, at in nights[-NIGHTS:]}
            habit.placed = {int(place): int(at) for place, at in placed[-PLACES:]}
            habit.runs = {str(name): Runs.unpacked(one) for name, one in runs.items()}
            if len(habit.steps) != 16 or len(habit.day.steps) != 4:
                raise ValueError("cut off")
        except (TypeError, AttributeError, IndexError, KeyError, OverflowError) as error:
            raise ValueError(f"not a habit: {error}") from None
        return habit


def pack(plain: list[Any]) -> bytes:
    """Plain values as they are kept."""
    return zlib.compress(msgspec.msgpack.encode(plain), 1)


def unpack(data: bytes) -> Any:
    """Plain values again. Raises ValueError."""
    reader = zlib.decompressobj()
    try:
        plain = reader.decompress(data, _LARGEST)
        if reader.unconsumed_tail or not reader.eof:
            raise ValueError("too large, or cut off")
        return msgspec.msgpack.decode(plain)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(str(error)) from None
