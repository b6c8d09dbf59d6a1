"""The console as a server: one address, one coroutine, a clean end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from sluicegate.approvals.notify.deliver import Deliverer
from sluicegate.approvals.store import Store
from sluicegate.clock import Clock
from sluicegate.console.app import build
from sluicegate.console.searches import Searches
from sluicegate.console.tending import Tending
from sluicegate.credentials.personal import wanted
from sluicegate.database import Database
from sluicegate.errors import Fault
from sluicegate.identity.on_behalf.ahead import Ahead
from sluicegate.identity.provider import ProviderTrouble
from sluicegate.identity.recognise import Recognizer
from sluicegate.identity.sign_in.refreshing import Refreshing
from sluicegate.identity.sign_in.sealing import Sealing
from sluicegate.identity.sign_in.sign_ins import SignIns
from sluicegate.policy.reach import Reach
from sluicegate.settings import Loaded, State

DRAIN_SECONDS = 5
"""How long calls in flight may take to end."""


async def serve(
    loaded: Loaded,
    database: Database,
    clock: Clock,
    *,
    state: State,
    announce: Callable[[str], None],
    stop: asyncio.Event | None = None,
    certificates: Path | None = None,
) -> None:
    """Open the database and identity, serve on [console].listen until `stop`, SIGTERM or SIGINT, and close them.

    `announce` is called with the address, such as `http://127.0.0.1:8090`, once connections are taken; port 0 in the
    policy means any free one. Raises Fault, one line, when it cannot serve.
    """
    stop, closing = stop or asyncio.Event(), asyncio.Event()
    identity = loaded.settings.identity
    recognizer = Recognizer(identity, database, clock)
    ahead = _ahead(loaded, recognizer, database, Sealing(state), clock)
    sign_ins = SignIns(identity, recognizer, database, Sealing(state), clock, ahead=ahead)
    refreshing = Refreshing(identity, sign_ins, database, clock)
    tending = Tending(
        Store(database, loaded.settings.approvals, clock),
        Deliverer(loaded.settings.notify, loaded.settings.console.address or "", os.environ, database, clock),
    )
    searches = Searches(state.recordings, database, clock)
    with listening(loaded.settings.console.listen) as sock:
        try:
            await database.open()
            await recognizer.open()
            await sign_ins.open()
            if ahead is not None:
                await ahead.open()
            await refreshing.open()
            tending.open()
            with _signals(stop):
                app = build(
                    loaded, database, recognizer, clock, sign_ins, certificates=certificates,
                    recordings=state.recordings, searches=searches, closing=closing,
                )  # fmt: skip
                await _run(app, sock, announce, stop, closing)
        except ProviderTrouble as trouble:
            raise Fault(f"The identity provider {identity.issuer} {trouble}.", hint="Check [identity].") from None
        finally:
            await searches.close()
            await tending.close()
            await refreshing.close()
            if ahead is not None:
                await ahead.close()
            await sign_ins.close()
            await recognizer.close()
            await database.close()


def _ahead(loaded: Loaded, recognizer: Recognizer, database: Database, sealing: Sealing, clock: Clock) -> Ahead | None:
    """Who fetches tokens for services at sign-in, where services want any."""
    settings = loaded.settings
    targets = [found.target for _, found in wanted(settings.services)]
    if settings.identity.token_exchange is None or not targets:
        return None
    reach = Reach(settings)
    return Ahead(settings.identity, targets, reach.may_use, recognizer, database, sealing, os.environ, clock)


@contextmanager
def listening(listen: str) -> Iterator[socket.socket]:
    """A socket that listens on `host:port`. Raises Fault."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    try:
        sock = socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except socket.gaierror as error:
        raise _cannot_listen(listen, str(error.strerror)) from None
    except OSError as error:
        raise _cannot_listen(listen, os.strerror(error.errno or 0)) from None
    except OverflowError:
        raise _cannot_listen(listen, "there is no such port") from None
    with sock:
        yield sock


def _cannot_listen(listen: str, why: str) -> Fault:
    return Fault(f"The console cannot listen on {listen}: {why}.", hint="Choose another with [console].listen.")


async def _run(
    app: ASGIApp, sock: socket.socket, announce: Callable[[str], None], stop: asyncio.Event, closing: asyncio.Event
) -> None:
    server = _Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Nobody's word is taken for where a call came from.
            proxy_headers=False,
            limit_concurrency=256,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    stopping = asyncio.create_task(stop.wait())
    try:
        host, port = sock.getsockname()[:2]
        announce(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        closing.set()
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: they would end the process before the database is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    for number in wanted:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)
