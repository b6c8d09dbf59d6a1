"""Each finding goes out once: when the gateway stops in the middle, and where several gateways have one database."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from sluicegate.database import Database
from sluicegate.database.tables import findings_out
from sluicegate.detection.out import deadline
from sluicegate.detection.out.collector import ToCollector
from sluicegate.detection.out.sending import HTTP, SYSLOG, Sending
from sluicegate.detection.stored import store
from sluicegate.settings.model.findings_out import Collector
from tests.detection.receiving import Place, found


@pytest.fixture
async def opened():
    """Opens databases, and closes them at the end."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_one(url):
            made = Database(url)
            await made.open()
            stack.push_async_callback(made.close)
            return made

        yield open_one


@pytest.fixture
def serve():
    with contextlib.ExitStack() as stack:

        def start(*answers):
            place = Place(*answers)
            stack.callback(place.close)
            return place

        yield start


def sends(database, place):
    return Sending(database, ToCollector(Collector(url=place.url)), HTTP)


async def put(database, *numbers):
    await database.run(lambda connection: store(connection, map(found, numbers), (HTTP,)))


async def left(database):
    return len(await database.read(lambda connection: connection.execute(findings_out.select()).all()))


def taken(place):
    return [int(key.strip('"'), 16) for key, _ in place.taken]


async def test_a_stop_in_the_middle_sends_nothing_twice(opened, serve, tmp_path):
    database, place = await opened(f"sqlite:///{tmp_path}/d.sqlite3"), serve()
    await put(database, 1, 2, 3)
    place.goes_on.clear()
    sending = sends(database, place)
    sending.open()
    await asyncio.to_thread(place.arrived.wait)
    stopping = asyncio.create_task(sending.close())
    await asyncio.sleep(0)
    place.goes_on.set()
    await stopping
    assert taken(place) == [1, 2, 3] and await left(database) == 0
    await sending.close()  # nothing more


async def test_what_is_found_shortly_before_a_stop_is_sent(opened, serve, tmp_path):
    database, place = await opened(f"sqlite:///{tmp_path}/d.sqlite3"), serve()
    sending = sends(database, place)
    sending.open()
    await asyncio.sleep(0)
    await put(database, 1)
    await sending.close()
    assert taken(place) == [1] and await left(database) == 0


async def test_of_two_gateways_one_sends(opened, serve, postgres):
    url, place = postgres.new(), serve()
    one, other = await opened(url), await opened(url)
    await put(one, 1, 2)
    place.goes_on.clear()
    sending = asyncio.create_task(sends(one, place).send())
    await asyncio.to_thread(place.arrived.wait)
    await put(other, 3)
    assert await sends(other, place).send() == 0
    place.goes_on.set()
    assert await sending == 2
    assert await sends(other, place).send() == 0 and await sends(one, place).send() == 1
    assert taken(place) == [1, 2, 3]
    await put(other, 4)
    await one.close()  # or killed: with its connection goes what it held
    while not await sends(other, place).send():  # the server takes a moment to see it
        await asyncio.sleep(0)
    assert taken(place) == [1, 2, 3, 4] and await left(other) == 0


async def test_one_that_cannot_send_leaves_it_to_another(opened, serve, postgres):
    url, broken, place = postgres.new(), serve(503), serve()
    one, other = await opened(url), await opened(url)
    await put(one, 1)
    assert await sends(one, broken).send() == 0
    assert await sends(other, place).send() == 1 and taken(place) == [1]
    await other.run(lambda connection: store(connection, [found(2)], (SYSLOG,)))  # another sink is another matter
    assert await Sending(one, sends(one, place)._sink, SYSLOG).send() == 1


async def test_who_answers_a_letter_at_a_time_is_cut_off(opened, serve, tmp_path, monkeypatch):
    monkeypatch.setattr(deadline, "SECONDS", 0.3)
    database, place = await opened(f"sqlite:///{tmp_path}/d.sqlite3"), serve("a letter at a time")
    await put(database, 1)
    sending = sends(database, place)
    assert await sending.send() == 0 and taken(place) == []
    monkeypatch.setattr(deadline, "SECONDS", 60.0)  # the answer comes at once, as soon as the machine has time for it
    assert await sending.send() == 1 and taken(place) == [1]
