"""A WebSocket that a service has agreed to: each message is judged as an exchange of its own, and then moves, or the
whole is closed.

mitmproxy's own layer forwards a message when a hook fails, keeps all messages in memory, and takes parts of a character
that stand in two frames for garbage. It is never used. Nothing moves here but whole messages that every stage let
through: pings and pongs go from end to end without what was written into them, and closes without their reason.

RFC 6455; frames are read and written by wsproto.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import wsproto.events
from mitmproxy import connection, http
from mitmproxy.proxy import commands, context, events, layer
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.frame_protocol import CloseReason, Opcode
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from sluicegate.exchange import Exchange, Message
from sluicegate.pipeline import passing
from sluicegate.pipeline.line import Line

logger = logging.getLogger(__name__)

Commands = layer.CommandGenerator[None]

PINGS = 16
"""Pings of one side that may wait for their pong."""
_REASON = 123
"""Bytes of a close frame's reason (RFC 6455 section 5.5)."""
_GONE = 1001
_REFUSED = 1008
_TOO_BIG = 1009
_PLACE = "sluicegate_message"


@dataclass
class SocketMessageHook(commands.StartHook):
    """A whole message has come. Its flow is its own, with the request and the 101 that opened the WebSocket."""

    flow: http.HTTPFlow


@dataclass
class SocketEndHook(commands.StartHook):
    """The WebSocket that this flow opened is closed."""

    flow: http.HTTPFlow


def begin(flow: http.HTTPFlow, line: Line) -> None:
    """Make the exchange of a message. It is judged by the policy of now."""
    message, opened = flow.__dict__[_PLACE]
    line.message(flow, message, opened)


def hold(flow: http.HTTPFlow) -> None:
    """Read nothing more from either side for now: what came meanwhile would be kept, however much it is."""
    for side in (flow.client_conn, flow.server_conn):
        passing.hold(flow, side)


class _Side:
    """One of the two connections, and what has come of the message that it is sending."""

    def __init__(self, conn: connection.Connection, kind: ConnectionType) -> None:
        self.conn = conn
        self.frames = Frames(kind)
        self.parts: list[bytes] = []
        self.size = 0
        self.pings: OrderedDict[bytes, bytes] = OrderedDict()
        """What was sent as a ping to this side, and what the other side's ping had in it."""
        self._count = 0

    def ping(self, payload: bytes) -> bytes | None:
        """What stands in the ping for this side, instead of the other's words. None: too many wait."""
        if len(self.pings) >= PINGS:
            return None
        self._count += 1
        mark = self._count.to_bytes(4, "big")
        self.pings[mark] = payload
        return mark

    def pong(self, mark: bytes) -> bytes | None:
        """What the pong for the other side has in it, as it asked for it. None: nobody asked."""
        if mark not in self.pings:
            return None
        while True:  # one pong answers all that came before (section 5.5.3)
            first, payload = self.pings.popitem(last=False)
            if first == mark:
                return payload

    def open(self) -> bool:
        """Whether a close can still be sent there."""
        return self.frames.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING)


class SocketLayer(layer.Layer):
    """Relays messages that were let through. `limit` bounds a message, in bytes."""

    def __init__(self, context: context.Context, flow: http.HTTPFlow, exchange: Exchange, limit: int) -> None:
        super().__init__(context)
        self.flow = flow
        self.exchange = exchange
        self._limit = limit
        self._over = False
        self._client = _Side(context.client, ConnectionType.SERVER)
        self._server = _Side(context.server, ConnectionType.CLIENT)

    def _handle_event(self, event: events.Event) -> Commands:
        try:
            if isinstance(event, events.DataReceived | events.ConnectionClosed) and not self._over:
                yield from self._event(event)
        except Exception:
            logger.exception("a WebSocket broke; it is closed")
            yield from self._cut("gateway", 1011)

    def _event(self, event: events.DataReceived | events.ConnectionClosed) -> Commands:
        side = self._client if event.connection == self.context.client else self._server
        by = "client" if side is self._client else "service"
        if isinstance(event, events.ConnectionClosed):
            # Without a close frame: the other one must not take it for a clean end.
            yield from self._cut(by, int(CloseReason.ABNORMAL_CLOSURE))
            return
        try:
            side.frames.receive_data(event.data)
        except (LocalProtocolError, RemoteProtocolError):
            yield from self._cut(by, int(CloseReason.PROTOCOL_ERROR))
            return
        for found in side.frames.events():
            match found:
                case wsproto.events.Message():
                    yield from self._part(side, found)
                case wsproto.events.Ping():
                    yield from self._ping(side, bytes(found.payload))
                case wsproto.events.Pong():
                    yield from self._pong(side, bytes(found.payload))
                case wsproto.events.CloseConnection():
                    yield from self._closing(side, by, int(found.code))
                case _:
                    raise AssertionError("an event of wsproto that nobody knows")
            if self._over:
                return

    def _part(self, side: _Side, found: wsproto.events.Message[Any]) -> Commands:
        data = found.data.encode() if isinstance(found.data, str) else bytes(found.data)
        side.size += len(data)
        if side.size > self._limit:
            yield from self._end("gateway", _TOO_BIG, f"message-too-large: at most {self._limit} bytes")
            return
        side.parts.append(data)
        if not found.message_finished:
            return
        content, side.parts, side.size = b"".join(side.parts), [], 0
        yield from self._message(side, content, isinstance(found.data, str))

    def _message(self, side: _Side, content: bytes, text: bool) -> Commands:
        message = Message(side is self._client, text, content)
        flow = http.HTTPFlow(self.flow.client_conn, self.flow.server_conn)
        flow.request, flow.response = self.flow.request, self.flow.response
        kind = Opcode.TEXT if text else Opcode.BINARY
        flow.websocket = WebSocketData([WebSocketMessage(kind, message.from_client, content, time.time())])
        flow.__dict__[_PLACE] = (message, self.exchange)
        yield SocketMessageHook(flow)
        for each in (self._client, self._server):
            passing.release(flow, each.conn)
        judged: Exchange | None = flow.__dict__.get("sluicegate_exchange")
        if judged is None or judged.refusal is not None or not message.cleared or not self.exchange.switched:
            refusal = judged.refusal if judged is not None else None
            said = f"{refusal.code}: {refusal.detail}" if refusal is not None else "gateway-error"
            leaving = refusal is not None and refusal.code == "not-serving"
            yield from self._end("gateway", _GONE if leaving else _REFUSED, said)
            return
        other = self._server if message.from_client else self._client
        if other.frames.state is not ConnectionState.OPEN:
            return
        sent: wsproto.events.Event
        if text:
            sent = wsproto.events.TextMessage(data=message.content.decode())
        else:
            sent = wsproto.events.BytesMessage(data=message.content)
        data = other.frames.send(sent)
        moved = self.exchange.moved
        moved.messages += 1
        if message.from_client:
            moved.sent += len(message.content)
        else:
            moved.received += len(message.content)
        yield commands.SendData(other.conn, data)

    def _ping(self, side: _Side, payload: bytes) -> Commands:
        other = self._other(side)
        mark = other.ping(payload)
        if mark is None:
            yield from self._end("gateway", _REFUSED, "too-many-pings")
        elif other.frames.state is ConnectionState.OPEN:
            yield commands.SendData(other.conn, other.frames.send(wsproto.events.Ping(mark)))

    def _pong(self, side: _Side, mark: bytes) -> Commands:
        payload, other = side.pong(mark), self._other(side)
        if payload is not None and other.frames.state is ConnectionState.OPEN:
            yield commands.SendData(other.conn, other.frames.send(wsproto.events.Pong(payload)))

    def _closing(self, side: _Side, by: str, code: int) -> Commands:
        """A close frame, or frames that break the protocol, of which wsproto makes one."""
        clean = side.frames.state is ConnectionState.REMOTE_CLOSING
        yield from self._ended(by, code)
        for each in (side, self._other(side)):
            yield from self._close(each, code if clean or each is side else _GONE)

    def _end(self, by: str, code: int, why: str) -> Commands:
        """Close both. The reason is the client's: a service is told nothing of rules."""
        yield from self._ended(by, code)
        yield from self._close(self._client, code, why)
        yield from self._close(self._server, _GONE)

    def _cut(self, by: str, code: int) -> Commands:
        yield from self._ended(by, code)
        for each in (self._client, self._server):
            yield commands.CloseConnection(each.conn)

    def _close(self, side: _Side, code: int, why: str = "") -> Commands:
        if side.open():
            reason = why.encode()[:_REASON].decode(errors="ignore") or None
            yield commands.SendData(side.conn, side.frames.send(wsproto.events.CloseConnection(code, reason)))
        yield commands.CloseConnection(side.conn)

    def _ended(self, by: str, code: int) -> Commands:
        if self._over:
            return
        self._over = True
        moved = self.exchange.moved
        moved.code, moved.by = code, by  # type: ignore[assignment]
        yield SocketEndHook(self.flow)
        self.flow.live = False

    def _other(self, side: _Side) -> _Side:
        return self._server if side is self._client else self._client
