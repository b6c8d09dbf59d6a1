"""Whatever breaks in a hook, on the real dispatcher with real sockets: a refusal, and the secret never leaves."""

import asyncio
import json

import pytest
from mitmproxy import exceptions, http

from sluicegate.errors import Refusal
from tests.pipeline.conftest import SECRET, Room

ERRORS = [
    RuntimeError("broken"),
    TimeoutError(),
    exceptions.AddonHalt(),
    exceptions.OptionsError("x"),
    asyncio.CancelledError(),
    ValueError(),
    KeyError("x"),
    RecursionError(),
    MemoryError(),
]
NAMES = [type(error).__name__ for error in ERRORS]


def raising(error, *, later):
    def sync(*args):
        raise error

    async def awaited(*args):
        await asyncio.sleep(0)
        raise error

    return awaited if later else sync


async def test_the_rig_lets_through_what_every_stage_let_through(rig):
    await rig.start(Room())
    status, _, body = await rig.get()
    assert (status, body) == (200, SECRET)


@pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("error", ERRORS, ids=NAMES)
async def test_request(rig, error, later):
    await rig.start(Room(request=raising(error, later=later)))
    status, headers, body = await rig.get()
    assert status == 503 and headers["content-type"] == "application/problem+json"
    assert json.loads(body)["type"] == "urn:sluicegate:gateway-error"
    assert "broken" not in body.decode()
    assert not rig.origin.received


@pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("error", ERRORS, ids=NAMES)
async def test_response(rig, error, later):
    await rig.start(Room(response=raising(error, later=later)))
    status, _, body = await rig.get()
    assert status == 502 and b"123-45-" not in body


@pytest.mark.parametrize("hook", ["request", "response"])
async def test_a_hook_that_takes_too_long(rig, hook):
    async def forever(flow, exchange):
        await asyncio.Event().wait()

    room = Room(**{hook: forever})
    room.limit = 0.01
    await rig.start(room)
    status, _, body = await rig.get()
    assert status in (0, 502, 503) and b"123-45-" not in body


@pytest.mark.parametrize("hook", ["request", "response"])
async def test_a_refusal_is_what_the_client_gets(rig, hook):
    refusal = Refusal(451, "not-for-you", 'Not "for" you\r\nX: y', "Sorry \u2603 <b>", next_step="Ask.", rules=("r1",))
    await rig.start(Room(**{hook: raising(refusal, later=False)}))
    status, headers, body = await rig.get()
    document = json.loads(body)
    assert status == 451 and "x" not in headers
    assert document["detail"] == "Sorry \u2603 <b>" and document["rules"] == ["r1"] and document["next_step"] == "Ask."
    assert "not-for-you" in headers["proxy-status"]


async def test_a_refused_head_request_has_no_body(rig):
    await rig.start(Room(request=raising(Refusal(403, "x", "x", "x"), later=False)))
    status, headers, _ = await rig.get(method="HEAD")
    assert status == 403 and headers["content-length"] == "0"


async def test_a_later_stage_is_not_asked_after_a_refusal_unless_it_wants_to(rig):
    seen = []
    first, second, third = (Room() for _ in range(3))
    first.request = raising(Refusal(403, "x", "x", "x"), later=False)
    second.name, second.request = "second", lambda flow, exchange: seen.append("second")
    third.name, third.request, third.sees_refusals = "third", lambda flow, exchange: seen.append("third"), True
    await rig.start(first, second, third)
    assert (await rig.get())[0] == 403
    assert seen == ["third"]


@pytest.mark.parametrize("hook", ["server_connect", "next_layer", "client_connected"])
@pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
async def test_connections(rig, hook, later):
    await rig.start(Room(**{hook: raising(RuntimeError("broken"), later=later)}))
    status, _, body = await rig.get()
    assert status in (0, 502) and b"123-45-" not in body
    assert not rig.origin.received


async def test_before_it_is_open_and_after_it_is_closed(rig):
    await rig.start(Room(), opened=False)
    assert (await rig.get())[0] == 503
    rig.line.open = True
    assert (await rig.get())[0] == 200
    rig.line.open = False
    assert (await rig.get())[0] == 503


async def test_while_draining_new_requests_are_turned_away(rig):
    await rig.start(Room())
    rig.line.draining = True
    status, headers, _ = await rig.get()
    assert status == 503 and headers["retry-after"] == "5"
    assert not rig.origin.received


@pytest.mark.parametrize("index", range(5))
async def test_removing_any_single_entry(rig, index):
    await rig.start(Room())
    rig.master.addons.remove(rig.line.entries[index])
    status, _, body = await rig.get()
    assert status == 503 and b"123-45-" not in body
    assert not rig.origin.received


@pytest.mark.parametrize(("index", "hook"), [(1, "request"), (2, "request"), (2, "response"), (3, "request"),
                                              (3, "response"), (4, "request"), (4, "response")])  # fmt: skip
async def test_breaking_any_single_addon(rig, index, hook):
    await rig.start(Room())
    setattr(rig.line.entries[index].addon, hook, raising(RuntimeError("broken"), later=False))
    status, _, body = await rig.get()
    assert status in (0, 502, 503) and b"123-45-" not in body


@pytest.mark.parametrize("how", ["breaks", "is gone"])
@pytest.mark.parametrize(("index", "hook"), [(1, "request"), (2, "request"), (2, "response"), (3, "request"),
                                              (3, "response")])  # fmt: skip
async def test_breaking_the_wrapper_itself(rig, index, hook, how):
    await rig.start(Room())
    entry = rig.line.entries[index]
    with pytest.raises(AttributeError):
        setattr(entry, hook, raising(RuntimeError("broken"), later=False))
    with pytest.raises(AttributeError):
        delattr(entry, hook)
    if how == "breaks":
        vars(entry)[hook] = raising(RuntimeError("broken"), later=False)
    else:
        del vars(entry)[hook]
    status, _, body = await rig.get()
    assert status in (0, 502, 503) and b"123-45-" not in body


async def test_entries_in_another_order_are_no_pipeline(rig):
    await rig.start(Room())
    chain = rig.master.addons.chain
    at = chain.index(rig.line.entries[1])
    chain[at], chain[at + 1] = chain[at + 1], chain[at]
    assert (await rig.get())[0] == 503


async def test_an_addon_of_somebody_else_cannot_answer_or_stream(rig):
    class Other:
        name = "other"

        def __init__(self):
            self.answers = False

        def requestheaders(self, flow):
            flow.request.stream = True

        def responseheaders(self, flow):
            flow.response.stream = True

        def request(self, flow):
            if self.answers:
                flow.response = http.Response.make(200, b"from elsewhere")

    other = Other()
    room = Room(response=raising(RuntimeError("broken"), later=False))
    await rig.start(room)
    rig.master.addons.chain.insert(0, rig.master.addons.register(other))
    status, _, body = await rig.get(method="POST", body=b"x" * 1000)
    assert status == 502 and b"123-45-" not in body
    other.answers = True
    status, _, body = await rig.get()
    assert status == 502 and b"from elsewhere" not in body


async def test_bodies_over_the_limit_end_refused(rig):
    await rig.start(Room())
    status, _, body = await rig.get(method="POST", body=b"x" * (1 << 21))
    assert status == 413 and not rig.origin.received
    rig.origin.respond = lambda request: (
        b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n" + SECRET + bytes(64 << 10)
    )
    status, _, body = await rig.get()
    assert status == 502 and b"123-45-" not in body
