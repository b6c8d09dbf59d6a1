"""Taint while the gateway runs: cells are read and bodies searched in processes of their own, and kept in the database.

Small bodies and large ones have a process each, so that nobody waits for another's archive. What takes too long is
given up, the process with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import resource
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from sluicegate.child import end_with_parent
from sluicegate.database import Database
from sluicegate.database.tables import taints as table
from sluicegate.detection.look import Signal
from sluicegate.detection.taint import cells
from sluicegate.detection.taint.held import MOST, Held, Received
from sluicegate.detection.taint.searching import Searched, search
from sluicegate.detection.taint.zones import Zones

logger = logging.getLogger(__name__)

SMALL = 64 << 10
"""Bytes up to which a body goes to the process for small ones."""
WAITING = 64 << 20
"""Bytes that may wait to be read; a response that would be more waits until there is room."""
LEARN_SECONDS = 60.0
START_SECONDS = 6.0
"""How long the start of a process is waited for; it is started before it is needed."""
_MEMORY = 2 << 30
_PEOPLE = 64
_BLOBS = 5_000


class NotLooked(Exception):
    """What was to be looked at was not, or not all of it."""


class Lane:
    """One process, started when it is first needed, and ended when it is stuck."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._ready: asyncio.Future[None] | None = None

    def start(self) -> ProcessPoolExecutor:
        """Begin to start the process, where it is not there."""
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(["sluicegate.detection.taint.searching"])
            self._pool = ProcessPoolExecutor(1, context, _begin)
            self._ready = asyncio.get_running_loop().run_in_executor(self._pool, _nothing)
            self._ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())
        return self._pool

    async def ready(self, seconds: float) -> None:
        """Wait until the process is there. Raises TimeoutError (it goes on starting), or what starting it raised."""
        self.start()
        ready = self._ready
        if ready is not None:
            try:
                await asyncio.wait_for(asyncio.shield(ready), seconds)
            except TimeoutError:
                raise
            except Exception:
                self.stop()
                raise
            self._ready = None

    async def run(self, work: Callable[..., Any], *given: Any, seconds: float) -> Any:
        """What `work` returns. Raises TimeoutError, and whatever `work` or a dying process raises."""
        await self.ready(LEARN_SECONDS)
        pool = self.start()
        try:
            return await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(pool, work, *given), seconds)
        except BaseException as error:
            # An error of the work itself leaves the process as it was; all else leaves it busy, or broken.
            if isinstance(error, TimeoutError | asyncio.CancelledError | RuntimeError | OSError | MemoryError):
                if self._pool is pool:
                    self.stop()
                else:
                    _kill(pool)
            raise

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        pool, self._pool, self._ready = self._pool, None, None
        if pool is not None:
            _kill(pool)


class Taints:
    """What people received, and the search for it. Used on the event loop alone."""

    def __init__(self, database: Database, key: bytes, zones: Zones, days: float) -> None:
        self._database = database
        self._key = key
        self.zones = zones
        self._days = days
        self._lanes = {"small": Lane(), "large": Lane(), "learn": Lane()}
        self._pending: dict[str, set[asyncio.Task[None]]] = {}
        self._waiting = 0
        self._room = asyncio.Event()
        self._room.set()
        self._held: OrderedDict[tuple[str, str], tuple[int, Held]] = OrderedDict()
        self.lost = 0
        """Responses whose cells could not be kept."""

    async def close(self) -> None:
        """Keep what was received, then end the processes."""
        tasks = [task for several in self._pending.values() for task in several]
        if tasks:
            await asyncio.wait(tasks, timeout=LEARN_SECONDS)
        for lane in self._lanes.values():
            lane.stop()

    def learn(
        self, person: str, dataset: str, service: str, at: float, exchange: str, body: bytes, coding: str, media: str,
        columns: tuple[str, ...],
    ) -> asyncio.Task[None]:  # fmt: skip
        """A response was handed over. The response does not wait for this; a search for what it held does."""
        task = asyncio.get_running_loop().create_task(
            self._learn(person, dataset, service, at, exchange, body, coding, media, columns), name="taint"
        )
        # Who holds something may send something. Where a process cannot be started now, a search starts it, or refuses.
        with contextlib.suppress(OSError):
            for lane in self._lanes.values():
                lane.start()
        mine = self._pending.setdefault(person, set())
        mine.add(task)
        self._waiting += len(body)
        if self._waiting > WAITING:
            self._room.clear()

        def done(finished: asyncio.Task[None]) -> None:
            self._waiting -= len(body)
            if self._waiting <= WAITING:
                self._room.set()
            mine.discard(finished)
            if not mine and self._pending.get(person) is mine:
                del self._pending[person]

        task.add_done_callback(done)
        return task

    @property
    def full(self) -> bool:
        """Whether so much waits that a response should wait too."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Wait until there is room."""
        await self._room.wait()

    async def look(
        self, person: str, target: str, place: str, at: float, parts: tuple[bytes, ...], coding: str, seconds: float
    ) -> tuple[Signal, ...]:
        """What of the person's data is in a request to the service `target`. Raises NotLooked."""
        lane = self._lanes["small" if sum(map(len, parts)) <= SMALL else "large"]
        try:
            async with asyncio.timeout(seconds):
                mine = self._pending.get(person)
                if mine:
                    await asyncio.wait(list(mine))
                held = await self._held_by(person, target, at)
            if not held.begin:
                return ()
            await lane.ready(START_SECONDS)
            found: Searched = await lane.run(search, parts, coding, held.begin, self._key, seconds=seconds)
        except TimeoutError:
            raise NotLooked("it took too long") from None
        except Exception as error:
            raise NotLooked(f"it could not be read ({type(error).__name__})") from error
        signals = held.judge(found, place, self.zones.canary_values)
        if found.cut and not any(signal.certain for signal in signals):
            raise NotLooked("there is more of it than is looked at")
        return signals

    async def _learn(
        self, person: str, dataset: str, service: str, at: float, exchange: str, body: bytes, coding: str, media: str,
        columns: tuple[str, ...],
    ) -> None:  # fmt: skip
        try:
            packed = await self._lanes["learn"].run(
                cells.read, body, coding, media, columns, dataset, self._key, seconds=LEARN_SECONDS
            )
            if packed:
                row = {
                    "person": person, "dataset": dataset, "service": service, "at": at, "exchange": exchange,
                    "cells": packed,
                }  # fmt: skip
                await self._database.run(partial(_keep, row=row, oldest=at - self._days * 86_400))
        except Exception as error:
            self.lost += 1
            logger.error("what a response held cannot be kept, and would not be recognised elsewhere: %r", error)

    async def _held_by(self, person: str, target: str, at: float) -> Held:
        oldest = at - self._days * 86_400
        newest = await self._database.read(partial(_newest, person=person, oldest=oldest))
        key = (person, target)
        known = self._held.get(key)
        if known is None or known[0] != newest:
            rows = await self._database.read(partial(_received, person=person, oldest=oldest)) if newest else []
            held = await asyncio.to_thread(
                Held.of, rows, lambda service: self.zones.elsewhere(service, target), self.zones.canaries
            )
            known = self._held[key] = newest, held
            if len(self._held) > _PEOPLE:
                self._held.popitem(last=False)
        return known[1]

    def adopt(self, zones: Zones) -> None:
        """Another policy is in force."""
        self.zones = zones
        self._held.clear()


def _keep(connection: Connection, *, row: dict[str, Any], oldest: float) -> None:
    connection.execute(insert(table).values(**row))
    if row["cells"] and row["exchange"][-1:] in "05":  # now and then is enough
        connection.execute(delete(table).where(table.c.at < oldest))


def _newest(connection: Connection, *, person: str, oldest: float) -> int:
    query = select(table.c.number).where(table.c.person == person, table.c.at >= oldest)
    return connection.execute(query.order_by(table.c.number.desc()).limit(1)).scalar() or 0


def _received(connection: Connection, *, person: str, oldest: float) -> list[Received]:
    query = select(table.c.dataset, table.c.service, table.c.at, table.c.cells)
    chosen = query.where(table.c.person == person, table.c.at >= oldest)
    found, total = [], 0
    for row in connection.execute(chosen.order_by(table.c.number.desc()).limit(_BLOBS)):
        found.append(Received(*row))
        total += len(row.cells) // 26
        if total > MOST:
            break
    return found


def _kill(pool: ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):
        with contextlib.suppress(OSError):
            process.kill()
    pool.shutdown(wait=False, cancel_futures=True)


def _nothing() -> None:
    """What a process does first."""


def _begin() -> None:
    end_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    with contextlib.suppress(OSError):
        os.nice(5)  # the gateway itself comes first
