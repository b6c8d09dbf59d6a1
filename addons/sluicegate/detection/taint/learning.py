"""The cells of responses are read and kept many responses at a time: by one, each would cost a process to be woken, and
the database a transaction, for every request that passes.

What was handed over a moment ago waits for others that come; a search of the same person's hurries it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert
from sqlalchemy.exc import InterfaceError, OperationalError

from sluicegate.database import Database
from sluicegate.database.tables import taints as table
from sluicegate.detection.taint import cells
from sluicegate.detection.taint.lane import LEARN_SECONDS, Lane
from sluicegate.detection.taint.tables import Body

logger = logging.getLogger(__name__)

LINGER = 0.1
"""Seconds for which others are waited for; a kill forgets what waits."""
AGAIN_SECONDS = 1.0
"""Between two tries to write; how often is not policy, so this is the machine's time."""
_KINDS = 256
BATCH = 256
BATCH_BYTES = 1 << 20
"""Responses, and bytes of them, that are read at once; a larger one is read alone."""


class Handed(NamedTuple):
    """A response that somebody received, or a piece of one: whose cells are kept, but for the masked columns."""

    person: str
    dataset: str
    service: str
    at: float
    exchange: str
    body: Body
    masked: tuple[str, ...] = ()
    """Columns whose values left masked."""


class Learning:
    """Responses whose cells are to be kept, in their order. Used on the event loop alone."""

    def __init__(self, lane: Lane, database: Database, key: bytes, days: float) -> None:
        self._lane = lane
        self._database = database
        self._key = key
        self._days = days
        self._queue: list[tuple[Handed, asyncio.Future[None]]] = []
        self._bytes = 0
        self._now = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._said: set[tuple[str, str]] = set()
        self.lost = 0
        """Responses whose cells could not be kept."""

    def add(self, handed: Handed) -> asyncio.Future[None]:
        """Done once its cells are kept, or cannot be."""
        loop = asyncio.get_running_loop()
        learned = loop.create_future()
        self._queue.append((handed, learned))
        self._bytes += len(handed.body.data)
        if len(self._queue) >= BATCH or self._bytes >= BATCH_BYTES:
            self._now.set()
        if self._task is None:
            self._task = loop.create_task(self._work(), name="taint")
        return learned

    def hurry(self) -> None:
        """Somebody waits for what is in the queue."""
        self._now.set()

    async def close(self) -> None:
        """Nothing is read any more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _work(self) -> None:
        try:
            while self._queue:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LINGER):
                        await self._now.wait()
                batch = self._batch()
                await self._keep([handed for handed, _ in batch])
                for _, learned in batch:
                    if not learned.done():
                        learned.set_result(None)
        finally:
            self._task = None

    def _batch(self) -> list[tuple[Handed, asyncio.Future[None]]]:
        """What is read next. What stays has waited already."""
        size = count = 0
        for handed, _ in self._queue[:BATCH]:
            size += len(handed.body.data)
            if count and size > BATCH_BYTES:
                size -= len(handed.body.data)
                break
            count += 1
        batch, self._queue = self._queue[:count], self._queue[count:]
        self._bytes -= size
        if not self._queue:
            self._now.clear()
        return batch

    async def _keep(self, batch: list[Handed]) -> None:
        try:
            given = [(one.body, one.masked, one.dataset) for one in batch]
            read = await self._lane.run(cells.read_all, given, self._key, seconds=LEARN_SECONDS)
            found = [(one, packed) for one, packed in zip(batch, read, strict=True) if packed]
            for one, packed in zip(batch, read, strict=True):
                if packed is None:
                    self._unread(one)
            if found:
                rows = [
                    {
                        "person": one.person, "dataset": one.dataset, "service": one.service, "at": one.at,
                        "exchange": one.exchange, "cells": packed,
                    }
                    for one, packed in found
                ]  # fmt: skip
                oldest = max(one.at for one, _ in found) - self._days * 86_400
                await self._written(partial(_store, rows=rows, oldest=oldest), len(rows))
        except Exception as error:
            if len(batch) > 1:  # one may have brought it about: the others are not lost with it
                for one in batch:
                    await self._keep([one])
                return
            self.lose(repr(error))

    async def _written(self, work: Callable[[Connection], None], count: int) -> None:
        """A database that is locked or away is waited for: what was handed over meanwhile is recognised all the same.
        Who sends something until then waits as well, and where too much waits, so do responses."""
        waits = False
        while True:
            try:
                await self._database.run(work)
                return
            except (OperationalError, InterfaceError, TimeoutError) as error:
                if not waits:
                    logger.warning("what responses held cannot be kept now, and is tried again: %r", error)
                waits = True
            try:
                await asyncio.sleep(AGAIN_SECONDS)
            except asyncio.CancelledError:
                for _ in range(count):
                    self.lose("the gateway ends, and the database cannot be written")
                raise

    def lose(self, why: str) -> None:
        """What a response held will not be recognised."""
        self.lost += 1
        logger.error("what a response held cannot be kept, and would not be recognised elsewhere: %s", why)

    def _unread(self, one: Handed) -> None:
        """Says once of each service and type that nobody can read it here. Not of pieces: they may have no row."""
        kind = one.service, one.body.media.partition(";")[0]
        if not one.body.piece and kind not in self._said and len(self._said) < _KINDS:
            self._said.add(kind)
            logger.warning(
                "what %s answers as %s cannot be read for value taint, and would not be recognised elsewhere",
                one.service, kind[1] or "no declared type",
            )  # fmt: skip


def _store(connection: Connection, *, rows: list[dict[str, Any]], oldest: float) -> None:
    connection.execute(insert(table), rows)
    if rows[0]["exchange"][-1:] in "05":  # now and then is enough
        connection.execute(delete(table).where(table.c.at < oldest))
