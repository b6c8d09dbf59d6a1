"""What the console does by itself: what has come to its end is written down, and people are told what waits."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from sluicegate.approvals.notify.deliver import Deliverer
from sluicegate.approvals.store import Store

PAUSE_SECONDS = 2.0
ROUNDS_BETWEEN_SWEEPS = 1800

_log = logging.getLogger("sluicegate.console")


class Tending:
    """A task that goes round until it is closed. Whatever fails is tried again in the next round."""

    def __init__(self, store: Store, deliverer: Deliverer) -> None:
        self._store = store
        self._deliverer = deliverer
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        # Apart, since a place that does not answer must not keep what has expired from being written down.
        self._tasks = [asyncio.create_task(self._run(self._expire)), asyncio.create_task(self._run(self._deliver))]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def _expire(self, _round: int) -> None:
        await self._store.expire()

    async def _deliver(self, number: int) -> None:
        await self._deliverer.round()
        if number % ROUNDS_BETWEEN_SWEEPS == 0:
            await self._deliverer.sweep()

    async def _run(self, work: object) -> None:
        number, failing = 0, False
        while True:
            try:
                await work(number)  # type: ignore[operator]
                failing = False
            except Exception as error:
                if not failing:
                    _log.error("The console cannot tend the approvals: %s", type(error).__name__)
                failing = True
            number += 1
            await asyncio.sleep(PAUSE_SECONDS)
