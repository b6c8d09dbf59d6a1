"""A process of its own for work that may be long, or eat memory, or never end: it is given up, the process with it."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from sluicegate.child import end_with_parent

LEARN_SECONDS = 60.0
_MEMORY = 2 << 30


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
