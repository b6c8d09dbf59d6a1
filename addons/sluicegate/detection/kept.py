"""Habits in the database, so that a restart forgets nobody's and several gateways share them. Written behind requests.

A state is written with its version. Where another gateway has written since, its state is taken, and what was seen
here in the meantime is learned anew on top of it: so nothing that any of them saw is lost or counted twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.detection import habit_rows
from sluicegate.detection.budget import Budget
from sluicegate.detection.finding import Found
from sluicegate.detection.habit import Habit, unpack
from sluicegate.detection.habit_rows import BATCH, BUDGET, GROUP, PERSON, Row
from sluicegate.detection.peers import Lesson, Peers
from sluicegate.detection.watching import Learned, Watching
from sluicegate.errors import Fault

logger = logging.getLogger(__name__)

SECONDS = 5.0
"""How long something learned may be in memory alone. How often is not policy, so this is the machine's time."""
LOOK_SECONDS = 0.5
"""How long what others wrote is not known here. What was found is written at once."""
LATE = 60.0
"""After so many seconds in which nothing can be written or read, nobody's risk is known any more: other gateways may
have found what is not known here."""
WAITING = 200_000
"""Events that wait for the database at most; of more, what is oldest is not learned by others."""
_OVERLAP = 120.0
"""Seconds that a write may take until others see it."""


class Kept:
    """Loads what is known, writes what changed, and takes up what others wrote."""

    def __init__(
        self,
        watching: Watching,
        database: Database,
        clock: Clock,
        store: Callable[[list[Found]], Awaitable[None]] | None = None,
    ) -> None:
        """`store` writes findings down."""
        self._watching = watching
        self._store_found = store
        self._database = database
        self._clock = clock
        self._versions: dict[str, int] = {}
        self._packed: dict[str, bytes] = {}
        """People who were loaded and not looked at yet."""
        self._events: dict[str, list[Learned]] = {}
        self._lessons: dict[str, list[Lesson]] = {}
        self._lately: set[str] = set()
        """People who came here since others' states were taken up last."""
        self._urgent: set[str] = set()
        """People of whom something was found here, or who are here while another wrote of them."""
        self._hurry = asyncio.Event()
        self._count = 0
        self._base = Budget().plain()
        self._newest = 0.0
        """When the newest state was written that has been looked at, by the clock of whoever wrote it."""
        self.unwritten: dict[str, list[Found]] = {}
        """Findings by person that are not in the database yet: it could not be written, or what was seen here and by
        another gateway adds up to them. What is found is said once, so nobody else would write them."""
        self._task: asyncio.Task[None] | None = None
        self._lacking: dict[str, float] = {}
        """Since when habits cannot be written, or looked at; empty while they can."""
        self._late = False
        """Whether that is too long, whatever became of the clock meanwhile."""
        watching.fetch = self._fetch
        watching.taught = self._taught
        watching.learned = self.note

    async def open(self) -> None:
        """Load, and begin to write. Raises Fault."""
        try:
            self._newest, rows = await self._database.read(habit_rows.load)
        except (SQLAlchemyError, TimeoutError):
            raise Fault(
                "What people usually do cannot be read from the database, so nobody would be watched."
            ) from None
        for row in rows:
            self._take(row)
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="detection")

    async def close(self) -> None:
        """Write what is left."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        for _ in range(3):  # a conflict is written in the next round
            await self.write()

    def note(self, learned: Learned) -> None:
        """An event was learned, and is to be kept."""
        if self._count >= WAITING:
            return
        person = learned.event.person
        self._events.setdefault(person, []).append(learned)
        self._lately.add(person)
        self._count += 1
        if learned.found:
            self._urgent.add(person)
            self._hurry.set()

    @property
    def lost(self) -> bool:
        """Whether what is known here may not be what is known: it has not been shared for too long."""
        if self._lacking and self._clock.now() - min(self._lacking.values()) > LATE:
            self._late = True
        return self._late

    async def write(self) -> None:
        """Write what changed, and take up what others wrote. What cannot be written stays and is tried again."""
        await self._tried("write", self._write)

    async def look(self) -> None:
        """Write what is urgent, and take up what others wrote."""
        await self._tried("look", self._look)

    async def _tried(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception:  # whatever the database does: what is in memory goes on
            if not self._lacking:
                logger.exception(
                    "habits cannot be written to the database, or read; a restart would forget what is new, and in "
                    "%.0f seconds nobody's risk counts as known any more",
                    LATE,
                )
            now = self._clock.now()
            self._lacking[what] = min(self._lacking.get(what, now), now)  # a clock that was set back is no more time
        else:
            before = bool(self._lacking)
            self._lacking.pop(what, None)
            if what == "write":  # it looks as well
                self._lacking.clear()
            if before and not self._lacking:
                self._late = False
                logger.warning("habits are written to the database again")

    async def _write(self) -> None:
        self._watching.settle()
        people = list(self._events)
        for at in range(0, len(people), BATCH):
            await self._write_people(people[at : at + BATCH])
        await self._write_found()
        await self._write_groups(list(self._lessons))
        await self.refresh()

    async def _look(self) -> None:
        await self.refresh()
        people, self._urgent = sorted(self._urgent), set()
        if people:
            await self._write_people([person for person in people if person in self._events][:BATCH])
            await self._write_found()

    async def refresh(self) -> None:
        """Take up what other gateways wrote of people and groups of whom nothing waits here."""
        since, known = self._newest - _OVERLAP, dict(self._versions)
        newest, rows = await self._database.read(partial(habit_rows.changed, since=since, known=known))
        self._newest = max(self._newest, newest)
        lately, self._lately = self._lately, set()
        for row in rows:
            person = row.name[len(PERSON) :]
            if row.name.startswith(PERSON) and person in self._events:
                self._urgent.add(person)
                continue
            waits = row.name[len(GROUP) :] in self._lessons
            if not waits and row.name != BUDGET:
                self._take(row)
                if person in lately:  # who comes to this gateway too does not wait for their state to be unpacked
                    self._watching.habit(person)
                await asyncio.sleep(0)

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            until = loop.time() + SECONDS
            while (left := until - loop.time()) > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), min(left, LOOK_SECONDS))
                self._hurry.clear()
                await self.look()
            await self.write()

    async def _write_people(self, people: list[str]) -> None:
        taken: dict[str, list[Learned]] = {}
        states: dict[str, list[Any]] = {}
        try:
            for person in people:
                # What waits and the state that has it are taken at once; between two people, requests come first.
                if self._watching.unsettled:
                    self._watching.settle()
                taken[person] = self._events.pop(person, [])
                self._count -= len(taken[person])
                habit = self._watching.people.get(person)
                if habit is not None:
                    states[PERSON + person] = habit.plain()
                await asyncio.sleep(0)
            newer = await self._store(states)
        except BaseException:
            for person, events in taken.items():
                self._events[person] = events + self._events.get(person, [])
                self._count += len(events)
            raise
        for row in newer:
            person = row.name[len(PERSON) :]
            again = taken[person] + self._events.get(person, [])
            self._take(row)
            for learned in again:
                self.owe(self._watching.learn(learned))
            self._count += len(taken[person])
            self._events[person] = again
            if any(learned.found for learned in again):
                self._urgent.add(person)
                self._hurry.set()

    def owe(self, found: Iterable[Found]) -> None:
        """Findings are to be written as soon as they can be."""
        for one in found:
            mine = self.unwritten.setdefault(one.person, [])
            if one.id not in {other.id for other in mine}:
                mine.append(one)

    def paid(self, found: Iterable[Found]) -> None:
        """Findings are in the database."""
        for one in found:
            mine = [other for other in self.unwritten.pop(one.person, ()) if other.id != one.id]
            if mine:
                self.unwritten[one.person] = mine

    async def _write_found(self) -> None:
        found = [one for several in self.unwritten.values() for one in several]
        if found and self._store_found is not None:
            await self._store_found(found)

    async def _write_groups(self, groups: list[str]) -> None:
        if not groups:
            return
        taken = {group: self._lessons.pop(group) for group in groups}
        states: dict[str, list[Any]] = {GROUP + group: self._watching.peers(group).plain() for group in groups}
        budget = self._watching.budget.plain()
        try:
            newer = await self._store({**states, BUDGET: budget})
        except BaseException:
            for group, lessons in taken.items():
                self._lessons[group] = lessons + self._lessons.get(group, [])
            raise
        if not any(row.name == BUDGET for row in newer):
            self._base = budget
        for row in newer:
            if row.name == BUDGET:
                self._merge_budget(row)
                continue
            group = row.name[len(GROUP) :]
            again = taken[group] + self._lessons.get(group, [])
            self._take(row)
            for lesson in again:
                self._watching.peers(group).learn(lesson)
            self._lessons[group] = again

    async def _store(self, states: dict[str, list[Any]]) -> list[Row]:
        """Write states; those that somebody else has written since come back instead."""
        known = {name: self._versions.get(name, 0) for name in states}
        newer = await self._database.run(partial(habit_rows.store, states=states, known=known, now=self._clock.now()))
        ahead = {row.name for row in newer}
        self._versions |= {name: version + 1 for name, version in known.items() if name not in ahead}
        return newer

    def _merge_budget(self, row: Row) -> None:
        try:
            theirs = Budget.of(unpack(row.state))
        except ValueError:
            theirs = Budget()
        theirs.add(self._watching.budget, Budget.of(self._base))
        self._base = Budget.of(unpack(row.state)).plain()
        self._watching.budget = theirs
        self._versions[BUDGET] = row.version

    def _take(self, row: Row) -> None:
        """Put a state in the place of what is here. One that cannot be read counts as nothing known, and is said."""
        self._versions[row.name] = row.version
        try:
            if row.name.startswith(PERSON):
                self._packed[row.name[len(PERSON) :]] = row.state
                self._watching.people.pop(row.name[len(PERSON) :], None)
            elif row.name.startswith(GROUP):
                self._watching.groups[row.name[len(GROUP) :]] = Peers.of(unpack(row.state))
            elif row.name == BUDGET:
                self._watching.budget = Budget.of(unpack(row.state))
                self._base = self._watching.budget.plain()
        except ValueError as error:
            logger.error("what is kept of %s cannot be read (%s); it is learned anew", row.name, error)

    def _fetch(self, person: str) -> Habit | None:
        state = self._packed.pop(person, None)
        if state is None:
            return None
        try:
            return Habit.of(unpack(state))
        except ValueError as error:
            logger.error(
                "what is kept of %s cannot be read (%s); until it would have faded, their risk is not known",
                person,
                error,
            )
            lost = Habit()
            lost.lost = -1.0
            return lost

    def _taught(self, group: str, lesson: Lesson) -> None:
        self._lessons.setdefault(group, []).append(lesson)
