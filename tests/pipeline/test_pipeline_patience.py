"""Services that are silent: an answer of ours before theirs begins, and a cut one after; nobody else waits for them."""

import asyncio
import threading

import pytest

from sluicegate.errors import Refusal
from sluicegate.pipeline.patience import PATIENCE
from tests.origin import Poured, json_response
from tests.pipeline.conftest import SECRET, Room
from tests.pipeline.test_pipeline_passing import HEAD, PIECE, get, opens


@pytest.fixture
def silence(monkeypatch):
    """An end to what a service waits for; the gateway waits for a moment only."""
    monkeypatch.setattr(PATIENCE, "service", 0.2)
    over = threading.Event()
    yield over
    over.set()


def then_silent(rig, over, *pieces):
    def poured():
        yield from pieces
        over.wait(100)

    def respond(request):
        if b"GET /other" in request:
            return json_response(SECRET)
        raise Poured(poured())

    rig.origin.respond = respond


@pytest.mark.parametrize(
    "pieces",
    [(), (b"HTTP/1.1 200 OK\r\ncontent-le",), (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + SECRET,), (HEAD, b"5\r\n")],
    ids=["nothing", "half a head", "half a body", "half a chunk"],
)  # fmt: skip
async def test_silent_before_anything_leaves(rig, silence, pieces):
    await rig.start(Room())
    then_silent(rig, silence, *pieces)
    status, _, body = await rig.get()
    assert status == 504 and b"service-silent" in body and b"123-45" not in body


async def test_silent_while_it_passes(rig, silence):
    await rig.start(Room(response_begins=opens))
    then_silent(rig, silence, HEAD, *[b"%x\r\n%s\r\n" % (len(PIECE), PIECE)] * 3)
    status, body, whole = await get(rig)
    assert status == 200 and b"zzz" in body and not whole


async def test_others_do_not_wait(rig, silence, monkeypatch):
    monkeypatch.setattr(PATIENCE, "service", 100.0)
    await rig.start(Room())
    then_silent(rig, silence)
    slow = asyncio.create_task(rig.get())
    while not rig.origin.received:
        await asyncio.sleep(0)
    status, _, body = await rig.get("/other")
    assert (status, body) == (200, SECRET) and not slow.done()
    silence.set()
    assert (await slow)[0] == 502


@pytest.mark.parametrize("hook", ["request", "response"])
async def test_a_hook_is_no_silence_of_the_service(rig, silence, monkeypatch, hook):
    """However long it takes: here the time is up before the hook is done."""
    monkeypatch.setattr(PATIENCE, "service", 1e-9)
    late = asyncio.Event()

    async def waits(flow, exchange):
        asyncio.get_running_loop().call_later(0.05, late.set)
        await late.wait()
        PATIENCE.service = 100.0
        if hook == "response":
            raise Refusal(451, "x", "x", "x")

    def eager(flow, exchange):
        PATIENCE.service = 100.0  # from here on it is the service's turn

    rooms = [Room(**{hook: waits})]
    if hook == "response":
        rooms.insert(0, Room(request=eager))
        rooms[0].name = "eager"
    await rig.start(*rooms)
    then_silent(rig, silence)
    status, _, _ = await rig.get("/other")
    assert status == (200 if hook == "request" else 451)


async def test_the_time_begins_anew_with_each_piece(rig, silence, monkeypatch):
    rung = []
    monkeypatch.setattr(PATIENCE, "service", 100.0)
    await rig.start(Room(response_begins=opens))
    loop = asyncio.get_running_loop()
    later = loop.call_later

    def call_later(seconds, what, *arguments, **more):
        timer = later(seconds, what, *arguments, **more)
        if seconds == 100.0:
            rung.append(timer)
        return timer

    monkeypatch.setattr(loop, "call_later", call_later)
    silence.set()
    then_silent(rig, silence, HEAD, *[b"%x\r\n%s\r\n" % (len(PIECE), PIECE)] * 3, b"0\r\n\r\n")
    assert (await get(rig))[2]
    assert len(rung) > 1 and all(timer.cancelled() for timer in rung), "nothing is left behind"
