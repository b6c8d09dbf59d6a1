"""mitmproxy's own HTTP layers, with the bounds and the answers that they lack.

The stock layers keep what they cannot read yet without any bound, crash on HTTP/1 trailers (the client then hangs until
its time-out), and answer broken exchanges in their own words, which quote whatever broke: a header line of the service,
say, unmasked. These subclasses take their places in `mitmproxy.proxy.layers.http`, which looks them up by name.
They are made for the pinned version; tests/pipeline/test_pipeline_http_layers.py says what they rely on.
"""

from __future__ import annotations

from typing import Any

import h11
from h11._receivebuffer import ReceiveBuffer
from mitmproxy.connection import ConnectionState
from mitmproxy.http import Headers
from mitmproxy.net.http import http1, url
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import http as layers
from mitmproxy.proxy.layers.http import _events as http_events
from mitmproxy.proxy.layers.http import _http1, _http2
from mitmproxy.proxy.layers.http._base import HttpConnection, ReceiveHttp

from sluicegate.errors import Fault
from sluicegate.pipeline import broken, refuse
from sluicegate.pipeline.http_stream import GateStream

MAX_UNREAD = 256 << 10
"""Bytes of one connection that may wait to be read: a header section without an end, or requests behind one that is
not answered yet. What goes beyond ends the connection."""

Commands = layer.CommandGenerator[None]

_IN_LINES = ("HTTP/1.0", "HTTP/1.1")
"""Versions whose messages are lines of text."""


def put_in() -> None:
    """Let mitmproxy make these layers from now on; twice changes nothing. Raises Fault for layers it does not know."""
    ours = {
        "Http1Server": GateHttp1Server,
        "Http1Client": GateHttp1Client,
        "Http2Server": GateHttp2Server,
        "Http2Client": GateHttp2Client,
        "HttpStream": GateStream,
    }
    for name, kind in ours.items():
        stock = getattr(layers, name)
        if stock is not kind and not issubclass(kind, stock):
            raise Fault(f"mitmproxy's {name} is not the one that this gateway was made for.")
        setattr(layers, name, kind)


class _Http1(_http1.Http1Connection):
    """What both sides of HTTP/1 share."""

    def _handle_event(self, event: events.Event) -> Commands:
        yield from super()._handle_event(event)
        if len(self.buf) > MAX_UNREAD:
            yield from self.flooded()
            self.buf = ReceiveBuffer()
            self.state = self.done

    def read_body(self, event: events.Event) -> Commands:
        assert self.stream_id is not None and self.request is not None
        while True:
            try:
                part = (
                    self.body_reader(self.buf)
                    if isinstance(event, events.DataReceived)
                    else self.body_reader.read_eof()
                )
            except h11.ProtocolError:
                yield from self.bad_body(gone=isinstance(event, events.ConnectionClosed))
                return
            if isinstance(part, h11.Data):
                if part.data:
                    yield ReceiveHttp(self.ReceiveData(self.stream_id, bytes(part.data)))
            elif isinstance(part, h11.EndOfMessage):
                yield from self.trailers(list(part.headers))
                if self.request.data.method.upper() != b"CONNECT":
                    yield ReceiveHttp(self.ReceiveEndOfMessage(self.stream_id))
                is_request = isinstance(self, _http1.Http1Server)
                yield from self.mark_done(request=is_request, response=not is_request)
                return
            else:
                return

    def flooded(self) -> Commands:
        raise NotImplementedError

    def bad_body(self, *, gone: bool) -> Commands:
        raise NotImplementedError

    def trailers(self, fields: list[tuple[bytes, bytes]]) -> Commands:
        raise NotImplementedError


class GateHttp1Server(_Http1, _http1.Http1Server):
    """The side of the client. What it cannot read becomes an exchange all the same: refused, and on the record."""

    def read_headers(self, event: events.ConnectionEvent) -> Commands:
        if not isinstance(event, events.DataReceived):
            yield commands.CloseConnection(self.conn)
            return
        lines = self.buf.maybe_extract_lines()
        while lines is not None and not lines:  # empty lines before a request are skipped (RFC 9112 section 2.2)
            lines = self.buf.maybe_extract_lines()
        if lines is None:
            return
        try:
            request = http1.read_request_head([bytes(line) for line in lines])
            if request.http_version not in _IN_LINES:
                raise ValueError("a request that calls itself HTTP/2 would be held to the rules of HTTP/2")
            self.request = request
            size = http1.expected_http_body_size(request)
        except ValueError:
            yield from self._refuse(broken.UNREADABLE_HEAD)
            return
        if not self._addressed():
            yield from self._refuse(broken.NO_HOST)
            return
        yield ReceiveHttp(http_events.RequestHeaders(self.stream_id, self.request, size == 0))
        self.body_reader = _http1.make_body_reader(size)
        self.state = self.read_body
        yield from self.state(event)

    def send(self, event: http_events.HttpEvent) -> Commands:
        if isinstance(event, http_events.ResponseProtocolError):
            # 100 Continue is no answer yet.
            begun = self.response is not None and self.response.status_code != 100
            answer = _answer(self, event)
            if answer is not None and not begun:
                answer = answer.copy()
                answer.headers["connection"] = "close"
                yield commands.SendData(self.conn, http1.assemble_response(answer))
                yield commands.CloseConnection(self.conn)
                return
        yield from super().send(event)

    def flooded(self) -> Commands:
        if self.state == self.read_headers:
            self.request = None
            yield from self._refuse(broken.HEAD_TOO_LARGE)
        elif self.state == self.read_body:
            yield from self.bad_body(gone=False)
        elif self.state == self.wait:
            yield ReceiveHttp(
                http_events.RequestProtocolError(
                    self.stream_id, broken.TOO_MUCH_BEHIND, http_events.ErrorCode.CLIENT_DISCONNECTED
                )
            )
            yield commands.CloseConnection(self.conn)

    def bad_body(self, *, gone: bool) -> Commands:
        self.state = self.done
        if gone:
            yield commands.CloseConnection(self.conn)
            code = http_events.ErrorCode.CLIENT_DISCONNECTED
            yield ReceiveHttp(http_events.RequestProtocolError(self.stream_id, broken.CLIENT_GONE, code))
        else:
            code = http_events.ErrorCode.GENERIC_CLIENT_ERROR
            yield ReceiveHttp(http_events.ResponseProtocolError(self.stream_id, broken.UNREADABLE_BODY, code))

    def trailers(self, fields: list[tuple[bytes, bytes]]) -> Commands:
        if fields:  # lockdown refuses them
            yield ReceiveHttp(http_events.RequestTrailers(self.stream_id, Headers(fields)))

    def _addressed(self) -> bool:
        # Without this mitmproxy answers by itself, and no hook hears of it.
        request = self.request
        if request is None or request.host or request.method == "CONNECT":
            return True
        if _parent(self).mode is not layers.HTTPMode.regular:
            return True
        try:
            url.parse_authority(request.host_header or "", check=True)
        except ValueError:
            return False
        return True

    def _refuse(self, why: str) -> Commands:
        request = self.request
        if request is None or not request.host:
            request = broken.stand_in(self.conn, request)
        self.request = request
        self.state = self.done
        yield ReceiveHttp(http_events.RequestHeaders(self.stream_id, request, False))
        code = http_events.ErrorCode.GENERIC_CLIENT_ERROR
        yield ReceiveHttp(http_events.ResponseProtocolError(self.stream_id, why, code))


class GateHttp1Client(_Http1, _http1.Http1Client):
    """The side of the service. Nothing of what it sent is quoted when it cannot be read: nobody has masked that."""

    def read_headers(self, event: events.ConnectionEvent) -> Commands:
        if not isinstance(event, events.DataReceived):
            if self.conn.state & ConnectionState.CAN_WRITE:
                yield commands.CloseConnection(self.conn)
            yield from self._broke()
            return
        if self.request is None:
            yield commands.Log("The service sent something that nobody had asked for.")
            yield commands.CloseConnection(self.conn)
            return
        assert self.stream_id is not None
        lines = self.buf.maybe_extract_lines()
        if not lines:
            return
        try:
            self.response = http1.read_response_head([bytes(line) for line in lines])
            size = http1.expected_http_body_size(self.request, self.response)
        except ValueError:
            yield commands.CloseConnection(self.conn)
            yield from self._broke()
            return
        yield ReceiveHttp(http_events.ResponseHeaders(self.stream_id, self.response, size == 0))
        self.body_reader = _http1.make_body_reader(size)
        self.state = self.read_body
        yield from self.state(event)

    def flooded(self) -> Commands:
        yield commands.CloseConnection(self.conn)
        yield from self._broke()

    def bad_body(self, *, gone: bool) -> Commands:
        yield commands.CloseConnection(self.conn)
        yield from self._broke()

    def trailers(self, fields: list[tuple[bytes, bytes]]) -> Commands:
        # A recipient may leave trailers out (RFC 9110 section 6.5.1), and nothing here masks them.
        yield from ()

    def _broke(self) -> Commands:
        if self.stream_id is not None:
            code = http_events.ErrorCode.GENERIC_SERVER_ERROR
            yield ReceiveHttp(http_events.ResponseProtocolError(self.stream_id, broken.SERVICE_BROKE, code))


class _Http2(_http2.Http2Connection):
    def protocol_error(self, message: str, error_code: int = 1) -> Commands:
        # The library's message may quote a header, and mitmproxy logs it.
        yield from super().protocol_error("HTTP/2 protocol error", error_code)


class GateHttp2Server(_Http2, _http2.Http2Server):
    """The side of the client: broken exchanges get our answer."""

    def _handle_event(self, event: events.Event) -> Commands:
        if isinstance(event, http_events.ResponseProtocolError) and self.is_open_for_us(event.stream_id):
            answer = _answer(self, event)
            stream: Any = self.h2_conn.streams[event.stream_id]
            if answer is not None and not stream.state_machine.headers_sent:
                body = answer.raw_content or b""
                yield from super()._handle_event(http_events.ResponseHeaders(event.stream_id, answer, not body))
                if body:
                    yield from super()._handle_event(http_events.ResponseData(event.stream_id, body))
                    yield from super()._handle_event(http_events.ResponseEndOfMessage(event.stream_id))
                return
        yield from super()._handle_event(event)


class GateHttp2Client(_Http2, _http2.Http2Client):
    """The side of the service."""


def _parent(connection: HttpConnection) -> layers.HttpLayer:
    stack = connection.context.layers
    parent = stack[stack.index(connection) - 1]
    assert isinstance(parent, layers.HttpLayer)
    return parent


def _answer(connection: HttpConnection, event: http_events.ResponseProtocolError) -> refuse.Refused | None:
    """Our refusal for a broken exchange. None where mitmproxy would not answer either, or the hook made none."""
    stream = _parent(connection).streams.get(event.stream_id)
    if stream is None or event.code.http_status_code() is None:
        return None
    response = stream.flow.response
    return response if isinstance(response, refuse.Refused) else None
