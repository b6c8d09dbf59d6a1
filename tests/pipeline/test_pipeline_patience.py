"""Services that are silent: an answer of ours before theirs begins, and a cut one after; nobody else waits for them."""

import asyncio
import threading

import pytest

from sluicegate.errors import Refusal
from sluicegate.pipeline.patience import PATIENCE, Alarm
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
    assert status == 504 and b"service-silent" in body and b"123-45-" not in body


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
    waits, rung = [], []
    monkeypatch.setattr(PATIENCE, "service", 100.0)
    await rig.start(Room(response_begins=opens))
    wait = Alarm.wait
    monkeypatch.setattr(Alarm, "wait", lambda alarm, seconds: (waits.append((alarm, seconds)), wait(alarm, seconds)))
    loop = asyncio.get_running_loop()
    at = loop.call_at

    def call_at(when, what, *arguments, **more):
        timer = at(when, what, *arguments, **more)
        if isinstance(getattr(what, "__self__", None), Alarm):
            rung.append(timer)
        return timer

    monkeypatch.setattr(loop, "call_at", call_at)
    silence.set()
    then_silent(rig, silence, HEAD, *[b"%x\r\n%s\r\n" % (len(PIECE), PIECE)] * 3, b"0\r\n\r\n")
    assert (await get(rig))[2]
    assert len(waits) > 1 and {alarm for alarm, _ in waits} == {waits[0][0]} and {each for _, each in waits} == {100.0}
    assert len(rung) == 1 and rung[0].cancelled(), "one timer for all of it, and nothing is left behind"


class Loop:
    """An event loop's timers, driven by hand."""

    def __init__(self):
        self.now, self.timers = 0.0, []

    def time(self):
        return self.now

    def call_at(self, when, what):
        self.timers.append(asyncio.TimerHandle(when, what, (), asyncio.get_running_loop()))
        return self.timers[-1]

    def until(self, now):
        """Whether anything is left after this moment."""
        while due := sorted([each for each in self.timers if each.when() <= now], key=asyncio.TimerHandle.when):
            self.now = max(self.now, due[0].when())
            self.timers.remove(due[0])
            if not due[0].cancelled():
                due[0]._callback()
        self.now = now
        return any(not each.cancelled() for each in self.timers)


@pytest.fixture
async def alarm(monkeypatch):
    made, rung = Alarm(None, None, None), []
    made._loop = Loop()
    monkeypatch.setattr(Alarm, "_ring", lambda self: rung.append(self._loop.now))
    return made, made._loop, rung


async def test_an_alarm_rings_once_when_the_last_wait_is_over(alarm):
    alarm, loop, rung = alarm
    for now in range(0, 50, 10):
        loop.until(now)
        alarm.rest()
        alarm.wait(15)
    assert loop.until(54) and not rung
    assert not loop.until(1000) and rung == [55]


async def test_an_alarm_at_rest_does_not_ring_and_a_shorter_wait_rings_first(alarm):
    alarm, loop, rung = alarm
    alarm.wait(15)
    loop.until(10)
    alarm.rest()
    assert not loop.until(100) and not rung
    alarm.wait(100)
    alarm.rest()
    alarm.wait(5)
    assert not loop.until(300) and rung == [105]
    alarm.wait(5)
    alarm.cancel()
    assert not loop.until(400) and rung == [105]
