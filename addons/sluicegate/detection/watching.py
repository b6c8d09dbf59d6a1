"""Detection as a whole: takes events in their order and says what they add up to. Pure, but for what it remembers.

Live and out of a recording it is the same code on the same events, so what it finds is the same.
"""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

from sluicegate.detection import indicators
from sluicegate.detection.budget import Budget
from sluicegate.detection.counting import count
from sluicegate.detection.covered import SLICE_DAYS
from sluicegate.detection.day import Day, local
from sluicegate.detection.event import Event, key
from sluicegate.detection.finding import Found, identity
from sluicegate.detection.habit import Habit
from sluicegate.detection.indicators.complement import LEAST_SHARE
from sluicegate.detection.look import Look, Signal
from sluicegate.detection.pairing import PEOPLE, Pairing
from sluicegate.detection.peers import ENOUGH, Lesson, Peers
from sluicegate.detection.pieces import together
from sluicegate.detection.risk import Point, risk, weighed, with_point
from sluicegate.detection.turning import Over, learn, turn
from sluicegate.detection.weighing import Weighing

EVERYBODY = "(everybody)"
COMPARED = 2_000
"""People, those who were seen last, among whom somebody is looked for who complements another."""
WARMED = 4
"""So many of them are looked at between two turns of the loop."""
SENDING = 1_000
"""People of whom it is remembered what they sent elsewhere and has not been answered."""
GROUPS = 2_000
GROUPS_OF_ONE = 8

Taught = Callable[[str, Lesson], None]


class Learned(NamedTuple):
    """An event as it was learned: what it takes to learn it once more, on top of what another gateway has written."""

    event: Event
    extra: tuple[Signal, ...] = ()
    """What was found in what was sent,"""
    paired: tuple[Signal, ...] = ()
    """and beside other people."""
    found: tuple[str, ...] = ()
    """The indicators that were found."""
    part: bool = False
    """Whether it is a message of a WebSocket, which counts at its end."""


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
        """Is told of every lesson, so that it can be kept,"""
        self.learned: Callable[[Learned], None] = lambda learned: None
        """and of every event."""
        self._lessons: list[tuple[str, Lesson]] = []
        self._sent: OrderedDict[str, Day] = OrderedDict()
        """What people sent today, of those who sent last: it is put together before a request goes."""
        self._pairing = Pairing()
        self._cold: deque[str] = deque(maxlen=COMPARED)
        """People of whom it may not be put together yet what they have of each dataset,"""
        self._slice = 0
        """for this slice of days (`covered.SLICE_DAYS`)."""
        self._over: list[Over] = []
        """Days of people that are over and not learned yet."""
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
        if habit.covered:
            self._cold.append(person)
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

    def ahead(self, person: str, groups: tuple[str, ...], at: float, extra: tuple[Signal, ...]) -> list[Signal]:
        """What is said of a request before it goes, by what was found in it: evidence by itself, and what will be found
        once it is put beside what the day's others sent, also those that are not answered yet. Nothing is learned."""
        habit = self.habit(person)
        number, _ = local(at, self.weighing.zone(person, groups))
        today, points = (habit.day, habit.points) if habit is not None else (Day(), list[Point]())
        number = max(number, today.number)
        sent = self._sent.pop(person, None)
        if sent is None or sent.number != number:
            sent = Day(number)
        self._sent[person] = sent
        if len(self._sent) > SENDING:
            self._sent.popitem(last=False)
        if today.number == number:
            for about, pieces in today.pieces.items():
                sent.pieces.setdefault(about, {}).update(pieces)
        said = []
        for one in extra:
            evidence = together(sent, 0, (one,))
            said += evidence if one.bits else [each for each in evidence if self._will_be_found(points, sent, each, at)]
        return said

    def _will_be_found(self, points: list[Point], today: Day, signal: Signal, at: float) -> bool:
        mine = [one for one in points if one.day == today.number]
        if self._observing(at) or not with_point(
            mine, Point(signal.indicator, signal.about, today.number, at, signal.score)
        ):
            return False
        return weighed([one.score for one in mine]) > self.budget.line(
            self.weighing.settings.detection.alerts_per_thousand
        )

    def after(self, event: Event, extra: tuple[Signal, ...] = (), *, part: bool = False) -> list[Found]:
        """An exchange ended: learn from it, and say what it adds up to. `extra` is what was seen elsewhere (taint).

        Of a `part` (a message of a WebSocket, which counts at its end) without evidence nothing is learned but what was
        found in it: with that of other requests it may be some.
        """
        look, paired = self._looked(event), self._pairing.taken(event.person)
        self._seen(look, extra, paired, part=part)
        found = self._weighed(look) if look.signals else []
        self.learned(Learned(event, extra, paired, tuple([one.indicator for one in found]), part))
        return found

    def learn(self, learned: Learned) -> list[Found]:
        """Learn an event once more, on top of a newer state of the person. What was found and taught stays so; what it
        adds up to only with what the other saw is found now."""
        self.settle()
        self._again = True
        try:
            look = self._looked(learned.event)
            self._seen(look, learned.extra, learned.paired, part=learned.part)
            found = self._weighed(look)
            for indicator in learned.found:
                self._note(look, indicator)
            return found
        finally:
            self._lessons.clear()
            self.settle()
            self._again = False

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

    def _seen(self, look: Look, extra: tuple[Signal, ...], paired: tuple[Signal, ...], *, part: bool) -> None:
        """Count an event, and put together all that is said of it."""
        event = look.event
        asked = key(event.service, event.method, event.target, event.asked) if extra else 0
        sent = together(look.habit.day, asked, extra) if extra else []
        if sent or not part:
            lesson = count(look)
            if lesson is not None:
                self._lessons.append((EVERYBODY, lesson))
            for indicator in indicators.ALL:
                indicator(look)
            large = look.fresh and look.habit.day.share >= LEAST_SHARE * 1000
            if large and event.dataset is not None and "complement" in self.weighing.on:
                self._pairing.ask(event.person, event.dataset, look.day)
        look.signals += sent
        look.signals += paired

    def _looked(self, event: Event) -> Look:
        """An event beside what is known; not counted yet. The person's day has turned where it is the first of one."""
        if self.unsettled:
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
            self._turn(habit, event, day)
        habit.last = max(habit.last, event.at)
        if habit.lost < 0:
            habit.lost = event.at
        weights, classes = self.weighing.of_dataset(event)
        look = Look(
            event, habit, self.group_of(event.groups), self.peers(EVERYBODY), habit.day.number, hour,
            self.weighing.on, weights, classes, self.weighing.job_columns(event),
        )  # fmt: skip
        if weights and event.clear:
            look.weight = self.weighing.weight(event)
        return look

    def _turn(self, habit: Habit, event: Event, day: int) -> None:
        if day // SLICE_DAYS > self._slice:
            self._slice = day // SLICE_DAYS
            self._cold.extend(itertools.islice(self.people, max(0, len(self.people) - COMPARED), None))
        self._over.append(turn(habit, event, day))
        if not self._again:
            self.budget.begin(day)

    def settle(self) -> None:
        """Learn what is over, teach the groups, look for pairs: between two events, since it takes longer than one."""
        over, self._over = self._over, []
        for one in over:
            lesson = learn(one)
            if lesson is not None and not self._again:
                self._lessons += [(group, lesson) for group in (EVERYBODY, *one.groups[:GROUPS_OF_ONE])]
        lessons, self._lessons = self._lessons, []
        for group, lesson in lessons:
            self.peers(group).learn(lesson)
            self.taught(group, lesson)
        if self._pairing:
            people = itertools.islice(reversed(self.people.items()), COMPARED)
            self._pairing.settle(people, self.peers(EVERYBODY).covered)
        for one in over:
            one.habit.warm(self.group_of(one.groups).hours)
        self.budget.line(self.weighing.settings.detection.alerts_per_thousand)

    def warm(self) -> bool:
        """Put together what some people have of each dataset, before somebody is compared with them: it changes no
        outcome, and would take long for all at once. True where more are left, so call it again, behind requests."""
        for _ in range(min(WARMED, len(self._cold))):
            habit = self.people.get(self._cold.popleft())
            if habit is not None:
                for covered in habit.covered.values():
                    covered.whole(self._slice * SLICE_DAYS)
        return bool(self._cold)

    @property
    def cold(self) -> bool:
        """Whether `warm` has something to do."""
        return bool(self._cold)

    @property
    def unsettled(self) -> bool:
        """Whether something waits."""
        return bool(self._lessons or self._over or self._pairing or self.budget.stale)

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

    @staticmethod
    def _note(look: Look, indicator: str) -> None:
        """An indicator was found about the person."""
        found, at = look.habit.found, look.event.at
        found[indicator] = max(found.get(indicator, at), at)
        look.habit.day.loud = True

    def _observing(self, at: float) -> bool:
        first = self.peers(EVERYBODY).first
        return not first or at - first < self.weighing.settings.detection.observe_days * 86_400

    def _weighed(self, look: Look) -> list[Found]:
        event, habit = look.event, look.habit
        told = self.weighing.settings.detection
        observing = self._observing(event.at)
        line = self.budget.line(told.alerts_per_thousand)
        found = []
        for signal in look.signals:
            if observing and not signal.certain:
                continue
            if not self._point(look, signal) or not (signal.certain or habit.day.score > line):
                continue
            self._note(look, signal.indicator)
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
