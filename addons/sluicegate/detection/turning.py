"""The turn of a day: what was done on it becomes habit, the person's and their groups', unless something was found."""

from __future__ import annotations

from typing import NamedTuple

from sluicegate.detection.day import MEASURES, TIERED, Day
from sluicegate.detection.event import Event, key
from sluicegate.detection.habit import Habit
from sluicegate.detection.indicators.sequence import SECONDS as STEPS_SECONDS
from sluicegate.detection.peers import Lesson
from sluicegate.detection.recent import KEPT, Past, hours_of


class Over(NamedTuple):
    """A day that is over, of which nothing has been learned yet."""

    habit: Habit
    day: Day
    usual: tuple[int, ...]
    """The hours, as bits, of days that become usual with it."""
    at: float
    person: str
    groups: tuple[str, ...]


def turn(habit: Habit, event: Event, number: int) -> Over:
    """A person's day `number` begins with an event. What is over is learned behind that (`learn`), since it takes
    longer than a request may wait."""
    before, usual = habit.day, tuple[int, ...]()
    if before.number:
        habit.days += 1
        if number // 7 != habit.week:
            habit.repeats.halve()
        usual = _recent(habit, before, number)
    habit.week = number // 7
    steps = [at if event.at - at < STEPS_SECONDS else 0.0 for at in before.steps]
    habit.day = Day(number, steps=steps)
    return Over(habit, before, usual, event.at, event.person, event.groups)


def learn(over: Over) -> Lesson | None:
    """A day becomes habit, unless something was found on it. What the person's groups learn, or None."""
    habit, day = over.habit, over.day
    for hours in over.usual:
        for hour in hours_of(hours):
            habit.hours.learn(hour)
    if not day.number:
        return None
    places = tuple(sorted(day.places))
    if day.loud:
        # Found or not, a place is known from then on: else it would be news with each person who uses it.
        return Lesson(over.at, key(over.person), places=places) if places else None
    amounts = {measure: day.amount(measure) for measure in MEASURES}
    for measure, amount in amounts.items():
        habit.spreads[measure].learn(amount)
    tiers = {measure: int(getattr(day, measure)) for measure in TIERED}
    for measure, count in tiers.items():
        habit.tiers[measure].learn(count)
    habit.steps[day.done] += 1
    columns = {name: tuple(sorted(columns)) for name, columns in day.columns.items()}
    return Lesson(
        over.at, key(over.person), amounts, tuple(hours_of(day.hours)), tiers, day.signs, columns, day.done, places
    )  # fmt: skip


def _recent(habit: Habit, before: Day, number: int) -> tuple[int, ...]:
    hours, usual = before.hours, []
    if habit.days <= KEPT and not before.loud:
        # Who is new has no habit yet that a day could be held against: when they work is learned at once.
        usual.append(hours)
        hours = 0
    usual += [day.hours for day in habit.recent.over(Past(before.number, before.signs, hours, before.loud), number)]
    return tuple(usual)
