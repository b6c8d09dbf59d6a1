"""The last of the chain: refuses whatever was not positively decided. No I/O, no policy, nothing to go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from mitmproxy import ctx, http, tls
from mitmproxy.flow import Error
from mitmproxy.proxy import layer, layers, server_hooks
from mitmproxy.utils import human

from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Stream
from sluicegate.lockdown import guard
from sluicegate.pipeline import broken, passing, refuse, websocket
from sluicegate.pipeline.line import Line
from sluicegate.pipeline.stage import not_serving

_RAW = (layers.TCPLayer, layers.UDPLayer, layers.DNSLayer, layers.RawQuicLayer)


class Sentinel:
    """Checks the marks of the stages before it. Stands twice: before the recorder, so that what it refuses is
    recorded as well, and at the very end."""

    def __init__(self, name: str, line: Line) -> None:
        self.name = name
        self.line = line
        self.requires = {"request": 0, "response": 0, "response_begins": 0, "socket_message": 0}
        """Marks that an exchange must carry; filled in by the pipeline from the stages that stand before."""

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        self._decided(exchange, "request")
        if flow.response is not None:
            raise Refusal(502, "foreign-answer", "Foreign answer", "Something else answered in the gateway's place.")

    def response_begins(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """The first piece of a response may leave, or none of it before all of it is here."""
        self._decided(exchange, "request")
        self._decided(exchange, "response_begins")
        return None

    def response(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        self._decided(exchange, "request")
        self._decided(exchange, "response")

    def socket_message(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        self._decided(exchange, "socket_message")

    def _decided(self, exchange: Exchange, hook: str) -> None:
        needed = self.requires[hook]
        verdict = exchange.verdict
        if exchange.passed & needed != needed or not self.line.whole():
            raise not_serving()
        if verdict is None or verdict.effect == "deny" or exchange.principal is None:
            raise Refusal(403, "no-decision", "Not decided", "Nothing has positively let this exchange through.")


class Judged(Sentinel):
    """The sentinel before the recorder. It has the first piece of a response masked that may pass piece by piece."""

    seals = True
    """Whether originals are kept for sealing; without recipients nobody could open them."""

    def response_begins(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        super().response_begins(flow, exchange)
        if exchange.stream is None or exchange.whole:
            return None
        return self._first(flow, exchange, exchange.stream)

    async def _first(self, flow: http.HTTPFlow, exchange: Exchange, stream: Stream) -> None:
        response = flow.response
        if response is None or response.raw_content is None:
            raise RuntimeError("there is nothing yet of the response")
        limit = human.parse_size(ctx.options.body_size_limit) or 0
        passage = passing.Passage(stream, limit, response, seals=self.seals)
        if stream.light:
            passage.take(response.raw_content)
        else:
            await asyncio.to_thread(passage.take, response.raw_content)
        error = passage.error
        if error is None:
            passing.begin(flow, passage)
            return
        passage.drop()
        if not isinstance(error, Refusal) or error.code != "unmaskable" or "content-length" in response.headers:
            raise error
        exchange.whole = "it can only be masked as a whole, if at all"


class Last(Sentinel):
    """The sentinel at the end of the chain, which also watches connections and protocols."""

    sees_refusals = True

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        if exchange.refusal is None:
            super().request(flow, exchange)

    def response_begins(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        if exchange.refusal is None:
            super().response_begins(flow, exchange)
            exchange.begun = exchange.stream is not None and not exchange.whole
        return None

    def response(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        self.line.leave(flow)
        if exchange.refusal is None:
            super().response(flow, exchange)
            exchange.switched = exchange.switching

    def socket_message(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        if exchange.refusal is not None:
            return
        super().socket_message(flow, exchange)
        message, opened = exchange.message, exchange.opened
        if message is None or opened is None or not opened.switched or self.line.draining:
            raise not_serving()
        message.cleared = True

    def error(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        self.line.leave(flow)

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        if not self.line.open or not self.line.whole() or guard.upstream.get() is None:
            raise not_serving()

    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        if data.ignore_connection and (self.line.draining or not self.line.open or not self.line.whole()):
            raise not_serving()

    def next_layer(self, data: layer.NextLayer) -> None:
        """Whatever is not HTTP in the end is closed: raw TCP, UDP, DNS, QUIC."""
        if data.layer is None:
            ctx.master.addons.get("nextlayer").next_layer(data)
        if isinstance(data.layer, _RAW):
            refuse.close(data)


class Front:
    """The first of the chain: keeps messages whole, counts what is in flight, turns away what comes while draining,
    and answers what breaks."""

    name = "sluicegate.front"

    def __init__(self, line: Line) -> None:
        self.line = line

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        flow.request.stream = False
        self.line.enter(flow)
        if self.line.draining:
            exchange = self.line.exchange(flow)
            exchange.refusal = not_serving()
            refuse.answer(flow, exchange.refusal, exchange, self.line.voice)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response is not None:
            flow.response.stream = False

    def response_begins(self, flow: http.HTTPFlow) -> None:
        passing.hold(flow)

    def socket_message(self, flow: http.HTTPFlow) -> None:
        """A message is an exchange of its own; while it is judged, nothing more of the WebSocket is read."""
        websocket.hold(flow)
        websocket.begin(flow, self.line)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        """mitmproxy's own layer never runs here. Should it, nothing moves."""
        if flow.websocket is not None and flow.websocket.messages:
            flow.websocket.messages[-1].drop()

    def response_piece(self, flow: http.HTTPFlow) -> Awaitable[None]:
        return passing.go_on(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        """Before the recorder: what breaks is answered in our words, and recorded as it was answered."""
        exchange = self.line.exchange(flow)
        refusal = broken.refusal(flow) if exchange.refusal is None else None
        if refusal is None:
            return
        exchange.refusal = refusal
        flow.error = Error(refusal.detail)
        whole = flow.request.raw_content is not None
        refuse.answer(flow, refusal, exchange, self.line.voice if whole else None)
