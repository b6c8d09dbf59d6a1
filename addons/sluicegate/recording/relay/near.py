"""A worker's end: stands where the recorder would, and hands everything to it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sluicegate.errors import Fault
from sluicegate.recording.intake import MAX_WAITING_BYTES, Place, RecorderDown
from sluicegate.recording.recorder import Forget, nobody
from sluicegate.recording.relay import words
from sluicegate.recording.segment import FileKind

logger = logging.getLogger(__name__)


class Relay(asyncio.Protocol):
    """Records through a socket. When it breaks, nothing is recorded any more, and so nothing let through."""

    def __init__(self, end: socket.socket, lost: Callable[[], None]) -> None:
        """`lost` is called when the recorder is gone."""
        self.forget: Forget = nobody
        self._end = end
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._frames = words.Frames()
        self._waiting: dict[int, tuple[asyncio.Future[Place], int]] = {}
        self._waiting_bytes = 0
        self._number = 0
        self._fresh: list[bytes] = []
        """What is to be sent at the end of this turn of the loop, all at once."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def open(self) -> None:
        """Take up the socket. Raises Fault."""
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=self._end)
        except OSError as error:
            raise Fault(f"The recorder's process cannot be reached: {error.strerror or error}.") from None

    async def close(self) -> None:
        """Wait for what was handed over, and let go."""
        self._closing = True
        waiting = [done for done, _ in self._waiting.values()]
        if waiting:
            await asyncio.wait(waiting)
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def serving(self, host: str, port: int) -> None:
        """Say that this worker listens; where the recorder is gone by then, that is said here once more."""
        if self._transport is None:
            self._lost()
        else:
            self._transport.write(words.frame(words.Serving(host, port)))

    def append(
        self, kind: FileKind | None, record: bytes, what: str, fields: Mapping[str, Any]
    ) -> asyncio.Future[Place]:
        """Have a record kept."""
        return self._hand(kind, record, what, fields, None)

    def outcome(self, record: bytes, fields: Mapping[str, Any], summary: Mapping[str, Any]) -> asyncio.Future[Place]:
        """Have the flow of an exchange kept, and indexed."""
        return self._hand("flows", record, "outcome", fields, dict(summary))

    def _hand(
        self, kind: FileKind | None, record: bytes, what: str, fields: Mapping[str, Any], summary: Any
    ) -> asyncio.Future[Place]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Place] = loop.create_future()
        if self._transport is None or self._closing:
            done.set_exception(RecorderDown("the recorder's process is not there"))
            return done
        if self._waiting_bytes and self._waiting_bytes + len(record) > MAX_WAITING_BYTES:
            done.set_exception(RecorderDown("the disk does not keep up"))
            return done
        self._number += 1
        try:
            frame = words.frame(words.appended(self._number, kind, record, what, fields, summary))
        except (TypeError, ValueError) as error:
            done.set_exception(RecorderDown(f"it cannot be handed over: {type(error).__name__}"))
            return done
        self._waiting[self._number] = done, len(record)
        self._waiting_bytes += len(record)
        if not self._fresh:
            loop.call_soon(self._send)
        self._fresh.append(frame)
        return done

    def _send(self) -> None:
        fresh, self._fresh = self._fresh, []
        if self._transport is not None:
            self._transport.write(b"".join(fresh))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """The recorder says what became of records, or has keys forgotten."""
        try:
            for body in self._frames.cut(data):
                self._heard(words.from_recorder(body))
        except (msgspec.MsgspecError, ValueError):
            logger.exception("the recorder's process said something that is not understood; nothing more is recorded")
            self._gone()

    def connection_lost(self, error: Exception | None) -> None:
        """The recorder is gone: whoever waits is refused."""
        self._gone()

    def _heard(self, word: words.FromRecorder) -> None:
        if isinstance(word, words.Forget):
            task = asyncio.get_running_loop().create_task(self._forgetting(word))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        done, size = self._waiting.pop(word.number)
        self._waiting_bytes -= size
        if done.done():
            return  # whoever waited has given up
        if isinstance(word, words.Lost):
            done.set_exception(RecorderDown(word.why))
        else:
            done.set_result(Place(word.file, word.offset))

    async def _forgetting(self, word: words.Forget) -> None:
        await self.forget(word.keys)
        if self._transport is not None:
            self._transport.write(words.frame(words.Forgot(word.number)))

    def _gone(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        waiting, self._waiting = self._waiting, {}
        for done, _ in waiting.values():
            if not done.done():
                done.set_exception(RecorderDown("the recorder's process has ended"))
                done.exception()  # whoever waits for it sees it; where nobody does any more, nothing is to be said
        if not self._closing:
            self._closing = True
            self._lost()
