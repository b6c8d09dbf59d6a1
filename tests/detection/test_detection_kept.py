"""Habits in the database: a restart forgets nothing, two gateways add up, and a database that fails stops nobody."""

from __future__ import annotations

import asyncio
import math

import pytest
from sqlalchemy import select, update

from sluicegate.clock import SetClock
from sluicegate.database import Database
from sluicegate.database.tables import habits
from sluicegate.detection.kept import LATE, Kept
from sluicegate.detection.look import Signal
from sluicegate.detection.watching import EVERYBODY
from tests.databases import with_tables
from tests.detection.organisation import ADA, DAY, MONDAY, PEOPLE, Office


@pytest.fixture
async def database(tmp_path):
    made = with_tables(tmp_path / "d.sqlite3")
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def server(postgres):
    """Two gateways' connections to one PostgreSQL."""
    url = postgres.new()
    both = [Database(url), Database(url)]
    for one in both:
        await one.open()
    yield both
    for one in both:
        await one.close()


class Gateway:
    """An office whose habits are kept. No time passes by itself: `write` and `refresh` are called by the test."""

    def __init__(self, database, **detection):
        self.office = Office(**detection)
        self.clock = SetClock(MONDAY)
        self.raised = []
        """What was found only with what another gateway saw."""
        self.kept = Kept(self.office.watching, database, self.clock, self._store)

    async def _store(self, found):
        self.raised += found
        self.kept.paid(found)

    async def open(self):
        await self.kept.open()
        return self

    def do(self, at, who=ADA, **more):
        return self.office.do(at, who, **more)

    async def close(self):
        await self.kept.close()


def states(gateway):
    watching = gateway.office.watching
    watching.settle()
    people = {who: watching.habit(who) for who in PEOPLE}
    return (
        {who: habit.plain() for who, habit in people.items() if habit is not None},
        {name: peers.plain() for name, peers in watching.groups.items()},
        watching.budget.plain(),
    )


async def test_a_restart_forgets_nothing(database):
    first = await Gateway(database).open()
    for day in range(5):
        for who in PEOPLE[:4]:
            for number in range(6):
                first.do(MONDAY + day * DAY + 9 * 3600 + number * 60, who, chunks=(str(number),))
    await first.close()
    second = await Gateway(database).open()
    assert states(second) == states(first)
    await second.close()


async def test_nothing_waits_after_it_was_written_and_it_is_written_again_when_more_comes(database):
    gateway = await Gateway(database).open()
    gateway.do(MONDAY, chunks=("1",))
    await gateway.kept.write()
    assert not gateway.kept._events and not gateway.kept._lessons
    gateway.do(MONDAY + 1, chunks=("2",))
    await gateway.close()
    again = await Gateway(database).open()
    assert again.office.watching.habit(ADA).day.rows == 40
    await again.close()


async def test_two_gateways_add_up(database):
    one, two = await Gateway(database).open(), await Gateway(database).open()
    for number in range(4):
        one.do(MONDAY + number, chunks=(str(number),))
        two.do(MONDAY + number, chunks=(str(100 + number),))
    one.do(MONDAY, PEOPLE[1], chunks=("1",))
    await one.kept.write()
    await two.kept.write()  # finds the other's state, and learns its own on top of it
    await two.kept.write()
    await one.kept.refresh()
    await two.kept.refresh()
    for gateway in (one, two):
        day = gateway.office.watching.habit(ADA).day
        assert (day.rows, len(day.chunks)) == (160, 8)
        assert len(gateway.office.watching.peers(EVERYBODY).covered["customers"].whole(day.number)) == 8
    assert two.office.watching.habit(PEOPLE[1]).day.rows == 20  # whom it never saw
    assert sum(two.office.watching.budget.plain()[2]) == 3
    await one.close()
    await two.close()
    three = await Gateway(database).open()
    assert three.office.watching.habit(ADA).day.rows == 160
    await three.close()


async def test_two_gateways_add_up_in_postgresql_and_a_third_begins_with_it(server):
    one, two = await Gateway(server[0]).open(), await Gateway(server[1]).open()
    for number in range(6):
        one.do(MONDAY + number, chunks=(str(number),))
        two.do(MONDAY + number, chunks=(str(100 + number),))
    await asyncio.gather(one.kept.write(), two.kept.write())  # at the same time: one of them has to begin anew
    for gateway in (one, two, one, two):
        await gateway.kept.write()
    for gateway in (one, two):
        await gateway.kept.refresh()
    for gateway in (one, two):
        day = gateway.office.watching.habit(ADA).day
        assert (day.rows, len(day.chunks)) == (240, 12)
    assert one.do(MONDAY + 60, job="letters", clear=("id", "ssn"))
    await one.kept.write()
    await two.kept.write()
    assert "beyond-job" in two.office.watching.before(ADA, MONDAY + 61)[1]
    await one.close()
    await two.close()
    three = await Gateway(server[0]).open()
    assert three.office.watching.habit(ADA).day.rows == 260
    assert "beyond-job" in three.office.watching.before(ADA, MONDAY + 61)[1]
    await three.close()


async def test_what_another_gateway_found_is_known_here(database):
    one, two = await Gateway(database).open(), await Gateway(database).open()
    assert one.do(MONDAY, job="letters", clear=("id", "ssn"))
    assert two.office.watching.before(ADA, MONDAY + 1) == (0.0, frozenset())
    await one.kept.write()
    await two.kept.refresh()
    risk, known = two.office.watching.before(ADA, MONDAY + 1)
    assert risk > 30 and known == {"beyond-job"}
    await one.close()
    await two.close()


@pytest.mark.parametrize("behind", [0.0, 3600.0])
async def test_what_another_gateway_found_is_known_at_the_next_look_also_while_the_person_is_here(database, behind):
    one, two = await Gateway(database).open(), await Gateway(database).open()
    one.clock.advance(-behind)  # whatever the clocks of the two say
    two.do(MONDAY, chunks=("1",))
    await two.kept.write()
    await one.kept.look()
    two.do(MONDAY + 1, chunks=("2",))
    assert one.do(MONDAY + 2, job="letters", clear=("id", "ssn"))
    await one.kept.look()  # what was found is written at once, and nothing else
    await two.kept.look()
    await two.kept.look()
    assert two.office.watching.before(ADA, MONDAY + 3)[1] == {"beyond-job"}
    for gateway in (two, one, two, one):
        await gateway.kept.write()
    assert one.office.watching.habit(ADA).day.rows == two.office.watching.habit(ADA).day.rows == 60
    await one.close()
    await two.close()


async def test_what_cannot_be_learned_does_not_end_the_writing_unnoticed(database, monkeypatch):
    gateway = await Gateway(database).open()
    gateway.do(MONDAY, chunks=("1",))

    def broken():
        raise ArithmeticError("a habit that cannot be")

    with monkeypatch.context() as failing:
        failing.setattr(gateway.office.watching, "settle", broken)
        await gateway.kept.write()
        gateway.clock.advance(LATE + 1)
        assert gateway.kept.lost
    await gateway.kept.write()
    assert not gateway.kept.lost
    await gateway.close()


async def test_a_clock_that_is_set_back_does_not_make_what_is_not_known_known(database, monkeypatch):
    gateway = await Gateway(database).open()

    async def broken(*_, **__):
        raise OSError("no disk")

    with monkeypatch.context() as failing:
        failing.setattr(database, "read", broken)
        await gateway.kept.look()
        gateway.clock.advance(-3600)
        await gateway.kept.look()
        gateway.clock.advance(LATE + 1)
        assert gateway.kept.lost  # a minute is a minute
        gateway.clock.advance(-3600)
        assert gateway.kept.lost
    await gateway.kept.look()
    assert not gateway.kept.lost
    await gateway.close()


async def test_a_database_that_fails_stops_nobody_and_loses_nothing(database, monkeypatch, caplog):
    gateway = await Gateway(database).open()
    run = database.run

    async def broken(work, **_):
        raise TimeoutError

    monkeypatch.setattr(database, "run", broken)
    gateway.do(MONDAY, chunks=("1",))
    await gateway.kept.write()
    gateway.do(MONDAY + 1, chunks=("2",))
    await gateway.kept.write()
    assert caplog.text.count("habits cannot be written") == 1
    monkeypatch.setattr(database, "run", run)
    await gateway.close()
    again = await Gateway(database).open()
    assert again.office.watching.habit(ADA).day.rows == 40
    await again.close()


async def test_a_state_that_cannot_be_read_is_learned_anew(database, caplog):
    gateway = await Gateway(database).open()
    gateway.do(MONDAY, chunks=("1",))
    await gateway.close()
    await database.run(lambda connection: connection.execute(update(habits).values(state=b"nonsense")))
    again = await Gateway(database).open()
    assert again.office.watching.habit(ADA).days == 0
    assert "learned anew" in caplog.text
    again.do(MONDAY, chunks=("1",))
    await again.close()
    rows = await database.read(lambda connection: connection.execute(select(habits.c.version)).all())
    assert {row.version for row in rows} == {2}


async def test_whose_habits_cannot_be_read_has_a_risk_that_is_not_known(database):
    first = await Gateway(database).open()
    first.do(MONDAY, chunks=("1",))
    await first.close()
    broken = update(habits).where(habits.c.name == f"person:{ADA}").values(state=b"not a state")
    await database.run(lambda connection: connection.execute(broken))
    second = await Gateway(database).open()
    assert math.isnan(second.office.watching.before(ADA, MONDAY + 60)[0])
    second.do(MONDAY + 60, chunks=("1",))
    assert math.isnan(second.office.watching.before(ADA, MONDAY + 61)[0])
    assert second.office.watching.before(PEOPLE[1], MONDAY + 61)[0] == 0.0
    await second.close()
    # It is written anew, and says so itself until everything that was lost would have faded.
    third = await Gateway(database).open()
    assert math.isnan(third.office.watching.before(ADA, MONDAY + DAY)[0])
    assert third.office.watching.before(ADA, MONDAY + 60 + 7 * DAY)[0] == 0.0
    await third.close()


async def test_what_is_not_shared_for_long_is_not_known(database, monkeypatch):
    gateway = await Gateway(database).open()
    gateway.do(MONDAY, chunks=("1",))

    async def broken(*_, **__):
        raise OSError("no disk")

    with monkeypatch.context() as failing:
        failing.setattr(database, "run", broken)
        await gateway.kept.write()
        assert not gateway.kept.lost
        gateway.clock.advance(LATE + 1)
        await gateway.kept.look()  # that others can be looked at is not enough
        assert gateway.kept.lost
        await gateway.kept.write()
        assert gateway.kept.lost
    await gateway.kept.write()
    assert not gateway.kept.lost
    with monkeypatch.context() as failing:  # what others found cannot be read
        failing.setattr(database, "read", broken)
        await gateway.kept.write()
        gateway.clock.advance(LATE + 1)
        assert gateway.kept.lost
    await gateway.close()


VALUES = [Signal("taint", "customers chat", 0.0, 2.0, "1", {"dataset": "customers", "identifying values": "1"}, what=n) for n in (1, 2, 3)]  # fmt: skip
CANARY = Signal("canary", "chat", 20.0, 3.0, "a canary", {}, certain=True)


async def test_what_was_found_here_is_not_lost_to_what_another_wrote_first(database):
    one, two = await Gateway(database).open(), await Gateway(database).open()
    assert [found.indicator for found in one.do(MONDAY, job="letters", clear=("id", "ssn"))] == ["beyond-job"]
    one.do(MONDAY + 1, chunks=("1",), extra=(CANARY,))
    two.do(MONDAY + 2, chunks=("2",))
    alone = one.office.watching.before(ADA, MONDAY + 3)
    assert alone[1] == {"beyond-job", "canary"}
    await two.kept.write()
    await one.kept.write()  # takes up the other's state, and learns its own on top of it
    assert one.office.watching.before(ADA, MONDAY + 3) == alone
    assert one.office.watching.habit(ADA).day.loud
    await one.kept.write()
    await two.kept.refresh()
    assert two.office.watching.before(ADA, MONDAY + 3) == alone
    await one.close()
    await two.close()


async def test_what_is_sent_in_pieces_through_two_gateways_adds_up(database):
    one, two = await Gateway(database, observe_days=0.0).open(), await Gateway(database, observe_days=0.0).open()
    one.do(MONDAY, chunks=("1",), extra=VALUES[:1])
    two.do(MONDAY + 1, extra=VALUES[1:2])
    await two.kept.write()
    await one.kept.write()
    await one.kept.write()
    await two.kept.refresh()
    found = two.do(MONDAY + 10, extra=VALUES[2:])
    assert [(each.indicator, each.evidence["identifying values"]) for each in found] == [("taint", "3")]
    await one.close()
    await two.close()


async def test_what_adds_up_only_with_what_another_saw_is_found_when_they_are_put_together(database):
    one, two = await Gateway(database, observe_days=0.0).open(), await Gateway(database, observe_days=0.0).open()
    one.do(MONDAY, chunks=("1",), extra=VALUES[:1])
    one.do(MONDAY + 1, extra=VALUES[1:2])
    two.do(MONDAY + 2, extra=VALUES[2:])
    await two.kept.write()
    await one.kept.write()
    (found,) = one.raised
    assert (found.indicator, found.evidence["identifying values"], found.exchange) == ("taint", "3", "e2")
    assert one.office.watching.before(ADA, MONDAY + 3)[1] == {"taint"} and not one.kept.unwritten
    await one.kept.write()
    await two.kept.refresh()
    assert two.office.watching.before(ADA, MONDAY + 3)[1] == {"taint"} and not two.raised
    await one.close()
    await two.close()
