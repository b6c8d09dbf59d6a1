"""Three gateways on one database, with the same people at each, in any order: nothing is lost, and nothing counts twice."""

from __future__ import annotations

import asyncio
import random

import pytest

from sluicegate.detection.look import Signal
from tests.databases import with_tables
from tests.detection.organisation import MONDAY, PEOPLE
from tests.detection.test_detection_kept import Gateway


async def gateway(database, before=None):
    """One that writes when it is told to. It goes on where the one `before` it ended."""
    made = await Gateway(database, observe_days=0.0).open()
    made.kept._task.cancel()
    if before is not None:
        made.clock.time = before.clock.time
    return made


def value(number):
    evidence = {"dataset": "customers", "identifying values": "1"}
    return Signal("taint", "customers chat", 0.0, 2.0, "one value", evidence, what=number)


class Truth:
    """What was really done, by person."""

    def __init__(self):
        self.rows, self.values, self.found = ({who: set() for who in PEOPLE[:3]} for _ in range(3))

    def one(self, gateway, lot, at, step):
        who, kind = lot.choice(PEOPLE[:3]), lot.random()
        self.rows[who].add(step)
        if kind < 0.1:
            found = gateway.do(at, who, job="letters", clear=("id", "ssn"), chunks=(str(step),))
        elif kind < 0.3:
            self.values[who].add(number := lot.randrange(1, 6))
            found = gateway.do(at, who, extra=(value(number),), chunks=(str(step),))
        else:
            found = gateway.do(at, who, chunks=(str(step),))
        self.found[who] |= {one.indicator for one in found}


async def failing(gateway, database):
    async def broken(*_, **__):
        raise OSError("no disk")

    run, database.run = database.run, broken
    try:
        await gateway.kept.write()
        await gateway.kept.look()
    finally:
        database.run = run


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_comes_where_and_is_written_when(tmp_path, seed):
    database, lot, truth, at = with_tables(tmp_path / "d.sqlite3"), random.Random(seed), Truth(), MONDAY
    await database.open()
    gateways = [await gateway(database) for _ in range(3)]
    for step in range(lot.randrange(20, 80)):
        place, what = lot.randrange(3), lot.random()
        here, other = gateways[place], gateways[place - 1]
        at += lot.random() * 60
        if what < 0.6:
            truth.one(here, lot, at, step)
        elif what < 0.7:
            await here.kept.write()
        elif what < 0.85:
            await here.kept.look()
        elif what < 0.9:
            here.clock.advance(lot.choice([-7200, -60, 10, 3600]))
        elif what < 0.95:
            await failing(here, database)
        elif what < 0.97:
            await asyncio.gather(here.kept.write(), other.kept.look())
        else:
            for _ in range(3):
                await here.kept.write()
            gateways[place] = await gateway(database, here)
    for _ in range(4):
        for one in gateways:
            await one.kept.write()
            await one.kept.look()
    last = at + 1
    for who in PEOPLE[:3]:
        if not truth.rows[who]:
            continue
        for one in gateways:
            habit = one.office.watching.habit(who)
            assert habit.day.rows == 20 * len(truth.rows[who])
            assert (
                abs(len(habit.day.chunks) - len(truth.rows[who])) <= 1
            )  # an estimate, exact but for what falls together
            assert set(habit.day.pieces.get("customers identifying values", ())) == truth.values[who]
            assert truth.found[who] <= set(habit.found)
            if len(truth.values[who]) > 2:  # whether it is an alert, the budget says
                assert "taint" in {point.indicator for point in habit.points}
        said = [one.office.watching.before(who, last) for one in gateways]
        assert len({known for _, known in said}) == 1 and max(risks := [risk for risk, _ in said]) - min(risks) < 1e-6
    assert not any(one.kept._events or one.kept.unwritten for one in gateways)
    await database.close()
