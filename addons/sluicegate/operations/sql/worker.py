"""Long statements, read in a process of their own that is killed when it takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from sluicegate.child import end_with_parent
from sluicegate.errors import Refusal
from sluicegate.operations.sql.reader import Asked, cache
from sluicegate.operations.sql.reading import Read

SECONDS = 2.0
"""How long reading one statement may take."""
START_SECONDS = 6.0
"""How long a statement waits for the process to start."""
MAX_WAITING = 4
"""How many statements may wait for it, or be read; more are refused."""
MAX_MEMORY = 2 << 30


class Worker:
    """One process, started when it is first needed. Used on the event loop alone."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._pool: ProcessPoolExecutor | None = None
        self._started: asyncio.Future[bool] | None = None
        self._turn: asyncio.Lock | None = None
        self._waiting = 0

    async def read(self, asked: Asked) -> Read:
        """Read a statement, and remember what came of it: what takes too long or breaks the process is opaque.

        Raises Refusal where it could not be tried.
        """
        if self._waiting >= MAX_WAITING:
            raise _busy("Other long statements are being read.")
        self._turn = self._turn or asyncio.Lock()
        self._waiting += 1
        try:
            async with self._turn:
                known = cache.get(asked.key, asked.known)  # who waited before may have asked for the same
                if known is not None:
                    return known
                read = await self._read(asked, await self._ready())
        finally:
            self._waiting -= 1
        # One copy of a long text is enough.
        read = read._replace(operation=replace(read.operation, statement=asked.text))
        cache.put(asked.key, asked.known, read)
        return read

    async def _ready(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _limit)
            self._started = asyncio.get_running_loop().run_in_executor(self._pool, _ready)
        if self._started is not None:
            try:
                await asyncio.wait_for(asyncio.shield(self._started), START_SECONDS)
            except TimeoutError:
                raise _busy("The process that reads long statements is starting.") from None
            except (BrokenProcessPool, OSError) as error:
                self.stop()
                raise _busy("The process that reads long statements does not start.") from error
            self._started = None
        return self._pool

    async def _read(self, asked: Asked, pool: ProcessPoolExecutor) -> Read:
        plain = asked._replace(prepared=dict(asked.prepared))
        try:
            return await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(pool, _read, plain), self._seconds)
        except TimeoutError:
            self.stop()
            return asked.refused("reading the statement takes too long")
        except (BrokenProcessPool, OSError, MemoryError, RecursionError):
            self.stop()
            return asked.refused("the statement cannot be read")
        except BaseException:  # the request was given up: what it left running would block whoever comes next
            self.stop()
            raise

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        pool, self._pool, self._started = self._pool, None, None
        if pool is None:
            return
        for process in list((pool._processes or {}).values()):
            with contextlib.suppress(OSError):
                process.kill()
        pool.shutdown(wait=False, cancel_futures=True)


def _busy(detail: str) -> Refusal:
    return Refusal(503, "statement-not-read", "Statement not read", f"{detail} Try again, or write it shorter.")


def _limit() -> None:
    end_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def _ready() -> bool:
    from sqlglot.dialects.dialect import Dialect

    return Dialect.get_or_raise("trino") is not None


def _read(asked: Asked) -> Read:
    return asked.read()
