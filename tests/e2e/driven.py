"""A whole gateway in process, with a clock that the test drives, and a client for each person and service."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mitmproxy.options import Options

from sluicegate.clock import SetClock
from sluicegate.database import Database
from sluicegate.database.tables import findings, habits
from sluicegate.detection.habit import unpack
from sluicegate.detection.relearned import replace, states
from sluicegate.detection.watching import Watching
from sluicegate.detection.weighing import Weighing
from sluicegate.exchange import Principal
from sluicegate.pipeline import order
from sluicegate.pipeline.embedded import EmbeddedMaster
from sluicegate.pipeline.install import install
from sluicegate.settings import State, load
from tests.e2e.sockets import KEY, frame
from tests.running import Wire

ISSUER = "https://idp.test"


def read_on(wire: Wire, until: bytes = b"") -> bytes:
    """To the end of a chunked answer, or until so much is there."""
    seen = b""
    while not (seen.endswith(b"\r\n0\r\n\r\n") or (until and until in seen)):
        piece = wire.socket.recv(65_536)
        if not piece:
            break
        seen += piece
    return seen


class StandIn:
    """Believes a header: who somebody is, is not what is tested here."""

    name = "identity"
    groups = frozenset({"eng"})

    def __init__(self, settings, database, clock, *, console=""):
        self.recognizer = None

    def request(self, flow, exchange):
        who = flow.request.headers.pop("x-who")
        exchange.job = flow.request.headers.pop("x-job", None)
        exchange.principal = Principal(who, ISSUER, self.groups, session=f"s-{who}", name=who.title())
        exchange.over = lambda: None

    def socket_message(self, flow, exchange):
        exchange.principal = exchange.opened.principal


class Gate:
    """The gateway with its own loop, and one connection, on which one request follows the other."""

    def __init__(self, path: Path, state: State, clock: SetClock) -> None:
        self._path, self._state = path, state
        self.gateway = order.build(load(path), state, clock=clock)
        self.clock = clock

    async def start(self) -> Gate:
        await self.gateway.open()
        self.master = EmbeddedMaster(Options())
        self.master.options.update(listen_host="127.0.0.1", listen_port=0)
        install(self.master, self.gateway, opens=False)
        self.master.options.update(mode=["regular"])
        self.task = asyncio.create_task(self.master.run())
        while not self.master.proxyserver.listen_addrs():
            await asyncio.sleep(0)
        self.port = self.master.proxyserver.listen_addrs()[0][1]
        self.wire = Wire(self.port)
        return self

    async def beside(self) -> Gate:
        """The same gateway, through another connection."""
        other = copy.copy(self)
        other.wire = await asyncio.to_thread(Wire, self.port)
        return other

    async def restart(self) -> None:
        """The same gateway again, which knows what it has written down."""
        await self.stop()
        self.gateway = order.build(load(self._path), self._state, clock=self.clock)
        await self.start()

    def room(self, name: str) -> Any:
        """One of the gateway's rooms."""
        return next(room for room in self.gateway.rooms if room.name == name)

    async def learned(self) -> None:
        """Until what was handed over is held by whoever received it."""
        waiting = self.room("risk").taints._pending
        await asyncio.gather(*[task for several in list(waiting.values()) for task in several])

    async def answer(self, at, who, port, path, method="GET", body=b"", job=None) -> tuple[int, dict[str, str], bytes]:
        """Ask at a time; status, fields and body of the answer."""
        self.clock.time = at
        head = f"{method} http://127.0.0.1:{port}{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nx-who: {who}\r\n"
        head += f"x-job: {job}\r\n" if job else ""
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        found = await asyncio.to_thread(self.wire.ask, head.encode() + body)
        await self.learned()
        return found

    async def ask(self, at, who, port, path, method="GET", body=b"", job=None) -> int:
        """Ask at a time; the status, which is that of an answer or of a refusal by a rule."""
        status, _, _ = await self.answer(at, who, port, path, method, body, job)
        assert status in (200, 403), status
        return status

    async def stream(self, at, who, port, path) -> bytes:
        """Ask for what passes piece by piece; all of it."""
        self.clock.time = at
        wire = Wire(self.port)
        head = f"GET http://127.0.0.1:{port}{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nx-who: {who}\r\n\r\n"
        wire.send(head.encode())
        found = await asyncio.to_thread(read_on, wire)
        wire.close()
        return found

    async def socket(self, at, who, port, path) -> Spoken:
        """A WebSocket that somebody opens."""
        self.clock.time = at
        wire = Wire(self.port)
        head = (
            f"GET http://127.0.0.1:{port}{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nx-who: {who}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\n\r\n"
        )
        await asyncio.to_thread(wire.send, head.encode())
        said = await asyncio.to_thread(wire.head)
        assert said.startswith(b"HTTP/1.1 101 "), said
        return Spoken(self, wire)

    async def stop(self) -> None:
        self.wire.close()
        self.master.shutdown()
        await self.task
        await self.gateway.close()


class Spoken:
    """A WebSocket as its client has it."""

    def __init__(self, gate: Gate, wire: Wire) -> None:
        self._gate, self._wire = gate, wire

    async def say(self, at: float, text: bytes) -> tuple[int, bytes]:
        """Send a message at a time; the kind and the payload of the frame that comes: what the service says to it, or the
        gate's close."""
        self._gate.clock.time = at
        await asyncio.to_thread(self._wire.send, frame(text, masked=True))
        return await asyncio.to_thread(self._frame)

    def _frame(self) -> tuple[int, bytes]:
        head = self._exactly(2)
        size = head[1] & 127
        if size > 125:
            size = int.from_bytes(self._exactly(2 if size == 126 else 8), "big")
        return head[0] & 15, self._exactly(size)

    def _exactly(self, length: int) -> bytes:
        found = b""
        while len(found) < length:
            piece = self._wire.socket.recv(length - len(found))
            assert piece, "the connection ended"
            found += piece
        return found

    def close(self) -> None:
        self._wire.close()


async def weeks(path: Path, state: State, fill: Callable[[Watching], None]) -> None:
    """What a gateway has learned before its first day here: `fill` gives events to the same code, with the same policy.
    It is put into the database as `sluicegate recording relearn` puts it."""
    watching = Watching(Weighing(load(path).settings))
    fill(watching)
    database = Database.at(state.database)
    await database.open()
    try:
        learned = states(watching)
        last = max((habit.last for habit in watching.people.values()), default=0.0)
        await database.run(lambda connection: replace(connection, states=learned, now=last), durable=True)
    finally:
        await database.close()


async def stored(state: State) -> tuple[dict[str, Any], dict[str, Any]]:
    """Findings and habits as the database has them."""
    database = Database.at(state.database)
    await database.open()
    rows = await database.read(lambda connection: connection.execute(findings.select()).all())
    kept = await database.read(lambda connection: connection.execute(habits.select()).all())
    await database.close()
    return {row.id: row for row in rows}, {row.name: unpack(row.state) for row in kept}
