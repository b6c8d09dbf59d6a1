"""The index: a row for each exchange, for searching. It is not evidence, so it may never stand in anybody's way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
from sqlalchemy import JSON, Connection, delete, insert
from sqlalchemy.dialects import sqlite

from sluicegate.database import Database
from sluicegate.database.tables import exchanges
from sluicegate.recording.journal import Place
from sluicegate.recording.summary import valid_text

logger = logging.getLogger(__name__)

MAX_WAITING = 10_000
"""Rows that may wait for the database; further ones are left to `sluicegate recording reindex`."""
BATCH = 500
_GATHER_SECONDS = 0.25
_SAME_NAME = (
    *("id", "started", "finished", "subject", "name", "session", "groups", "client", "service", "dataset", "kind"),
    *("method", "host", "path", "status", "effect", "rules", "reasons", "exposure", "refusal"),
    *("assurance", "job", "risk", "findings", "parts", "reported"),
)

_JSON = frozenset(column.name for column in exchanges.c if isinstance(column.type, JSON))
_REPLACE = str(insert(exchanges).prefix_with("OR REPLACE").compile(dialect=sqlite.dialect()))
"""SQLite's own word for it takes half the time of two statements, and the driver's own parameters a third."""

Item = tuple[Mapping[str, Any], Place]
"""What a row is made from: the metadata of a flow, and where the flow is."""


def row(summary: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The row of an exchange; live and rebuilt rows are the same."""
    found = {name: valid_text(summary.get(name)) for name in _SAME_NAME}
    return {
        **found,
        "approval_id": summary.get("approval"),
        "flow_file": place.file,
        "flow_offset": place.offset,
    }


def store(connection: Connection, items: Sequence[Item]) -> None:
    """Put rows into the table, in place of older ones of the same exchange. Raises SQLAlchemyError."""
    latest = {summary["id"]: (summary, place) for summary, place in items}
    if not latest:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_REPLACE, [_parameters(*item) for item in latest.values()])
    else:
        connection.execute(delete(exchanges).where(exchanges.c.id.in_(list(latest))))
        connection.execute(insert(exchanges), [row(*item) for item in latest.values()])


def _parameters(summary: Mapping[str, Any], place: Place) -> tuple[Any, ...]:
    """The same row as the driver takes it, in the order of the table."""
    values = {**summary, "approval_id": summary.get("approval"), "flow_file": place.file, "flow_offset": place.offset}
    return tuple([_json(values.get(name)) if name in _JSON else _plain(values.get(name)) for name in _COLUMNS])


def _plain(value: Any) -> Any:
    return valid_text(value) if type(value) is str else value


def _json(value: Any) -> str:
    try:
        text = orjson.dumps(value)
    except TypeError:  # names off the wire may hold what is no valid Unicode
        text = b"\\u0000"
    return (orjson.dumps(valid_text(value)) if b"\\u0000" in text else text).decode()


_COLUMNS = tuple(column.name for column in exchanges.c)


class Index:
    """Writes rows in batches, behind the requests. Failures are logged once and never reach a request."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[Item] = []
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._lacking = False

    def open(self) -> None:
        """Start writing, on the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="recording index")

    def add(self, summary: Mapping[str, Any], place: Place) -> None:
        """Queue a row; when the queue is full it is left out. The row is made on the database's thread."""
        if len(self._waiting) >= MAX_WAITING:
            self._failed("the database does not keep up")
            return
        self._waiting.append((summary, place))
        self._arrived.set()

    async def close(self) -> None:
        """Write what waits, and stop."""
        if self._task is not None:
            self._closing.set()
            self._arrived.set()
            await self._task
            self._task = None

    async def _run(self) -> None:
        while not self._closing.is_set():
            await self._arrived.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _GATHER_SECONDS)
            self._arrived.clear()
            await self._flush()

    async def _flush(self) -> None:
        while self._waiting:
            items = self._waiting[:BATCH]
            del self._waiting[:BATCH]
            try:
                await self._database.run(partial(store, items=items))
            except Exception as error:  # whatever the database does, the recordings are whole without it
                self._failed(type(error).__name__)

    def _failed(self, why: str) -> None:
        # Said once: the index lacks something from then on, whether or not later rows arrive.
        if not self._lacking:
            logger.error("the index lacks exchanges (%s); mend it with: sluicegate recording reindex", why)
        self._lacking = True
