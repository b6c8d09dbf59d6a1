"""Sends what waits in the table `findings_out`, in order, and takes out what the sink has.

The row is written with its finding and removed only when the sink has the event, so nothing is lost. A sink that had
an event when the gateway was killed gets it again, with the same id; a file is looked at for its last lines before.
Of gateways that share a database, one sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection, delete, select

from sluicegate.database import Database
from sluicegate.database.tables import findings, findings_out
from sluicegate.detection.out.ocsf import event
from sluicegate.detection.out.sender import alone, let_go
from sluicegate.settings.model import Detection

logger = logging.getLogger(__name__)

FILE, SYSLOG, HTTP = "file", "syslog", "http"
SECONDS = 1.0
"""How often is looked for what waits: the machine's time, since it is no matter of policy."""
PAUSE = 60.0
"""After failures in a row the pause is twice as long each time, up to this."""
BATCH = 200
CLOSE_SECONDS, LONGEST_SECONDS = 3.0, 15.0
"""How long a stop waits until what waits is sent, and then until what is under way is."""
_TAIL = 1 << 16


class Sink(Protocol):
    """Where events go."""

    most: int
    """How many events it is given at once. What says of each that it has it is given one."""

    def put(self, events: list[dict[str, Any]]) -> int:
        """Take events in their order; how many of them, from the first, are there now. Runs on a thread, and raises
        where none is."""


class ToFile:
    """A file with one event a line, for whatever reads such files. Appended to and synced; read at its end alone."""

    most = BATCH

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, events: list[dict[str, Any]]) -> int:
        """Append what is not there yet. Raises OSError."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            size = os.fstat(descriptor).st_size
            tail = os.pread(descriptor, _TAIL * 4, max(0, size - _TAIL * 4))
            if tail and not tail.endswith(b"\n"):
                file.write(b"\n")  # a line that a kill cut off stays alone
            there = tail.splitlines()
            lines = [orjson.dumps(one) for one in events]
            new = [line for line in lines if line not in there]
            if new:
                file.write(b"\n".join(new) + b"\n")
            os.fsync(descriptor)
        return len(events)


class Sending:
    """A task that empties the table for one sink. What fails is tried again, and said once."""

    def __init__(self, database: Database, sink: Sink, name: str = FILE) -> None:
        self._database = database
        self._sink = sink
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._given_up = False
        """Whether what is under way is the last."""
        self._lacking = 0
        """Failures in a row."""

    def open(self) -> None:
        """Begin, on the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="findings out")

    async def close(self) -> None:
        """Send what waits, as far as that is quick, and stop. What is under way is waited for: given up, it would be
        sent again after the next start, though it is there."""
        task, self._task = self._task, None
        if task is None:
            return
        self._closing.set()
        await asyncio.wait({task}, timeout=CLOSE_SECONDS)
        self._given_up = True
        await asyncio.wait({task}, timeout=LONGEST_SECONDS)
        if not task.done():
            logger.error("findings are still being sent (%s); they may come again after the next start", self._name)
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def send(self) -> int:
        """Send one batch. How many were sent; what cannot be sent stays."""
        sent = 0
        try:
            if not await self._database.read(partial(_waiting, sink=self._name, most=1)):
                return 0
            if not await self._database.run(partial(alone, sink=self._name)):
                return 0  # another gateway does
            # Read now, since another may have sent some of what waited.
            rows = await self._database.read(partial(_waiting, sink=self._name, most=BATCH))
            mine = True
            while rows and mine and not self._given_up:
                part, rows = rows[: self._sink.most], rows[self._sink.most :]
                taken = await asyncio.to_thread(self._sink.put, [event(row) for _, row in part])
                numbers = [number for number, _ in part[:taken]]
                mine = await self._database.run(partial(_sent, numbers=numbers, sink=self._name))
                sent += taken
                if taken < len(part):
                    break
        except Exception as error:
            await self._failed(error)
            return sent
        if self._lacking:
            logger.warning("findings are sent again (%s)", self._name)
        self._lacking = 0
        return sent

    async def _failed(self, error: Exception) -> None:
        if not self._lacking:
            logger.error("findings cannot be sent (%s): %s; they wait", self._name, error)
        self._lacking += 1
        with contextlib.suppress(Exception):  # the database may be what fails
            await self._database.run(partial(let_go, sink=self._name))

    async def _run(self) -> None:
        while True:
            closing = self._closing.is_set()
            full = await self.send() >= BATCH
            if self._given_up or (closing and not full):
                return
            if not full:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(PAUSE, SECONDS * 2 ** min(self._lacking, 10))):
                        await self._closing.wait()


def sinks(settings: Detection) -> dict[str, Sink]:
    """The sinks that the policy names."""
    found: dict[str, Sink] = {}
    if settings.ocsf_file is not None:
        found[FILE] = ToFile(Path(settings.ocsf_file))
    if settings.syslog is not None:
        from sluicegate.detection.out.syslog import ToSyslog

        found[SYSLOG] = ToSyslog(settings.syslog)
    if settings.http is not None:
        from sluicegate.detection.out.collector import ToCollector

        found[HTTP] = ToCollector(settings.http)
    return found


def _waiting(connection: Connection, *, sink: str, most: int) -> list[tuple[int, dict[str, Any]]]:
    query = select(findings_out.c.number, findings).join(findings, findings.c.id == findings_out.c.finding)
    rows = connection.execute(query.where(findings_out.c.sink == sink).order_by(findings_out.c.number).limit(most))
    return [(row.number, dict(row._mapping)) for row in rows]


def _sent(connection: Connection, *, numbers: list[int], sink: str) -> bool:
    """Take out what is there. Whether this gateway still sends."""
    connection.execute(delete(findings_out).where(findings_out.c.number.in_(numbers)))
    return alone(connection, sink)
