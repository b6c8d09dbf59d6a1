"""The counters in the database, so that a restart forgets nobody's use. Written behind the requests, never before."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from functools import partial

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.database.tables import usage as table
from sluicegate.errors import Fault
from sluicegate.policy.usage import KEPT_SECONDS, NAMES, SLOT, Count, Key, Usage

logger = logging.getLogger(__name__)

SECONDS = 1.0
"""How long a count may be in memory alone. How often is not policy, so this is the machine's time."""

LATE = 1800.0
"""Seconds back from now in which others may still count: an exchange counts when its request came."""


class UsageKept:
    """Writes what changed, and takes up what other processes count. What could not be done is tried again."""

    def __init__(self, usage: Usage, database: Database, clock: Clock) -> None:
        self._usage = usage
        self._database = database
        self._clock = clock
        self._run = uuid.uuid4().hex
        self._task: asyncio.Task[None] | None = None
        self._lacking = False
        self._blind = False

    async def open(self) -> None:
        """Raises Fault when the counters cannot be read: budgets would begin anew."""
        oldest = int((self._clock.now() - KEPT_SECONDS) // SLOT)
        try:
            self._usage.restore(await self._database.read(partial(_load, oldest=oldest)))
        except (SQLAlchemyError, TimeoutError, ValueError, TypeError):
            raise Fault("What people have taken cannot be read from the database, so budgets cannot be kept.") from None
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="usage")

    async def close(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            await self.write()

    async def write(self) -> None:
        """Write what changed since the last time."""
        changed = self._usage.changed()
        if not changed:
            return
        oldest = int((self._clock.now() - KEPT_SECONDS) // SLOT)
        try:
            await self._database.run(partial(_store, run=self._run, changed=changed, oldest=oldest))
        except Exception:  # whatever the database does: the counters in memory go on
            self._usage.again(key for key, _ in changed)
            if not self._lacking:
                logger.exception("what people take cannot be written to the database; a restart would forget it")
            self._lacking = True
        else:
            self._lacking = False

    async def take_up(self) -> None:
        """Take up what others have written lately. Older counts do not change any more."""
        if not self._usage.counting:
            return
        since = int((self._clock.now() - LATE) // SLOT)
        try:
            self._usage.take_up(await self._database.read(partial(_load, oldest=since, but=self._run)), since)
        except Exception:  # whatever the database does: what was known goes on
            if not self._blind:
                logger.exception("what others take cannot be read from the database; budgets hold for this process")
            self._blind = True
        else:
            self._blind = False

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            await self.write()
            await self.take_up()


def _load(connection: Connection, *, oldest: int, but: str | None = None) -> list[tuple[Key, Count]]:
    query = select(table).where(table.c.slot >= oldest)
    found = connection.execute(query if but is None else query.where(table.c.run != but))
    return [
        (
            Key(row.person, row.dataset, row.slot),
            Count(row.chunks, row.rows, row.bytes, set(map(str, row.names[:NAMES])), row.unnamed),
        )
        for row in found
    ]


def _store(connection: Connection, *, run: str, changed: list[tuple[Key, Count]], oldest: int) -> None:
    connection.execute(delete(table).where(table.c.slot < oldest))
    for key, _ in changed:
        connection.execute(
            delete(table).where(
                table.c.run == run,
                table.c.person == key.person,
                table.c.dataset == key.dataset,
                table.c.slot == key.slot,
            )
        )
    rows = [
        {
            "run": run,
            "person": key.person,
            "dataset": key.dataset,
            "slot": key.slot,
            "chunks": count.chunks,
            "rows": count.rows,
            "bytes": count.bytes,
            "names": sorted(count.names),
            "unnamed": count.unnamed,
        }
        for key, count in changed
    ]
    connection.execute(insert(table), rows)
