"""What one connection receives, handed on in the turn of the event loop in which it came.

A StreamReader keeps what came until a task asks for it: a future, a wake-up and two copies for each piece. Here its
`feed_data` hands the piece on at once. Where somebody does not read as fast as we write, nothing more is received.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

PIECE = 65_535
"""Bytes of a piece at most: what mitmproxy asks for at once."""


class Inflow:
    """Takes the place of the task that reads a stream. `run` may be called once, in the task that is ended with it."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        hand_on: Callable[[bytes], None],
        full: Callable[[], bool],
        drained: Callable[[], Awaitable[None]],
    ) -> None:
        """Nothing is received while `full` says so, until `drained` returns."""
        self._reader: Any = streams[0]
        self._transport: Any = streams[1].transport
        self._hand_on, self._full, self._drained = hand_on, full, drained
        self._ended = asyncio.get_running_loop().create_future()
        self._task = asyncio.current_task()
        self._draining: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Hand on each piece until the other side ends or breaks off.

        Raises CancelledError when the task is cancelled; nothing is handed on from then on.
        """
        reader = self._reader
        try:
            while reader._buffer:  # what came before this; it is read without waiting
                self._hand_on(await reader.read(PIECE))
                await self._drained()
        except OSError:
            return
        if reader.at_eof() or reader.exception() is not None:
            return
        self._transport.max_size = PIECE
        reader.feed_data, reader.feed_eof, reader.set_exception = self._feed, self._eof, self._broke
        try:
            await self._ended
        finally:
            del reader.feed_data, reader.feed_eof, reader.set_exception
            if self._draining is not None:
                self._draining.cancel()

    def _feed(self, data: bytes) -> None:
        if self._ended.done() or self._task is None or self._task.cancelling():
            return
        self._hand_on(data)
        if self._draining is None and self._full() and not self._transport.is_closing():
            self._transport.pause_reading()
            self._draining = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            await self._drained()
        finally:
            self._draining = None
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _eof(self) -> None:
        type(self._reader).feed_eof(self._reader)
        self._end()

    def _broke(self, error: BaseException) -> None:
        type(self._reader).set_exception(self._reader, error)
        self._end()

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)
