"""A response that passes piece by piece: what is kept of it, how fast it goes, and how it ends.

mitmproxy's own streaming sends the head before anybody has seen the body, swallows what a callable raises, and reads
from a service as fast as that sends. Here the head waits for the first piece, whatever fails ends the transfer in a way
that no client takes for a complete one, and the service waits for whoever is slower.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mitmproxy import connection, ctx, http
from mitmproxy.proxy import commands

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivered, Exchange, Original, Stream
from sluicegate.pipeline.patience import PATIENCE
from sluicegate.pipeline.stage import internal

logger = logging.getLogger(__name__)

HOLD = 64 << 10
"""Bytes of a response that are here before its head leaves, so that an early failure is a refusal like any other."""
HOLD_CODED = HOLD >> 3
"""The same for bodies with a content coding, which are larger than they look."""
KEPT = 64 << 20
"""Bytes of passing responses that are kept for the record at the same time, of all of them together."""
BACKLOG = 1 << 20
"""Bytes that may wait for a client that reads slowly."""
_LOOK = 0.01
_PLACE = "sluicegate_passage"


@dataclass
class ResponseBeginsHook(commands.StartHook):
    """So much of a response is here that its head could leave, if everybody agrees. `raw_content` is what is here."""

    flow: http.HTTPFlow


@dataclass
class ResponsePieceHook(commands.StartHook):
    """A piece of a response takes time: it is long work, or the client has to read first."""

    flow: http.HTTPFlow


class Passage:
    """One response on its way through; `limit` bounds what is kept of it, and `seals` says whether its original is."""

    kept = 0
    """Bytes that are kept of all responses on their way."""

    def __init__(self, stream: Stream, limit: int, response: http.Response, *, seals: bool = True) -> None:
        self.stream = stream
        self._came = 0
        self._limit = limit
        said = response.headers
        self._said = said.get("content-type", ""), said.get("content-encoding", "")
        self._digest = hashlib.sha256()
        self._size = 0
        length = said.get("content-length", "")
        keeps = not (length.isdecimal() and int(length[:20]) > limit)  # what will be too large is not begun to be kept
        self._raw: bytearray | None = bytearray() if seals and keeps else None
        self._out: bytearray | None = bytearray() if keeps else None
        self.work: Callable[[], None] | None = None
        self.waiting: Callable[[], bool] | None = None
        self.pieces: list[bytes] = []
        self.error: BaseException | None = None

    def take(self, data: bytes | None) -> None:
        """Mask what came, or the end (None). Never raises: `pieces` is what may leave, or `error` why nothing may."""
        self.pieces = []
        try:
            pieces = self.stream.end() if data is None else self.stream.feed(data)
            for piece in pieces:
                self._size += len(piece)
                self._digest.update(piece)
            self._came += len(data or b"")
            if self._out is not None:
                self._keep(data or b"", pieces)
            self.pieces = [piece for piece in pieces if piece]
        except BaseException as error:
            self.error = error

    def _keep(self, data: bytes, pieces: list[bytes]) -> None:
        assert self._out is not None
        more = (0 if self._raw is None else len(data)) + sum(map(len, pieces))
        if max(self._came, self._size) > self._limit or Passage.kept + more > KEPT:
            self.drop()
            return
        Passage.kept += more
        if self._raw is not None:
            self._raw += data
        for piece in pieces:
            self._out += piece

    def drop(self) -> None:
        """Keep nothing of it any more."""
        Passage.kept -= len(self._raw or b"") + len(self._out or b"")
        self._raw = self._out = None

    def settle(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Say what left. Where all of it was kept, the record gets it like that of any other response."""
        exchange.exposure = self.stream.exposure
        exchange.findings += self.stream.findings()
        exchange.delivered = Delivered(self._size, self._digest.hexdigest())
        if flow.response is not None:
            flow.response.data.content = None if self._out is None else bytes(self._out)
        if self._raw is not None and self._raw != self._out:
            exchange.original = Original(bytes(self._raw), *self._said)
        self.drop()


def of(flow: http.HTTPFlow) -> Passage | None:
    """The passage of a flow whose response passes piece by piece."""
    found: Passage | None = flow.__dict__.get(_PLACE)
    return found


def begin(flow: http.HTTPFlow, passage: Passage) -> None:
    """From now on its response passes piece by piece."""
    flow.__dict__[_PLACE] = passage


async def go_on(flow: http.HTTPFlow) -> None:
    """Do what a piece has to wait for; meanwhile nothing more is read from the service."""
    passage = of(flow)
    if passage is None:
        return
    hold(flow)
    try:
        work, passage.work = passage.work, None
        if work is not None:
            await asyncio.to_thread(work)
        waiting, passage.waiting = passage.waiting, None
        if waiting is not None:
            async with asyncio.timeout(PATIENCE.client):
                while flow.client_conn.connected and waiting():  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(_LOOK)
    except Exception as error:
        passage.error = error  # whoever asked for this looks at it, and ends the transfer
    except asyncio.CancelledError as error:
        passage.error = error
        raise
    finally:
        release(flow)


def hold(flow: http.HTTPFlow, side: connection.Connection | None = None) -> None:
    """Read nothing more from the service, or from `side`, for now."""
    transport = _transport(flow, side)
    if transport is not None:
        transport.pause_reading()


def release(flow: http.HTTPFlow, side: connection.Connection | None = None) -> None:
    """Read on."""
    transport = _transport(flow, side)
    if transport is not None and not transport.is_closing():
        transport.resume_reading()


def _transport(flow: http.HTTPFlow, side: connection.Connection | None) -> Any:
    server = ctx.master.addons.get("proxyserver")
    handler = server.connections.get(flow.client_conn.id) if server is not None else None
    found = handler.transports.get(side or flow.server_conn) if handler is not None else None
    return found.writer.transport if found is not None and found.writer is not None else None


def why(error: BaseException | None, exchange_id: str) -> Refusal:
    """Why the rest of a response did not leave."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, TimeoutError):
        return Refusal(408, "not-read", "Not read", "The client stopped reading its answer; the rest was not sent.")
    logger.error("a response failed in passing; the rest of it is refused", exc_info=error)
    return internal(502, exchange_id)
