"""Whatever breaks while a message of a WebSocket is judged: it does not move, and the WebSocket is closed."""

from __future__ import annotations

import asyncio
import socket

import pytest
from mitmproxy import exceptions

from sluicegate.errors import Refusal
from sluicegate.exchange import Upgrade
from sluicegate.lockdown.websocket import accept
from tests.e2e.sockets import CLOSE, KEY, TEXT, frame, sends, switch
from tests.pipeline.conftest import Room
from tests.pipeline.test_pipeline_fails_closed import ERRORS, NAMES, raising
from tests.running import Wire

SECRET = b'{"ssn":"123-45-6789"}'


class Agrees(Room):
    """What lockdown, identity and policy decide of a WebSocket that may be."""

    name = "agrees"

    def __init__(self):
        super().__init__()
        self.request = self._request
        self.response = self._response

    def _request(self, flow, exchange):
        exchange.upgrade = Upgrade(KEY, accept(KEY), accept(KEY))

    def _response(self, flow, exchange):
        exchange.switching = True

    def socket_message(self, flow, exchange):
        exchange.principal, exchange.verdict = exchange.opened.principal, exchange.opened.verdict


class Breaks(Room):
    name = "breaks"

    def __init__(self, **hooks):
        super().__init__()
        self.socket_message = lambda flow, exchange: None
        for name, hook in hooks.items():
            setattr(self, name, hook)


async def start(rig, **hooks):
    breaks = Breaks(**hooks)
    await rig.start(Agrees(), breaks)
    return breaks


async def listen(rig, *, says=b""):
    """The head of the answer, and every byte behind it. The service sends a secret, or is sent `says`."""
    rig.origin.respond = switch if says else sends(frame(b"{}"), frame(SECRET))

    def ask():
        wire, host = Wire(rig.port, timeout=60), f"127.0.0.1:{rig.origin.port}"
        wire.send(
            f"GET http://{host}/x HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n".encode()
        )
        try:
            head = wire.head()
            if head.startswith(b"HTTP/1.1 101") and says:
                wire.send(frame(says, masked=True) + frame((1000).to_bytes(2, "big"), CLOSE, masked=True))
            if not head.startswith(b"HTTP/1.1 101"):
                wire.socket.shutdown(socket.SHUT_WR)  # or the connection would be kept
            return head, wire.rest()
        finally:
            wire.close()

    return await asyncio.to_thread(ask)


def closed(seen: bytes) -> int:
    """The code of the close frame at the end."""
    at = seen.rindex(bytes([0x80 | CLOSE]))
    return int.from_bytes(seen[at + 2 : at + 4], "big")


async def test_what_every_stage_let_through_moves(rig):
    await start(rig)
    head, seen = await listen(rig)
    assert head.startswith(b"HTTP/1.1 101") and seen == frame(b"{}") + frame(SECRET)
    await listen(rig, says=SECRET)
    assert await told(rig) == [SECRET]


@pytest.mark.parametrize("way", ["to the client", "to the service"])
@pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("error", [*ERRORS, Refusal(451, "x", "x", "x")], ids=[*NAMES, "Refusal"])
async def test_a_stage_that_breaks(rig, error, later, way):
    await start(rig, socket_message=raising(error, later=later))
    says = SECRET if way == "to the service" else b""
    head, seen = await listen(rig, says=says)
    assert head.startswith(b"HTTP/1.1 101") and closed(seen) == 1008
    assert b"123-45-" not in seen and await told(rig) == []


async def told(rig) -> list[bytes]:
    """The messages that the service was sent, in clear, once its connections have ended: it reads on its own threads."""
    while rig.origin.ended < rig.origin.connections:
        await asyncio.sleep(0)
    data = bytes(rig.origin.received).split(b"\r\n\r\n")[-1]
    found = []
    while len(data) >= 6:
        size = data[1] & 127
        key, payload, kind = data[2:6], data[6 : 6 + size], data[0] & 15
        if kind == TEXT:
            found.append(bytes(byte ^ key[at % 4] for at, byte in enumerate(payload)))
        data = data[6 + size :]
    return found


async def test_a_hook_that_takes_too_long(rig):
    async def forever(flow, exchange):
        await asyncio.Event().wait()

    await start(rig, socket_message=forever, limit=0.01)
    _, seen = await listen(rig)
    assert closed(seen) == 1008 and b"123-45-" not in seen


@pytest.mark.parametrize("index", range(6))
async def test_an_entry_that_is_gone(rig, index):
    """Before it begins the request is refused; behind the 101 nothing moves."""
    await start(rig, response=lambda flow, exchange: rig.master.addons.remove(rig.line.entries[index]))
    head, seen = await listen(rig)
    assert b"123-45-" not in head + seen and frame(b"{}") not in seen


@pytest.mark.parametrize("index", range(2, 6))
async def test_an_entry_without_its_hook(rig, index):
    await start(rig)
    del vars(rig.line.entries[index])["socket_message"]
    _, seen = await listen(rig)
    assert b"123-45-" not in seen and frame(b"{}") not in seen


async def test_the_first_entry_without_its_hook(rig, monkeypatch):
    await start(rig)
    monkeypatch.delattr(type(rig.line.entries[0]), "socket_message")
    _, seen = await listen(rig)
    assert b"123-45-" not in seen and frame(b"{}") not in seen


@pytest.mark.parametrize("how", ["closed", "draining"])
async def test_a_gateway_that_closes_meanwhile(rig, how):
    def then(flow, exchange):
        if how == "closed":
            rig.line.open = False
        else:
            rig.line.draining = True

    await start(rig, response=then)
    if how == "closed":
        head, seen = await listen(rig)
        assert b"123-45-" not in head + seen
    else:
        _, seen = await listen(rig)
        assert closed(seen) == 1001 and b"123-45-" not in seen and frame(b"{}") not in seen


@pytest.mark.parametrize(
    "error", [RuntimeError("broken"), exceptions.AddonHalt(), Refusal(451, "x", "x", "x")], ids=str
)
async def test_what_breaks_before_the_101(rig, error):
    await start(rig, response=raising(error, later=False))
    head, seen = await listen(rig)
    assert not head.startswith(b"HTTP/1.1 101") and b"123-45-" not in head + seen


async def test_a_101_that_nobody_let_through(rig):
    """The last sentinel did not say a word."""
    await start(rig)
    rig.line.entries[-1].addon.response = lambda flow, exchange: None
    head, seen = await listen(rig)
    assert not head.startswith(b"HTTP/1.1 101") and b"123-45-" not in head + seen


async def test_a_message_of_somebody_else_in_the_chain(rig):
    """An addon that is not ours changes what it sees: what leaves is what was judged."""

    class Other:
        name = "other"

        def socket_message(self, flow):
            flow.websocket.messages[-1].content = SECRET

    await rig.start(Agrees(), Breaks(), others=[Other()])
    head, seen = await listen(rig, says=b"{}")
    assert b"123-45-" not in head + seen and await told(rig) == [b"{}"]
