"""Telling other processes at once that something has changed: LISTEN and NOTIFY of PostgreSQL.

SQLite has nothing like it. There, and while the listening connection is broken, whoever waits looks again after a
while; so a notification that is lost costs time, and nothing else.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from sqlalchemy import URL, Connection, text

CHANNEL = "sluicegate"
POLL_SECONDS = 0.2
"""Between two looks where nobody tells."""
TOLD_SECONDS = 2.0
"""Between two looks where changes are told."""
AGAIN_SECONDS = 1.0
"""Before a broken connection is tried again."""


def notify(connection: Connection) -> None:
    """Wake whoever listens, when the transaction of the change commits. Nothing on SQLite."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})


class Changes:
    """Waits for changes, of this and other processes. Used from one event loop; its connection has a thread."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._listens = url.get_backend_name() == "postgresql"
        self._connected = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._told: asyncio.Event | None = None

    async def wait(self) -> None:
        """Until something may have changed: at once when it is told, else after a while."""
        if not self._listens:
            await asyncio.sleep(POLL_SECONDS)
            return
        if self._thread is None:
            self._told = asyncio.Event()
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._listen, args=(loop,), name="database-listener", daemon=True)
            self._thread.start()
        assert self._told is not None
        with suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), TOLD_SECONDS if self._connected else POLL_SECONDS)
        self._told.clear()

    def close(self) -> None:
        """Let the thread end; it does within half a second."""
        self._ended.set()

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        import psycopg

        address = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        while not self._ended.is_set():
            try:
                with psycopg.connect(address, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._connected = True
                    # What changed before this was not told to us.
                    self._wake(loop)
                    while not self._ended.is_set():
                        for _ in connection.notifies(timeout=0.5, stop_after=1):
                            self._wake(loop)
            except psycopg.Error:
                self._connected = False
                self._ended.wait(AGAIN_SECONDS)
        self._connected = False

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._told.set)  # type: ignore[union-attr]
