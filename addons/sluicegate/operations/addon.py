"""Operations in the pipeline: what is asked, read from the whole request, and how the response to it is to be read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mitmproxy import http

from sluicegate import codings
from sluicegate.errors import Refusal
from sluicegate.exchange import OTHERS, Exchange
from sluicegate.operations.later import MAX_LONG, Later, waiting
from sluicegate.operations.read import Reader
from sluicegate.operations.view import Lines, ReplyView, RequestView
from sluicegate.settings import Loaded

if TYPE_CHECKING:
    from sluicegate.operations.sql import Asked, Worker

AT_ONCE = 256 << 10
"""Raw bytes up to which a response is decoded in the hook; larger and coded ones are decoded in a thread."""


class OperationsAddon:
    """Sets `exchange.operation`. What is not understood is of kind `unknown`, for the policy to refuse."""

    name = "operations"

    def __init__(self, reader: Reader, max_body: int) -> None:
        self.part = reader
        self._max_body = max_body
        self._views: WeakKeyDictionary[http.HTTPFlow, RequestView] = WeakKeyDictionary()
        self._worker: Worker | None = None

    def prepare(self, loaded: Loaded) -> Reader:
        """A reader for another policy. Runs on a thread."""
        return self.part.renewed(loaded.settings)

    def adopt(self, part: Reader) -> None:
        """From now on, new exchanges are read by it."""
        self.part = part

    def reader(self, exchange: Exchange) -> Reader:
        """The reader of the policy that the exchange began with."""
        found: Reader = exchange.in_force.get(self.name, self.part)
        return found

    async def close(self) -> None:
        """End the process that reads long statements, if it runs."""
        if self._worker is not None:
            self._worker.stop()

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        if exchange.service is None or exchange.principal is None:
            raise RuntimeError("lockdown has not named the service, or nobody is known to ask")
        origin = _origin(exchange) if exchange.service == OTHERS else ""  # a service's own operations do not say it
        view = view_of(flow.request, exchange.host)
        try:
            self._read(flow, exchange, view, exchange.service, origin)
        except Later as later:
            return self._read_later(flow, exchange, view, exchange.service, later.asked)
        return None

    async def _read_later(
        self, flow: http.HTTPFlow, exchange: Exchange, view: RequestView, service: str, asked: Asked
    ) -> None:
        """Have long statements read elsewhere first, one after the other; then all of them are remembered."""
        if self._worker is None:
            from sluicegate.operations.sql import Worker  # loaded already, by whoever found the statement too long

            self._worker = Worker()
        for _ in range(MAX_LONG):
            await self._worker.read(asked)
            try:
                self._read(flow, exchange, view, service, "")
            except Later as later:
                asked = later.asked
            else:
                return
        raise RuntimeError("the request has too many long statements")

    def _read(self, flow: http.HTTPFlow, exchange: Exchange, view: RequestView, service: str, origin: str) -> None:
        reader = self.reader(exchange)
        with waiting():
            exchange.operation = reader.read(view, service, origin, owner_of(exchange))
        if service != OTHERS:
            exchange.rewrite = reader.rewrite(view, service, exchange.operation)
            if reader.delivers(service):
                self._views[flow] = view

    def response_begins(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Where the service's dialect reads responses, it reads whole ones."""
        if flow in self._views:
            exchange.whole = "its service's dialect reads it"

    def response(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Sets `exchange.delivery`, where the service's dialect reads responses."""
        view = self._views.get(flow)
        if view is None:
            return None
        if flow.response is None:
            raise RuntimeError("there is no response to read")
        coding = ", ".join(flow.response.headers.get_all("content-encoding"))
        raw = None if flow.response.stream else flow.response.raw_content
        if raw is not None and coding and len(raw) > AT_ONCE >> 3:
            return self._later(flow.response, exchange, view, raw, coding)
        self._deliver(flow.response, exchange, view, None if raw is None else self._decoded(raw, coding))
        return None

    async def _later(
        self, response: http.Response, exchange: Exchange, view: RequestView, raw: bytes, coding: str
    ) -> None:
        self._deliver(response, exchange, view, await asyncio.to_thread(self._decoded, raw, coding))

    def _decoded(self, raw: bytes, coding: str) -> bytes | None:
        try:
            return codings.decode(raw, coding, self._max_body)
        except codings.CodingError:
            return None

    def _deliver(self, response: http.Response, exchange: Exchange, view: RequestView, body: bytes | None) -> None:
        if exchange.service is None or exchange.operation is None:
            raise RuntimeError("there is no operation that this could be the response to")
        reply = ReplyView(response.status_code, Lines(response.headers.fields), body or b"", body is not None)
        reader = self.reader(exchange)
        exchange.delivery = reader.deliver(view, exchange.service, exchange.operation, reply, owner_of(exchange))


class RewriteAddon:
    """Puts a request into the form in which it was judged, after the verdict and before anything is recorded."""

    name = "rewrite"

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        change = exchange.rewrite
        if change is None:
            return
        verdict = exchange.verdict
        if verdict is None or verdict.effect == "deny" or (verdict.effect == "hold" and exchange.approval is None):
            raise Refusal(403, "no-decision", "Not decided", "Nothing has positively let this exchange through.")
        request = flow.request
        if change.query is not None:
            path = request.path.partition("?")[0]
            request.path = f"{path}?{change.query}" if change.query else path
        for name, value in change.headers:
            if value is None:
                request.headers.pop(name, None)
            else:
                request.headers[name] = value
        if change.body is not None:
            request.headers.pop("content-encoding", None)
            request.headers.pop("transfer-encoding", None)
            request.raw_content = change.body
            request.headers["content-length"] = str(len(change.body))


def owner_of(exchange: Exchange) -> str:
    """Whose results are meant: subjects are unique within an issuer only, and a machine may be called like a person."""
    who = exchange.principal
    if who is None:
        raise RuntimeError("nobody is known to ask")
    return f"{who.kind} {who.issuer} {who.subject}"


def _origin(exchange: Exchange) -> str:
    host = f"[{exchange.host}]" if ":" in exchange.host else exchange.host
    return f"{exchange.scheme}://{host}:{exchange.port}"


def view_of(request: http.Request, host: str = "") -> RequestView:
    """The request as plain values. Raises RuntimeError when the body is not there, which a streamed one is not."""
    content = request.raw_content
    if content is None:
        raise RuntimeError("the request has no complete body")
    path, _, query = request.path.partition("?")
    return RequestView(request.method, path, query, Lines(request.headers.fields), content, host)
