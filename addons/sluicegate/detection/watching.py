"""Detection as a whole: takes events in their order and says what they add up to. Pure, but for what it remembers.

Live and out of a recording it is the same code on the same events, so what it finds is the same.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from sluicegate.detection import indicators
from sluicegate.detection.budget import Budget
from sluicegate.detection.day import MEASURES, TIMES, Day, local
from sluicegate.detection.event import RETRIED, UNCHANGED, Event, key
from sluicegate.detection.finding import Found, identity
from sluicegate.detection.habit import Habit
from sluicegate.detection.indicators.columns import CLASSES
from sluicegate.detection.indicators.complement import LEAST_SHARE, pairs_with
from sluicegate.detection.indicators.destinations import place_key, sends
from sluicegate.detection.indicators.sequence import SECONDS as STEPS_SECONDS
from sluicegate.detection.indicators.walk import step
from sluicegate.detection.look import Look, Signal
from sluicegate.detection.peers import ENOUGH, Lesson, Peers
from sluicegate.detection.risk import Point, risk, weighed, with_point
from sluicegate.detection.weighing import Weighing

EVERYBODY = "(everybody)"
PEOPLE = 20_000
"""People who are remembered; of more, the one who was seen longest ago is forgotten here (not in the database)."""
COMPARED = 2_000
"""People, those who were seen last, among whom somebody is looked for who complements another."""
GROUPS = 2_000
GROUPS_OF_ONE = 8
_NIGHT = 0x9E3779B97F4A7C15
"""Turns the key of a thing into the key of the same thing at odd hours."""

Taught = Callable[[str, Lesson], None]


class Watching:
    """Everybody's habits. Used on one thread."""

    def __init__(self, weighing: Weighing) -> None:
        self.weighing = weighing
        self.people: OrderedDict[str, Habit] = OrderedDict()
        self.groups: OrderedDict[str, Peers] = OrderedDict()
        self.budget = Budget()
        self.fetch: Callable[[str], Habit | None] = lambda person: None
        """Where people are looked for who are not here."""
        self.taught: Taught = lambda group, lesson: None
        """Is told of every lesson, so that it can be kept."""
        self._lessons: list[tuple[str, Lesson]] = []
        self._to_pair: list[tuple[str, str, int]] = []
        """People of whom it is to be found out whether somebody complements them: with the dataset and the day."""
        self._pairs_of: dict[tuple[str, str], int] = {}
        """When that was last done, once a day for each person and dataset."""
        self._paired: dict[str, list[Signal]] = {}
        """What came of it, until the person's next event."""
        self._again = False
        """Whether what is learned was learned before, on top of another state."""

    def habit(self, person: str) -> Habit | None:
        """What is known of a person."""
        found = self.people.get(person)
        if found is None:
            found = self.fetch(person)
            if found is not None:
                self.put(person, found)
        return found

    def put(self, person: str, habit: Habit) -> None:
        """Remember a person."""
        self.people[person] = habit
        if len(self.people) > PEOPLE:
            self.people.popitem(last=False)

    def peers(self, name: str) -> Peers:
        """What is known of a group."""
        found = self.groups.get(name)
        if found is None:
            found = self.groups[name] = Peers()
            if len(self.groups) > GROUPS:
                oldest = next(iter(self.groups))
                del self.groups[oldest if oldest != EVERYBODY else name]
        return found

    def before(self, person: str, at: float) -> tuple[float, frozenset[str]]:
        """A person's risk before a request, and the indicators that were found about them and have not faded.

        The risk is not a number where what was known of the person is lost: it could be anything, for a half-life.
        """
        habit = self.habit(person)
        if habit is None or not (habit.points or habit.found or habit.lost):
            return 0.0, _NONE
        half = self.weighing.half_life
        if habit.lost and (habit.lost < 0 or at - habit.lost < half):
            return math.nan, _NONE
        found = [name for name, when in habit.found.items() if at - when < half]
        return risk(habit.points, at, half), frozenset(found) if found else _NONE

    def after(self, event: Event, extra: tuple[Signal, ...] = ()) -> list[Found]:
        """An exchange ended: learn from it, and say what it adds up to. `extra` is what was seen elsewhere (taint)."""
        look = self._counted(event)
        for indicator in indicators.ALL:
            indicator(look)
        look.signals += extra
        if look.fresh and event.dataset is not None and look.habit.day.share >= LEAST_SHARE * 1000:
            self._pair(event.person, event.dataset, look.day)
        if self._paired:
            look.signals += self._paired.pop(event.person, ())
        return self._weighed(look) if look.signals else []

    def learn(self, event: Event) -> None:
        """Learn an event once more, on top of a newer state of the person. What was found and taught stays so."""
        self.settle()
        self._again = True
        try:
            look = self._counted(event)
            for indicator in indicators.ALL:
                indicator(look)
            for signal in look.signals:
                self._point(look, signal)
        finally:
            self._again = False
            self._lessons.clear()

    def group_of(self, groups: tuple[str, ...]) -> Peers:
        """The smallest group of a person that is large enough to say what is usual; else everybody."""
        best, size = None, 0.0
        for name in groups[:GROUPS_OF_ONE]:
            peers = self.groups.get(name)
            if peers is None:
                continue
            people = peers.people.estimate
            if people >= ENOUGH - 0.5 and (best is None or people < size):
                best, size = peers, people
        return best if best is not None else self.peers(EVERYBODY)

    def _counted(self, event: Event) -> Look:
        if self._lessons or self._to_pair:
            self.settle()
        habit = self.habit(event.person)
        if habit is None:
            habit = Habit()
            habit.first = event.at
            self.put(event.person, habit)
        elif self.people.get(event.person) is habit:
            self.people.move_to_end(event.person)
        day, hour = local(event.at, self.weighing.zone(event.person, event.groups))
        if day > habit.day.number:
            self._begin(habit, event, day)
        habit.last = max(habit.last, event.at)
        if habit.lost < 0:
            habit.lost = event.at
        weights, classes = self.weighing.of_dataset(event)
        look = Look(
            event, habit, self.group_of(event.groups), self.peers(EVERYBODY), habit.day.number, hour,
            self.weighing.on, weights, classes, self.weighing.job_columns(event),
        )  # fmt: skip
        if weights:
            look.weight = max([weights[name] for name in event.clear if name in weights], default=1.0)
        self._count(look)
        return look

    def _count(self, look: Look) -> None:
        event, habit = look.event, look.habit
        today = habit.day
        today.hours |= 1 << look.hour
        if event.refused:
            today.refusals += 1
            return
        clock = False
        keys: tuple[int, ...] = ()
        if event.chunks or event.rows:
            keys = event.keys()
            failed = event.status in RETRIED
            # Rhythms are those of requests: all chunks of one come together.
            clock = habit.rhythm.meet(keys[0], event.at, failed) or failed or event.status == UNCHANGED
        look.clock = clock
        if event.elsewhere:
            today.sent += event.sent
            if event.packed:
                today.unread += event.sent
        if sends(event) and event.destination:
            today.places.add(place_key(event.destination))
        if clock or not event.taken:
            return
        today.rows += event.rows
        today.bytes += event.size if not event.elsewhere else 0
        for subject in event.subjects:
            today.subjects.add(subject)
        if event.clear and event.rows:
            today.column(event.dataset or event.service, event.clear)
            if look.classes:
                today.column(CLASSES, tuple([look.classes[name] for name in event.clear if name in look.classes]))
        if event.elsewhere or not keys:
            return
        odd = habit.oddness(look.hour, look.group.hours) if habit.days else 0.0
        lessons = []
        covered = habit.coverage(event.dataset) if event.dataset is not None and event.chunks else None
        for one in keys:
            if odd:
                look.again = max(look.again, habit.repeats.add(one ^ _NIGHT))
            today.chunks.add(one)
            if covered is not None and event.dataset is not None and covered.add(one, look.day):
                look.fresh += 1
                lessons.append((event.dataset, one, look.day))
        today.night = max(today.night, look.again)
        if event.chunks:
            self._walk(look)
        if lessons:
            self._lessons.append((EVERYBODY, Lesson(event.at, key(event.person), chunks=tuple(lessons))))

    @staticmethod
    def _walk(look: Look) -> None:
        today, dataset = look.habit.day, look.event.dataset or look.event.service
        last, length = today.walks.get(dataset, (-1, 0))
        for chunk in look.event.chunks:
            last, length = step(last, length, chunk)
            today.walk = max(today.walk, length)
        if dataset in today.walks or len(today.walks) < 16:
            today.walks[dataset] = (last, length)

    def _begin(self, habit: Habit, event: Event, number: int) -> None:
        """A new day: the one before becomes habit, the person's and their groups', unless something was found on it."""
        before = habit.day
        if before.number:
            habit.days += 1
            if not before.loud:
                amounts = {measure: before.amount(measure) for measure in MEASURES}
                for measure, amount in amounts.items():
                    habit.spreads[measure].learn(amount)
                hours = tuple([hour for hour in range(168) if before.hours >> hour & 1])
                for hour in hours:
                    habit.hours.learn(hour)
                times = min(before.night.bit_length(), TIMES) - 1 if before.night else -1
                if times >= 0:
                    habit.times[times] += 1
                habit.steps[before.done] += 1
                columns = {name: tuple(sorted(columns)) for name, columns in before.columns.items()}
                lesson = Lesson(
                    event.at, key(event.person), amounts, hours, max(times, 0) if before.night else 0, columns,
                    before.done, tuple(sorted(before.places)),
                )  # fmt: skip
                for group in (EVERYBODY, *event.groups[:GROUPS_OF_ONE]):
                    self._lessons.append((group, lesson))
            elif before.places:
                # Found or not, the place is known from then on: else it would be news with each person who uses it.
                lesson = Lesson(event.at, key(event.person), places=tuple(sorted(before.places)))
                self._lessons += [(group, lesson) for group in (EVERYBODY, *event.groups[:GROUPS_OF_ONE])]
            if number // 7 != habit.week:
                habit.repeats.halve()
        habit.week = number // 7
        habit.odd = None
        steps = [at if event.at - at < STEPS_SECONDS else 0.0 for at in before.steps]
        habit.day = Day(number, steps=steps)
        if not self._again:
            self.budget.begin(number)

    def settle(self) -> None:
        """Teach the groups what waits. Nobody's answer depends on it, so it is best done between two events."""
        lessons, self._lessons = self._lessons, []
        for group, lesson in lessons:
            self.peers(group).learn(lesson)
            self.taught(group, lesson)
        wanted, self._to_pair = self._to_pair, []
        for person, dataset, day in wanted:
            self._find_pairs(person, dataset, day)

    def _pair(self, person: str, dataset: str, day: int) -> None:
        if "complement" in self.weighing.on and self._pairs_of.get((person, dataset)) != day:
            if len(self._pairs_of) >= PEOPLE:
                self._pairs_of.clear()
            self._pairs_of[person, dataset] = day
            self._to_pair.append((person, dataset, day))

    def _find_pairs(self, person: str, dataset: str, day: int) -> None:
        """Hold what one person has of a dataset against what others have. Takes milliseconds: between events only."""
        covered = {
            who: found.whole(day)
            for who, habit in list(self.people.items())[-COMPARED:]
            if (found := habit.covered.get(dataset)) is not None
        }
        of = self.peers(EVERYBODY).covered.get(dataset)
        if of is None or person not in covered:
            return
        for pair in pairs_with(person, covered, of.whole(day).estimate):
            other = pair.other.partition(" ")[2] or pair.other
            self._paired.setdefault(person, []).append(
                Signal(
                    "complement",
                    f"{dataset} {pair.other}"[:200],
                    pair.bits,
                    2.0,
                    f"took a part of {dataset} that hardly overlaps with that of {other}; together {pair.share:.0%}",
                    {
                        "dataset": dataset,
                        "other": other,
                        "together": f"{pair.share:.0%}",
                        "in common": f"about {pair.common:.0f}",
                        "by chance": f"{pair.expected:.0f}",
                    },
                )
            )

    @property
    def unsettled(self) -> bool:
        """Whether something waits."""
        return bool(self._lessons or self._to_pair)

    def _point(self, look: Look, signal: Signal) -> bool:
        """Put what an indicator said among the person's points. False where the day has it already."""
        habit = look.habit
        new = Point(signal.indicator, signal.about, look.day, look.event.at, signal.score)
        if not with_point(habit.points, new):
            return False
        score = weighed([one.score for one in habit.points if one.day == look.day])
        if not self._again:
            self.budget.rise(habit.day.score, score)
        habit.day.score = score
        return True

    def _weighed(self, look: Look) -> list[Found]:
        event, habit = look.event, look.habit
        told = self.weighing.settings.detection
        first = self.peers(EVERYBODY).first
        observing = not first or event.at - first < told.observe_days * 86_400
        line = self.budget.line(told.alerts_per_thousand)
        found = []
        for signal in look.signals:
            if observing and not signal.certain:
                continue
            if not self._point(look, signal) or not (signal.certain or habit.day.score > line):
                continue
            habit.found[signal.indicator] = event.at
            habit.day.loud = True
            found.append(
                Found(
                    identity(event.id, signal.indicator, signal.about),
                    event.at,
                    event.person,
                    event.name,
                    signal.indicator,
                    signal.detail,
                    dict(signal.evidence),
                    signal.score,
                    risk(habit.points, event.at, self.weighing.half_life),
                    signal.certain,
                    event.id,
                    event.service,
                    event.dataset or "",
                    "",
                    line,
                )
            )
        return found


_NONE: frozenset[str] = frozenset()
