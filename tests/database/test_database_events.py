"""Events are there exactly when what they tell of is, and are taken out once."""

import pytest

from sluicegate.database import Database
from sluicegate.database.events import recorded, tell, waiting


@pytest.fixture
async def database(tmp_path):
    made = Database.at(tmp_path / "sluicegate.sqlite")
    await made.open()
    yield made
    await made.close()


async def test_events_wait_in_order_until_they_are_recorded(database):
    for number in range(3):
        await database.run(lambda c, n=number: tell(c, "approval.decided", 10.0 + n, {"n": n}))
    first, second, third = await database.read(waiting)
    assert [(e.kind, e.at, e.body) for e in (first, second)] == [
        ("approval.decided", 10.0, {"n": 0}),
        ("approval.decided", 11.0, {"n": 1}),
    ]
    await database.run(lambda c: recorded(c, [first.id, second.id]))
    assert await database.read(waiting) == [third]
    # A number is never given out twice, or an event could be taken for one that is in the record already.
    await database.run(lambda c: recorded(c, [third.id]))
    await database.run(lambda c: tell(c, "x", 1.0, {}))
    assert [e.id for e in await database.read(waiting)] == [third.id + 1]


async def test_what_is_rolled_back_is_not_told(database):
    def work(connection):
        tell(connection, "session.ended", 1.0, {})
        raise ValueError

    with pytest.raises(ValueError):
        await database.run(work)
    assert await database.read(waiting) == []


async def test_as_many_as_are_wanted(database):
    await database.run(lambda c: [tell(c, "x", 1.0, {"n": n}) for n in range(5)] and None)
    assert [e.body["n"] for e in await database.read(lambda c: waiting(c, 2))] == [0, 1]
