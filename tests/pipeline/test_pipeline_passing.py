"""Whatever breaks while a response passes piece by piece: a refusal, or a transfer that nobody takes for complete."""

import asyncio
import threading

import pytest
from mitmproxy.test import tflow

from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Finding
from sluicegate.masking.stream import open_stream
from sluicegate.pipeline import passing
from tests.origin import Poured
from tests.pipeline.conftest import Room
from tests.pipeline.test_pipeline_fails_closed import ERRORS, NAMES, raising
from tests.running import Wire

PIECE = b"z" * (40 << 10)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def opens(flow, exchange):
    response = flow.response
    exchange.stream = open_stream(response.headers.fields, response.status_code, None, (), None)
    exchange.over = lambda: None


def pour(rig, between=lambda: None):
    def pieces():
        yield HEAD
        for number in range(5):
            if number == 3:
                between()
            yield b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
        yield b"0\r\n\r\n"

    def respond(request):
        raise Poured(pieces())

    rig.origin.respond = respond


async def get(rig, arrived=None):
    """Status, the bytes behind the head, and whether they came to their end. `arrived` is set with the first of them."""
    arrived = arrived or threading.Event()

    def ask():
        wire, host = Wire(rig.port, timeout=60), f"127.0.0.1:{rig.origin.port}"
        try:
            wire.send(f"GET http://{host}/x HTTP/1.1\r\nHost: {host}\r\nconnection: close\r\n\r\n".encode())
            seen = b""
            while not seen.endswith(b"\r\n0\r\n\r\n") and (data := wire.socket.recv(65536)):
                seen += data
                arrived.set()
        except ConnectionError:
            pass
        finally:
            wire.close()
        head, _, body = seen.partition(b"\r\n\r\n")
        return int(head.split()[1]) if head else 0, body, body.endswith(b"\r\n0\r\n\r\n")

    return await asyncio.to_thread(ask)


async def start(rig, **hooks):
    opener, breaker = Room(response_begins=opens), Room(response_begins=lambda flow, exchange: None)
    breaker.name = "breaker"
    for name, hook in hooks.items():
        setattr(breaker, name, hook)
    await rig.start(opener, breaker)
    pour(rig)
    return breaker


async def test_what_every_stage_agrees_to_passes(rig):
    await start(rig)
    status, body, whole = await get(rig)
    assert (status, whole, body.count(b"z")) == (200, True, 5 * len(PIECE))


@pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("error", [*ERRORS, Refusal(451, "x", "x", "x")], ids=[*NAMES, "Refusal"])
async def test_nothing_leaves_where_a_stage_breaks_before_it_begins(rig, error, later):
    await start(rig, response_begins=raising(error, later=later))
    status, body, _ = await get(rig)
    assert status in (451, 502) and b"zzz" not in body


@pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("error", [*ERRORS, Refusal(503, "x", "x", "x")], ids=[*NAMES, "Refusal"])
async def test_what_breaks_at_the_end_leaves_it_without_one(rig, error, later):
    await start(rig, response=raising(error, later=later))
    status, body, whole = await get(rig)
    assert status == 200 and b"zzz" in body and not whole


@pytest.mark.parametrize("hook", ["response_begins", "response"])
async def test_a_stage_that_takes_too_long(rig, hook):
    async def forever(flow, exchange):
        await asyncio.Event().wait()

    await start(rig, limit=0.01, **{hook: forever})
    status, body, whole = await get(rig)
    assert not whole and (hook == "response" or (status == 502 and b"zzz" not in body))


@pytest.mark.parametrize("index", range(2, 6))
async def test_a_stage_without_its_hook_lets_nothing_begin(rig, index):
    await start(rig)
    del vars(rig.line.entries[index])["response_begins"]
    _, body, _ = await get(rig)
    assert b"zzz" not in body


async def test_a_gateway_that_closes_meanwhile_does_not_end_it_well(rig):
    arrived = threading.Event()

    def closes():
        assert arrived.wait(60)
        rig.line.open = False

    await start(rig)
    pour(rig, between=closes)
    status, _, whole = await get(rig, arrived)
    assert status == 200 and not whole


@pytest.mark.parametrize("piece", [0, 3, None], ids=["first", "a later one", "the end"])
@pytest.mark.parametrize("error", [RuntimeError("broken"), MemoryError(), Refusal(502, "x", "x", "x")], ids=str)
async def test_a_mask_that_breaks(rig, piece, error):
    opener = Room()

    def broken(flow, exchange):
        opens(flow, exchange)
        stream, feed, count = exchange.stream, exchange.stream.feed, iter(range(99))

        def fed(data):
            if next(count) == piece:
                raise error
            return feed(data)

        stream.feed = fed
        if piece is None:
            stream.end = raising(error, later=False)

    opener.response_begins = broken
    await rig.start(opener)
    pour(rig)
    status, body, whole = await get(rig)
    assert not whole
    if piece == 0:
        assert status == 502 and b"zzz" not in body


async def test_what_a_service_sends_behind_a_refusal_harms_nobody(rig, caplog):
    """It has waited for the hook, and comes when the exchange is over."""

    async def refused(flow, exchange):
        await asyncio.to_thread(sent.wait, 60)
        raise Refusal(451, "x", "x", "x")

    sent = threading.Event()
    await start(rig, response_begins=refused)
    pour(rig, between=sent.set)
    status, body, _ = await get(rig)
    assert status == 451 and b"zzz" not in body
    assert "crashed" not in caplog.text


@pytest.mark.parametrize("seals", [True, False])
def test_the_original_is_kept_only_for_whoever_could_open_it(seals):
    class Doubling:
        exposure = None

        def findings(self):
            return [Finding("mask-report", "x")]

        def feed(self, data):
            return [data * 2]

        def end(self):
            return []

    flow = tflow.tflow(resp=True)
    exchange = Exchange("1", 0.0)
    passage = passing.Passage(Doubling(), 100, flow.response, seals=seals)
    before = passing.Passage.kept
    for data in (b"abc", b"de", None):
        passage.take(data)
    assert passing.Passage.kept - before == (15 if seals else 10)
    passage.settle(flow, exchange)
    assert passing.Passage.kept == before
    assert flow.response.data.content == b"abcabcdede" and exchange.delivered.size == 10
    assert [finding.indicator for finding in exchange.findings] == ["mask-report"]
    assert (exchange.original.body if exchange.original else None) == (b"abcde" if seals else None)
    large = passing.Passage(Doubling(), 9, flow.response, seals=seals)
    large.take(b"abcde")
    large.settle(flow, exchange)
    assert flow.response.data.content is None and passing.Passage.kept == before
    flow.response.headers["content-length"] = "101"
    announced = passing.Passage(Doubling(), 100, flow.response, seals=seals)
    announced.take(b"abc")
    assert passing.Passage.kept == before
    announced.settle(flow, exchange)
    assert flow.response.data.content is None and exchange.delivered.size == 6
