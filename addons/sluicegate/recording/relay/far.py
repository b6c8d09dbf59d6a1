"""The recorder's end of one worker's socket: enters what the worker hands over, and answers once it is durable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from functools import partial

import msgspec

from sluicegate.recording.intake import Place
from sluicegate.recording.recorder import Records
from sluicegate.recording.relay import words

logger = logging.getLogger(__name__)

FORGET_SECONDS = 10.0
"""How long a worker may take to let go of a key. One that does not answer may still seal with it."""


class Relayed(asyncio.Protocol):
    """One worker, as the recorder sees it."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._frames = words.Frames()
        self._transport: asyncio.Transport | None = None
        self._answers: list[msgspec.Struct] = []
        self._number = 0
        self._forgetting: dict[int, asyncio.Future[None]] = {}
        loop = asyncio.get_running_loop()
        self.serving: asyncio.Future[tuple[str, int]] = loop.create_future()
        """Where the worker listens, once it does; ConnectionError when it ends before."""
        self.gone: asyncio.Future[None] = loop.create_future()
        """Done when the worker's end is closed."""

    async def forget(self, keys: Collection[str]) -> None:
        """Have the worker let go of data keys. Raises TimeoutError, ConnectionError."""
        if self._transport is None:
            return  # it is gone, and what it knew with it
        self._number += 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._forgetting[self._number] = done
        self._transport.write(words.frame(words.Forget(self._number, list(keys))))
        async with asyncio.timeout(FORGET_SECONDS):
            await done

    def close(self) -> None:
        """Hear no more from the worker."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The worker's socket is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Records to keep, and the like. A worker that is not understood is cut off."""
        try:
            for body in self._frames.cut(data):
                self._heard(words.from_worker(body))
        except (msgspec.MsgspecError, ValueError, RuntimeError):
            logger.exception("a worker said something that is not understood; it is cut off")
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        """The worker has ended. What it had handed over is recorded all the same."""
        self._transport = None
        if not self.serving.done():
            self.serving.set_exception(ConnectionError("the worker has ended"))
            self.serving.exception()  # nobody may be waiting for it
        for done in self._forgetting.values():
            if not done.done():
                done.set_result(None)  # with the worker the key is gone too
        self._forgetting.clear()
        if not self.gone.done():
            self.gone.set_result(None)

    def _heard(self, word: words.FromWorker) -> None:
        match word:
            case words.Append(number, kind, record, what, fields, None):
                self._answer_with(number, self._records.append(kind, record, what, fields))
            case words.Append(number, _, record, _, fields, summary):
                assert summary is not None
                self._answer_with(number, self._records.outcome(record, fields, summary))
            case words.Forgot(number):
                done = self._forgetting.pop(number, None)
                if done is not None and not done.done():
                    done.set_result(None)
            case words.Serving(host, port):
                if not self.serving.done():
                    self.serving.set_result((host, port))

    def _answer_with(self, number: int, done: asyncio.Future[Place]) -> None:
        done.add_done_callback(partial(self._answer, number))

    def _answer(self, number: int, done: asyncio.Future[Place]) -> None:
        error = None if done.cancelled() else done.exception()
        if done.cancelled() or error is not None:
            word: msgspec.Struct = words.Lost(number, str(error or "cancelled"))
        else:
            word = words.Kept(number, *done.result())
        if not self._answers:
            asyncio.get_running_loop().call_soon(self._send)
        self._answers.append(word)

    def _send(self) -> None:
        answers, self._answers = self._answers, []
        if self._transport is not None:
            self._transport.write(words.joined(answers))
