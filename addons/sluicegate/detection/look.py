"""What an indicator is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sluicegate.detection.event import Event
from sluicegate.detection.habit import Habit
from sluicegate.detection.peers import Peers
from sluicegate.detection.recent import KEPT
from sluicegate.detection.runs import Run
from sluicegate.detection.surprise import MOST, on_most_days, usual_days

LEAST = 6.0
"""Bits below which nothing is said: one event of 64 is that strange."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What an indicator says of an event."""

    indicator: str
    about: str
    """The dataset, destination or other thing; the same is counted once a day."""
    bits: float
    weight: float
    """1 to 3, for what was touched."""
    detail: str
    evidence: Mapping[str, str]
    certain: bool = False
    """Needs no habit, and is held against no budget."""
    what: int = 0
    """A number for the values that were found, where it is about values: the same values are the same number."""

    @property
    def score(self) -> float:
        """0 to 60."""
        return min(self.bits, MOST) * self.weight


@dataclass(slots=True)
class Look:
    """An event beside what is known. The event has been counted already."""

    event: Event
    habit: Habit
    group: Peers
    """The habit of the person's group, or of everybody where the group is too small."""
    everybody: Peers
    day: int
    hour: int
    """Of the week, in the person's time zone."""
    on: frozenset[str]
    """Indicators that are switched on."""
    weights: Mapping[str, float]
    """How much each column of the dataset weighs; those without a class are left out."""
    classes: Mapping[str, str]
    """Their classes."""
    job_columns: frozenset[str] | None
    """What the declared job may receive; None where none is declared, or it may receive all."""
    clock: bool = False
    """Whether a client tried again, or a clock asked: then it says nothing about the person."""
    place: str | None = None
    """The place outside that the event is about,"""
    sends: bool = False
    """and whether data goes there."""
    again: int = 0
    """How often what was asked for most was asked for at odd hours."""
    fresh: int = 0
    """Chunks that were not met before."""
    new_signs: list[int] = field(default_factory=list)
    """Signs (`recent.SIGNS`) that the day has since this event."""
    run: Run | None = None
    """The walk that was taken up again."""
    weight: float = 1.0
    """What the received columns weigh together."""
    signals: list[Signal] = field(default_factory=list)

    def met(self, sign: int) -> bool:
        """The day has a sign. True where that is news."""
        if self.habit.day.signs >> sign & 1:
            return False
        self.habit.day.signs |= 1 << sign
        self.new_signs.append(sign)
        return True

    def usual_days(self, sign: int) -> tuple[float, float]:
        """How usual it is that a day of this person has a sign: a Beta distribution."""
        recent, group = self.habit.recent, self.group
        return usual_days(recent.known[sign], recent.days, group.signs[sign], group.whole)

    def recurring(self, sign: int) -> tuple[float, int, int]:
        """Bits of the sign having been met today and on so many of the last days; with the number of both."""
        usual = self.usual_days(sign)
        return on_most_days(self.habit.recent.counts(sign), usual)

    def say(
        self,
        indicator: str,
        about: str,
        bits: float,
        detail: Callable[[], str],
        evidence: Callable[[], Mapping[str, str]],
        *,
        certain: bool = False,
        weight: float | None = None,
        recurs: bool = False,
    ) -> None:
        """Note what an indicator found, where it is on, strange enough, and more than it said today already.

        What `recurs` adds up over days: it is said again only where it is stronger than on the days before.
        """
        if bits < LEAST or indicator not in self.on:
            return
        weight = self.weight if weight is None else weight
        since, enough = self.day - KEPT if recurs else self.day, min(bits, MOST) * weight - 0.5
        for name, what, day, _, score in self.habit.points:
            today = day >= since and (recurs or day <= self.day)
            if today and score >= enough and name == indicator and what == about:
                return
        self.signals.append(Signal(indicator, about, bits, weight, detail(), evidence(), certain))
