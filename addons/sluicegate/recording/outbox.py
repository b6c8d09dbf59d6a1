"""Events of all processes on their way into the record: taken from the database, recorded, and only then taken out.

An event that was recorded and could not be taken out before a crash comes again. What was recorded is looked up in the
newest events files at the start, so that the same event is never recorded twice. No event is taken for an old one by
its id alone: ids may become visible out of order, and a new database begins anew.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import orjson

from sluicegate.database import Database
from sluicegate.database.events import Event, recorded, waiting
from sluicegate.recording.intents import seal
from sluicegate.recording.summary import VERSION, valid_text

logger = logging.getLogger(__name__)

BATCH = 256
LOOK_SECONDS = 1.0
"""How often the database is asked. What happens elsewhere is durable there; here it only has to be entered."""

Enter = Callable[[str, bytes], Awaitable[None]]
Known = tuple[int, str, float]
"""What tells an event from all others: id, kind and time."""


class Outbox:
    """Drains the events of a database into the record, behind the requests."""

    def __init__(self, database: Database, enter: Enter, known: Iterable[Known] = ()) -> None:
        self._database = database
        self._enter = enter
        self._known = set(known)
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._failing = False
        self._one_at_a_time = asyncio.Lock()

    def open(self) -> None:
        """Start draining, on the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="recording outbox")

    async def close(self) -> None:
        """Drain once more, and stop."""
        if self._task is not None:
            self._stop.set()
            await self._task
            self._task = None

    async def drain(self) -> int:
        """Record what waits, and take it out; how many events that were. Raises whatever the database or disk says."""
        async with self._one_at_a_time:
            return await self._drain()

    async def _drain(self) -> int:
        count = 0
        while events := await self._database.read(partial(waiting, most=BATCH)):
            fresh = [event for event in events if _known(event) not in self._known]
            outcomes = await asyncio.gather(*[self._record(event) for event in fresh], return_exceptions=True)
            for outcome in outcomes:
                if outcome is not None:
                    raise outcome
            await self._database.run(partial(recorded, ids=[event.id for event in events]))
            self._known.clear()
            count += len(fresh)
            if len(events) < BATCH:
                break
        return count

    async def _record(self, event: Event) -> None:
        await self._enter(event.kind, encode(event))
        self._known.add(_known(event))

    async def _run(self) -> None:
        while True:
            stopping = self._stop.is_set()
            try:
                await self.drain()
                self._failing = False
            except Exception as error:  # what waits is durable where it is, and is tried again
                if not self._failing:
                    logger.error(
                        "events cannot be recorded for now (%s); they wait in the database", type(error).__name__
                    )
                self._failing = True
            if stopping:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), LOOK_SECONDS)


def encode(event: Event) -> bytes:
    """The line that an event is recorded as. Its salt keeps the ledger's hash of it from telling what is in it."""
    return seal(
        {
            "version": VERSION,
            "id": event.id,
            "kind": event.kind,
            "time": event.at,
            "body": valid_text(event.body),
            "salt": os.urandom(16).hex(),
        }
    )


def recorded_lately(folder: Path) -> set[Known]:
    """The events in the two newest events files below a folder of recordings. Raises OSError."""
    paths = sorted(folder.glob("????-??-??/*.events"))[-2:]
    found = (_read(line) for path in paths for line in path.read_bytes().splitlines())
    return {item for item in found if item is not None}


def _known(event: Event) -> Known:
    return event.id, event.kind, event.at


def _read(line: bytes) -> Known | None:
    try:
        fields = orjson.loads(line)
        return int(fields["id"]), str(fields["kind"]), float(fields["time"])
    except (ValueError, TypeError, KeyError):
        return None
