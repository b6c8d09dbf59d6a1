"""The refusal that is valid in each of mitmproxy's hooks.

mitmproxy is fail-open: an exception in a hook is logged and the traffic goes on. What stops it differs from hook to
hook, and what looks right often is not (a replaced response in `responseheaders` still sends the origin's body).
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from mitmproxy import http, tls
from mitmproxy.proxy import commands, events, layer, server_hooks

from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange
from sluicegate.pipeline import client_words
from sluicegate.problem import Answer, render

logger = logging.getLogger(__name__)

Voice = Callable[[http.HTTPFlow, Exchange, Refusal], Answer | None]
"""Puts a refusal into the words of the service that was asked; None where it has none of its own."""


class Refused(http.Response):
    """A response that the gateway made: the only one that may leave when an exchange breaks."""


def answer(flow: http.HTTPFlow, refusal: Refusal, exchange: Exchange, voice: Voice | None = None) -> None:
    """Refuse in http_connect, request or response: what the client gets is the refusal and nothing else."""
    flow.request.stream = False  # a response and a streamed request together crash the proxy core
    if flow.response is not None and flow.response.stream:
        # Part of the origin's answer is on its way already: cut the connection rather than end it cleanly.
        if flow.killable:
            flow.kill()
        return
    status, reason, headers, body = _said(flow, refusal, exchange, voice) or render(refusal, exchange.id)
    fields = [(name.encode(), value.encode()) for name, value in headers]
    if flow.request.method == "HEAD":
        body = b""
    fields.append((b"content-length", str(len(body)).encode()))
    flow.response = Refused(
        http_version=b"HTTP/1.1",
        status_code=status,
        reason=reason.encode(),
        headers=http.Headers(fields),
        content=body,
        trailers=None,
        timestamp_start=flow.request.timestamp_start,
        timestamp_end=flow.request.timestamp_start,
    )


def _said(flow: http.HTTPFlow, refusal: Refusal, exchange: Exchange, voice: Voice | None) -> Answer | None:
    """In the words of the service, else of the client. Of CONNECT clients show no body at all."""
    if flow.request.method == "CONNECT":
        return None
    try:
        found = voice(flow, exchange, refusal) if voice is not None and exchange.service is not None else None
    except Exception:
        logger.exception("the refusal could not be put into the words of %s", exchange.service)
        found = None
    if found is not None or refusal.status == 202:  # who asked not to wait reads the problem
        return found
    try:
        return client_words.answer(_Headers(flow.request.headers), refusal, exchange.id)
    except Exception:
        logger.exception("the refusal could not be put into the words of the client")
        return None


class _Headers(dict[str, str]):
    """The few headers by which clients are told apart, by lower-case name."""

    def __init__(self, headers: http.Headers) -> None:
        found = ((name, headers.get(name)) for name in _TELLING)
        super().__init__({name: value for name, value in found if value is not None})


_TELLING = ("user-agent", "accept", "authorization", "x-amz-target", "content-type")


def connect(data: server_hooks.ServerConnectionHookData, why: str) -> None:
    """Refuse to dial, in server_connect."""
    data.server.error = why


def handshake(data: tls.ClientHelloData) -> None:
    """In tls_clienthello: intercept, so that the request inside is judged or refused."""
    data.ignore_connection = False


class ClosedLayer(layer.Layer):
    """Ends a connection instead of relaying bytes that nothing here can read."""

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Start | events.DataReceived):
            yield commands.CloseConnection(self.context.client)


def close(data: layer.NextLayer) -> None:
    """Refuse a protocol, in next_layer."""
    if data.layer is not None and data.layer in data.context.layers:
        data.context.layers.remove(data.layer)
    data.layer = ClosedLayer(data.context)
