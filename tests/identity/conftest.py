"""An identity provider, a clock that stands still, a verifier on both, and a web server that misbehaves to order."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sluicegate.clock import SetClock
from sluicegate.database import Database
from sluicegate.identity.verifier import Verifier
from sluicegate.settings.model import Identity
from tests.databases import with_tables
from tests.provider import Provider


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def provider(clock: SetClock) -> Iterator[Provider]:
    with Provider(clock=clock) as running:
        yield running


@pytest.fixture
async def verifier(provider: Provider, clock: SetClock) -> AsyncIterator[Verifier]:
    verifier = Verifier(Identity(issuer=provider.issuer), clock)
    await verifier.open()
    yield verifier
    await verifier.close()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = with_tables(tmp_path / "sluicegate.sqlite3")
    await database.open()
    yield database
    await database.close()


class Hostile:
    """A server that answers each path with the bytes that a test put there: whole responses, status line and all."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Callable[[], bytes]] = {}
        self.seen: list[str] = []
        self.released = threading.Event()
        """What an answer may wait for; set when the test is over."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append(self.path)
                answer = outer.answers.get(self.path, b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                try:
                    self.wfile.write(answer if isinstance(answer, bytes) else answer())
                except OSError:
                    return
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    server = Hostile()
    yield server
    server.stop()
