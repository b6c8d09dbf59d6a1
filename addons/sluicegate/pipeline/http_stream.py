"""mitmproxy's layer of one exchange, with what it lacks: how it broke, and responses that pass piece by piece.

mitmproxy hands the `error` hook nothing but a sentence. Responses pass that are larger than what is kept, or have no
end; all others are here as a whole before any of them leaves. Made for the pinned version, as http_layers is.
"""

from __future__ import annotations

from functools import partial

from mitmproxy.http import Response
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.layers import http as layers
from mitmproxy.proxy.layers.http import SendHttp, _http2
from mitmproxy.proxy.layers.http import _events as http_events
from mitmproxy.utils import human

from sluicegate.exchange import Exchange
from sluicegate.pipeline import broken, passing, refuse, websocket
from sluicegate.pipeline.patience import PATIENCE, Alarm
from sluicegate.pipeline.stage import internal

Commands = layer.CommandGenerator[None]


class GateStream(layers.HttpStream):
    """Notes how an exchange broke, for the `error` hook, and lets responses pass where every stage agrees."""

    _asked = False
    """Whether the stages were asked, or need not be."""
    _passage: passing.Passage | None = None
    _alarm: Alarm | None = None
    """Rings where the service is silent for too long."""

    def _handle_event(self, event: events.Event) -> Commands:
        alarm = self._alarm
        if isinstance(event, events.Wakeup):
            if alarm is not None and event.command is alarm.command:
                yield from self._silent()
            return
        if alarm is not None:
            alarm.rest()
        yield from super()._handle_event(event)
        if self._waits():
            if self._alarm is None:
                self._alarm = Alarm(self.flow, self._parent(), self)
            self._alarm.wait(PATIENCE.service)
        elif self._alarm is not None:
            self._alarm.cancel()

    def _waits(self) -> bool:
        """Whether it is the service's turn."""
        if self.client_state != self.state_done:
            return False
        state = self.server_state
        return state in (self.state_wait_for_response_headers, self.state_consume_response_body, self.state_pass)

    def _silent(self) -> Commands:
        code = http_events.ErrorCode.GENERIC_SERVER_ERROR
        yield SendHttp(self._over(), self.context.server)
        yield from self.handle_protocol_error(
            http_events.ResponseProtocolError(self.stream_id, broken.SERVICE_SILENT, code)
        )

    def handle_protocol_error(
        self, event: http_events.RequestProtocolError | http_events.ResponseProtocolError
    ) -> Commands:
        late = isinstance(event, http_events.ResponseProtocolError)
        if late and self.server_state == self.state_done and self.client_state == self.state_done:
            return  # its answer has left whole, and the client's connection may be at its next request
        broken.note(
            self.flow, event.message, event.code, answerable=isinstance(event, http_events.ResponseProtocolError)
        )
        if self._passage is not None and self.server_state == self.state_pass:
            self._passage.settle(self.flow, self._exchange())
        yield from super().handle_protocol_error(event)

    def check_body_size(self, request: bool) -> layer.CommandGenerator[bool]:
        if not request and not self._asked and self.flow.response is not None:
            self._asked = not self._may_pass(self.flow.response)
            if not self._asked:
                return False
        return bool((yield from super().check_body_size(request)))

    def state_consume_response_body(self, event: events.Event) -> Commands:
        if self._asked or not isinstance(event, http_events.ResponseData):
            yield from super().state_consume_response_body(event)
            return
        self.response_body_buf += event.data
        hold = passing.HOLD_CODED if self._header("content-encoding") else passing.HOLD
        if len(self.response_body_buf) >= hold or self._header("content-type").startswith("text/event-stream"):
            # Events are waited for: the first of them does not wait for the next.
            self._asked = True
            yield from self._begin(bytes(self.response_body_buf))

    def _may_pass(self, response: Response) -> bool:
        """Whether it may be more than is kept whole, and its client can tell a cut answer from a complete one."""
        request = self.flow.request
        if request.method in ("HEAD", "CONNECT") or request.http_version not in ("HTTP/1.1", "HTTP/2.0"):
            return False
        if response.status_code < 200 or response.status_code in (204, 304):
            return False
        said = response.headers.get("content-length")
        return said is None or not said.isdecimal() or int(said) > self._limit()

    def _limit(self) -> int:
        return human.parse_size(self.context.options.body_size_limit) or 0

    def _header(self, name: str) -> str:
        response = self.flow.response
        return "" if response is None else str(response.headers.get(name, "")).lower()

    def _exchange(self) -> Exchange:
        found: Exchange = self.flow.__dict__["sluicegate_exchange"]
        return found

    def _begin(self, held: bytes) -> Commands:
        flow, response = self.flow, self.flow.response
        assert response is not None
        response.data.content = held
        yield passing.ResponseBeginsHook(flow)
        passing.release(flow)
        exchange = self._exchange()
        if exchange.refusal is None and exchange.stream is not None and not (exchange.whole or exchange.begun):
            # Somebody opened it, and the last sentinel did not say a word: it is not there, or broken.
            exchange.refusal = internal(502, exchange.id)
            refuse.answer(flow, exchange.refusal, exchange)
        if exchange.refusal is not None or not flow.killable:
            self.response_body_buf.clear()
            yield SendHttp(self._over(), self.context.server)
            if not (yield from self.check_killed(True)):
                yield from self.send_response()
            return
        passage = passing.of(flow)
        response.data.content = None
        if not exchange.begun or exchange.whole or exchange.stream is None or passage is None:
            if response.headers.get("content-length") is not None:
                self.response_body_buf.clear()  # it said that it is too large
            yield from super().check_body_size(False)
            return
        self._passage = passage
        self.response_body_buf.clear()
        response.stream = True
        response.trailers = None
        response.headers.fields = passage.stream.fields
        response.headers.pop("transfer-encoding", None)
        if flow.request.http_version == "HTTP/1.1" and "content-length" not in response.headers:
            response.headers["transfer-encoding"] = "chunked"
        self.server_state = self.state_pass
        yield SendHttp(http_events.ResponseHeaders(self.stream_id, response, False), self.context.client)
        yield from self._leave(passage)

    def check_killed(self, emit_error_hook: bool) -> layer.CommandGenerator[bool]:
        response = self.flow.response
        leaves = response is not None and response.status_code == 101 and not emit_error_hook
        if leaves and not self._exchange().switched and self.flow.killable:
            self.flow.kill()
        return bool((yield from super().check_killed(emit_error_hook)))

    def flow_done(self) -> Commands:
        """The answer has left. Behind a 101 it is our own layer that takes over, and no other ever does."""
        response, exchange = self.flow.response, self._exchange()
        if exchange.switching and not exchange.switched:
            yield SendHttp(self._over(), self.context.server)  # it has switched, and nobody follows
        if response is None or response.status_code != 101:
            yield from super().flow_done()
            return
        self.child_layer = websocket.SocketLayer(self.context, self.flow, exchange, self._limit())
        self._handle_event = self.passthrough  # type: ignore[method-assign]
        yield from self.child_layer.handle_event(events.Start())
        # Only now, so that what comes at once finds the layer.
        yield SendHttp(http_events.ResponseEndOfMessage(self.stream_id), self.context.client)

    def state_done(self, _: events.Event) -> Commands:
        # What a service sends behind an answer of ours may have waited for a hook. mitmproxy would crash over it, and
        # with it all other streams of the client's connection.
        yield from ()

    def state_pass(self, event: events.Event) -> Commands:
        """The response passes: each piece is masked, and leaves."""
        passage = self._passage
        assert passage is not None
        if isinstance(event, http_events.ResponseTrailers):
            return
        data = event.data if isinstance(event, http_events.ResponseData) else None
        over = self._exchange().over
        passage.error = over() if over is not None else RuntimeError("nobody says whether the sign-in still counts")
        if passage.error is not None:
            yield from self._leave(passage)
            return
        if data is None or (len(data) <= passing.HOLD and passage.stream.light):
            passage.take(data)
        else:
            passage.work = partial(passage.take, data)
            yield passing.ResponsePieceHook(self.flow)
            if passage.work is not None:  # the hook never ran
                passage.error = RuntimeError("the piece was not masked")
        yield from self._leave(passage)
        if data is None and self.server_state == self.state_pass:
            passage.settle(self.flow, self._exchange())
            yield from self.send_response(already_streamed=True)

    def _leave(self, passage: passing.Passage) -> Commands:
        pieces, passage.pieces = passage.pieces, []
        if passage.error is None and self.flow.killable:
            for piece in pieces:
                yield SendHttp(http_events.ResponseData(self.stream_id, piece), self.context.client)
            if self._is_behind(passage, passing.BACKLOG):
                passage.waiting = partial(self._is_behind, passage, passing.BACKLOG // 2)
                yield passing.ResponsePieceHook(self.flow)
        if passage.error is None and self.flow.killable:
            return
        exchange = self._exchange()
        passage.settle(self.flow, exchange)
        if exchange.refusal is None:
            exchange.refusal = passing.why(passage.error, exchange.id)
        if self.flow.killable:
            self.flow.kill()
        yield SendHttp(self._over(), self.context.server)
        yield from self.check_killed(True)
        yield layers.DropStream(self.stream_id)

    def _over(self) -> http_events.RequestProtocolError:
        """Tells the service's side that nobody wants the rest."""
        return http_events.RequestProtocolError(self.stream_id, "not wanted", http_events.ErrorCode.CANCEL)

    def _is_behind(self, passage: passing.Passage, most: int) -> bool:
        """Whether the next piece waits: for the client to read, or for who looks at what leaves."""
        return self._backlog() > most or passage.stream.full()

    def _backlog(self) -> int:
        """Bytes that wait for the client to read; HTTP/1 waits by itself."""
        connection = self._parent().connections.get(self.context.client)
        if not isinstance(connection, _http2.Http2Server):
            return 0
        waiting = connection.h2_conn.stream_buffers.get(self.stream_id, ())
        return sum([len(each.data) for each in waiting])

    def _parent(self) -> layers.HttpLayer:
        stack = self.context.layers
        parent = stack[stack.index(self) - 1]
        assert isinstance(parent, layers.HttpLayer)
        return parent
