"""The relay between a worker and the recorder: whatever happens to the socket, what was not kept is not said to be."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.recording.intake import Place, RecorderDown
from sluicegate.recording.relay import far as far_module
from sluicegate.recording.relay import near as near_module
from sluicegate.recording.relay import words
from sluicegate.recording.relay.far import Relayed
from sluicegate.recording.relay.near import Relay


class Book:
    """Stands where the recorder is: keeps what it is told, and answers when the test says so."""

    def __init__(self) -> None:
        self.kept: list[tuple[object, ...]] = []
        self.futures: list[asyncio.Future[Place]] = []
        self.answers_at_once = True

    def append(self, kind, record, what, fields):
        return self._take((kind, record, what, fields, None))

    def outcome(self, record, fields, summary):
        return self._take(("flows", record, "outcome", fields, summary))

    def _take(self, entry):
        done = asyncio.get_running_loop().create_future()
        self.kept.append(entry)
        self.futures.append(done)
        if self.answers_at_once:
            done.set_result(Place("2026/x.flows", len(self.kept)))
        return done


@contextlib.asynccontextmanager
async def pair(book):
    """Both ends, with a socket between them; `lost` says whether the worker was told that the recorder is gone."""
    ours, its = socket.socketpair()
    lost = asyncio.Event()
    relay, relayed = Relay(its, lost.set), Relayed(book)
    await asyncio.get_running_loop().create_unix_connection(lambda: relayed, sock=ours)
    await relay.open()
    relay.lost = lost
    try:
        yield relay, relayed
    finally:
        relayed.close()
        await asyncio.wait_for(relay.close(), 60)


async def test_records_arrive_whole_and_in_order_and_their_places_come_back():
    book = Book()
    async with pair(book) as (relay, _):
        first = relay.append("intents", b"one", "intent", {"id": "1"})
        second = relay.outcome(b"\0" * 3_000_000, {"id": "1"}, {"id": "1", "rules": ("a",), "risk": 0.5})
        alone = relay.append(None, b"", "key.made", {"key": "k"})
        places = await asyncio.wait_for(asyncio.gather(first, second, alone), 60)
    assert [place.offset for place in places] == [1, 2, 3]
    assert [entry[2] for entry in book.kept] == ["intent", "outcome", "key.made"]
    assert book.kept[1][1] == b"\0" * 3_000_000 and book.kept[1][4] == {"id": "1", "rules": ["a"], "risk": 0.5}


async def test_texts_that_are_no_valid_unicode_are_kept_all_the_same():
    book = Book()
    async with pair(book) as (relay, _):
        await asyncio.wait_for(relay.outcome(b"x", {"id": "1"}, {"path": "/\udcff", "name": "Ada"}), 60)
    assert book.kept[0][4]["name"] == "Ada" and "\udcff" not in book.kept[0][4]["path"]


async def test_what_cannot_be_handed_over_is_not_kept_and_said_so():
    book = Book()
    async with pair(book) as (relay, _):
        with pytest.raises(RecorderDown):
            await relay.append("flows", b"x", "outcome", {"id": object()})
        await asyncio.wait_for(relay.append("flows", b"y", "outcome", {}), 60)
    assert len(book.kept) == 1


async def test_a_record_that_could_not_be_kept_is_refused_to_whoever_waits():
    book = Book()
    book.answers_at_once = False
    async with pair(book) as (relay, _):
        waiting = relay.append("intents", b"x", "intent", {})
        while not book.futures:
            await asyncio.sleep(0)
        book.futures[0].set_exception(RecorderDown("the disk is full"))
        with pytest.raises(RecorderDown, match="the disk is full"):
            await asyncio.wait_for(waiting, 60)


async def test_when_the_recorder_goes_away_nobody_waits_for_ever_and_nothing_more_is_taken():
    book = Book()
    book.answers_at_once = False
    async with pair(book) as (relay, relayed):
        waiting = [relay.append("intents", b"x", "intent", {}) for _ in range(3)]
        while len(book.futures) < 3:
            await asyncio.sleep(0)
        waiting[2].cancel()
        relayed.close()
        for one in waiting[:2]:
            with pytest.raises(RecorderDown):
                await asyncio.wait_for(one, 60)
        await asyncio.wait_for(relay.lost.wait(), 60)
        with pytest.raises(RecorderDown):
            await relay.append("intents", b"x", "intent", {})
    assert len(book.kept) == 3


async def test_a_worker_that_listens_when_the_recorder_is_gone_is_told_so_again():
    """What it was told before may have come too early to end it."""
    async with pair(Book()) as (relay, relayed):
        relayed.close()
        await asyncio.wait_for(relay.lost.wait(), 60)
        relay.lost.clear()
        relay.serving("127.0.0.1", 1)
        assert relay.lost.is_set()


async def test_an_end_that_was_never_opened_takes_nothing():
    ours, its = socket.socketpair()
    with ours, its, pytest.raises(RecorderDown):
        await Relay(its, lambda: None).append("intents", b"x", "intent", {})


async def test_more_than_may_wait_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(near_module, "MAX_WAITING_BYTES", 100)
    book = Book()
    book.answers_at_once = False
    async with pair(book) as (relay, _):
        first = relay.append("intents", b"x" * 90, "intent", {})
        with pytest.raises(RecorderDown, match="does not keep up"):
            await relay.append("intents", b"x" * 20, "intent", {})
        while not book.futures:
            await asyncio.sleep(0)
        book.futures[0].set_result(Place("f", 0))
        await asyncio.wait_for(first, 60)
        last = relay.append("intents", b"x" * 20, "intent", {})
        while len(book.futures) < 2:
            await asyncio.sleep(0)
        book.futures[1].set_result(Place("f", 90))
        assert (await asyncio.wait_for(last, 60)).offset == 90


async def test_keys_are_forgotten_before_the_recorder_goes_on():
    async with pair(Book()) as (relay, relayed):
        forgotten = []

        async def forget(keys):
            forgotten.extend(keys)

        relay.forget = forget
        await asyncio.wait_for(relayed.forget(["a", "b"]), 60)
        assert forgotten == ["a", "b"]


async def test_a_worker_that_does_not_let_go_of_a_key_is_an_error(monkeypatch):
    monkeypatch.setattr(far_module, "FORGET_SECONDS", 0.05)
    async with pair(Book()) as (relay, relayed):

        async def fails(keys):
            raise RuntimeError("broken")

        relay.forget = fails
        with pytest.raises(TimeoutError):
            await relayed.forget(["a"])


async def test_with_a_worker_that_is_gone_its_keys_are_gone():
    async with pair(Book()) as (relay, relayed):
        asked = asyncio.ensure_future(relayed.forget(["a"]))
        await asyncio.sleep(0)
        relay._gone()
        await asyncio.wait_for(asked, 60)
        await asyncio.wait_for(relayed.gone, 60)
        await asyncio.wait_for(relayed.forget(["b"]), 60)


@pytest.mark.parametrize("junk", [b"\0\0\0\1\xc1", b"\0\0\0\3abc", words.frame(words.Kept(1, "f", 0))])
async def test_whoever_is_not_understood_is_cut_off(junk, caplog):
    book = Book()
    async with pair(book) as (relay, relayed):
        relay._transport.write(junk)
        await asyncio.wait_for(relayed.gone, 60)
        assert book.kept == [] and "cut off" in caplog.text


async def test_an_answer_that_nobody_asked_for_ends_the_relay(caplog):
    async with pair(Book()) as (relay, relayed):
        relayed._transport.write(words.frame(words.Kept(7, "f", 0)))
        await asyncio.wait_for(relay.lost.wait(), 60)


@given(st.lists(st.binary(max_size=40), max_size=8), st.data())
def test_frames_are_the_same_however_they_are_cut(bodies, data):
    stream = b"".join(words.frame(body) for body in bodies)
    frames, found = words.Frames(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += frames.cut(stream[:size])
        stream = stream[size:]
    assert found == bodies
