"""The database as the rooms use it: functions run inside one transaction, on a thread, never on the event loop."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from sluicegate.database import migrations, sqlite
from sluicegate.database.address import address
from sluicegate.database.notify import Changes
from sluicegate.database.writer_lock import WriterLock
from sluicegate.errors import Fault


class Database:
    """One writer thread and one reader thread, each with a connection of its own.

    `checkpoints` belongs to the gateway alone: of the processes that share a SQLite file, one folds the log back.
    `read_only` is for tools that must not change anything: nothing is migrated, and `run` is refused.
    """

    def __init__(
        self, url: str | URL, *, checkpoints: bool = False, read_only: bool = False, busy_seconds: float = 5.0
    ) -> None:
        """Opens nothing yet. Raises Fault when the address is no database address."""
        try:
            self.url = make_url(url)
        except ArgumentError:
            raise Fault("The database address is not an SQLAlchemy URL, such as sqlite:///FILE.") from None
        self._sqlite = self.url.get_backend_name() == "sqlite"
        if self._sqlite and self.url.database in (None, "", ":memory:"):
            raise Fault("The database must be a file; one in memory would forget every approval.")
        self._checkpoints = checkpoints
        self._read_only = read_only
        self._busy_seconds = busy_seconds
        self._lock: WriterLock | None = None
        self._engines: list[Engine] = []
        self._threads: list[ThreadPoolExecutor] = []
        self.changes = Changes(self.url)
        """Waits until another process may have changed something."""

    @classmethod
    def of(cls, written: str | None, file: Path, *, checkpoints: bool = False, read_only: bool = False) -> Database:
        """The database that the policy names, else the SQLite database in the file. Raises Fault."""
        return cls(address(written, file, os.environ), checkpoints=checkpoints, read_only=read_only)

    @classmethod
    def at(cls, path: Path, *, checkpoints: bool = False, read_only: bool = False) -> Database:
        """The SQLite database in a file."""
        return cls(URL.create("sqlite", database=str(path)), checkpoints=checkpoints, read_only=read_only)

    @property
    def place(self) -> str:
        """What people are shown: the file, or the address without its password."""
        return str(self.url.database) if self._sqlite else self.url.render_as_string(hide_password=True)

    async def open(self) -> None:
        """Connect and migrate. Raises Fault: one line, whatever is wrong."""
        await asyncio.to_thread(self._open)

    async def close(self) -> None:
        """Finish what runs, refuse what comes later, and let go of the file. May be called twice."""
        await asyncio.to_thread(self._close)

    def _open(self) -> None:
        try:
            if self._sqlite:
                path = Path(str(self.url.database))
                sqlite.prepare_file(path, create=not self._read_only)
                if not self._read_only:
                    self._lock = WriterLock(path.with_name(path.name + ".lock"), self._busy_seconds)
            self._engines = [self._engine(writer=True), self._engine(writer=False)]
            self._threads = [ThreadPoolExecutor(1, f"database-{name}") for name in ("writer", "reader")]
            prepare = migrations.check if self._read_only else migrations.upgrade
            side = self._read if self._read_only else self._write
            self._threads[0].submit(side, prepare).result()
        except Fault:
            self._close()
            raise
        except (SQLAlchemyError, OSError, ImportError) as error:
            self._close()
            raise Fault(
                f"The database {self.place} cannot be opened: {_first_line(error)}.",
                hint="Another process may hold it, or it is not a Sluicegate database.",
            ) from None

    async def run[T](self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """What `work` returns, run in one write transaction on the writer thread; whatever it raises rolls back.

        `durable` waits until the commit is on the disk. Decisions and grants need that: one that a power cut takes
        back could be redeemed twice. The index does not, since it can be rebuilt, and a commit costs a tenth so.
        Raises SQLAlchemyError, TimeoutError (the writer lock), RuntimeError (not open).
        """
        if self._read_only:
            raise RuntimeError("the database is open for reading only")
        return await self._on(0, lambda: self._write(work, durable=durable))

    async def read[T](self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, run in one read transaction on the reader thread. Raises as `run` does."""
        return await self._on(1, lambda: self._read(work))

    def _close(self) -> None:
        self.changes.close()
        for thread in self._threads:
            thread.shutdown(wait=True)
        if self._sqlite and self._checkpoints and self._engines:
            # Only tidiness: what stays in the log is found there by whoever opens the file next.
            # A full disk comes as the driver's own error.
            with suppress(SQLAlchemyError, sqlite3.Error, TimeoutError):
                self._fold()
        for engine in self._engines:
            engine.dispose()
        if self._lock:
            self._lock.close()
        self._lock, self._engines = None, []

    async def _on[T](self, index: int, job: Callable[[], T]) -> T:
        if not self._engines:
            raise RuntimeError("the database is not open")
        return await asyncio.get_running_loop().run_in_executor(self._threads[index], job)

    def _engine(self, *, writer: bool) -> Engine:
        # Parameters are kept out of error texts: they hold what people asked for.
        engine = create_engine(
            self.url,
            pool_size=1,
            max_overflow=0,
            pool_pre_ping=not self._sqlite,
            hide_parameters=True,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
        )
        if self._sqlite:
            sqlite.settle(
                engine,
                writer=writer and not self._read_only,
                checkpoints=self._checkpoints,
                busy_seconds=self._busy_seconds,
            )
        return engine

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock.held() if self._lock else nullcontext():
            yield

    def _write[T](self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        with self._writing(), self._engines[0].connect() as connection:
            if self._sqlite:
                sqlite.set_durability(connection, durable)
            with connection.begin():
                return work(connection)

    def _fold(self) -> None:
        with self._writing(), self._engines[0].connect() as connection:
            sqlite.fold(connection)

    def _read[T](self, work: Callable[[Connection], T]) -> T:
        with self._engines[1].connect() as connection, connection.begin():
            return work(connection)


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "orig", None) or getattr(error, "strerror", None) or error)
    return (text.splitlines() or [type(error).__name__])[0].rstrip(".")
