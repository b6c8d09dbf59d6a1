"""The console as an application: which routes there are."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from sluicegate.approvals.store import Store
from sluicegate.clock import Clock
from sluicegate.console import approvals_api, authority_api, recordings_api, sessions_api
from sluicegate.console.guard import PERSON, Guard, Verifies, answer, is_page
from sluicegate.console.pages.door import Door
from sluicegate.console.pages.here import Here
from sluicegate.console.pages.inbox import Inbox
from sluicegate.console.pages.live import Live
from sluicegate.console.pages.searching import Searching
from sluicegate.console.pages.shown import Shown
from sluicegate.console.pages.site import FOLDER, Site
from sluicegate.console.pages.watching import Watching
from sluicegate.console.past import Past
from sluicegate.console.record import Record
from sluicegate.console.roles import Roles
from sluicegate.console.searches import Searches
from sluicegate.database import Database
from sluicegate.errors import Refusal
from sluicegate.identity.sign_in.sign_ins import SignIns
from sluicegate.recording.keeping.orders import Orders
from sluicegate.settings import Loaded


def build(
    loaded: Loaded,
    database: Database,
    verifier: Verifies,
    clock: Clock,
    sign_ins: SignIns | None = None,
    *,
    certificates: Path | None = None,
    recordings: Path | None = None,
    searches: Searches | None = None,
    closing: asyncio.Event | None = None,
) -> Starlette:
    """The console as an ASGI application. The database and the verifier must be open while it serves.

    Without `sign_ins` nobody can sign in here; calls are made with tokens of the provider. `certificates` is the file
    of what clients of the gateway are to trust, `recordings` the folder that the gateway records into, `searches` what
    looks through it (close them afterwards). `closing` ends what would go on by itself.
    """
    store, roles = Store(database, loaded.settings.approvals, clock), Roles(loaded.settings)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    address = loaded.settings.console.address or ""
    site = Site(roles, clock)
    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            authority_api.route(certificates),
            *approvals_api.routes(store, roles),
            *recordings_api.routes(Orders(database, clock), roles, loaded.settings.identity.issuer or ""),
            *(sessions_api.routes(loaded.settings, roles, sign_ins) if sign_ins else ()),
            *(
                _pages(
                    site,
                    loaded,
                    store,
                    database,
                    sign_ins,
                    recordings,
                    searches or Searches(recordings, database, clock),
                    closing or asyncio.Event(),
                )
                if sign_ins
                else ()
            ),
        ],
        middleware=[
            Middleware(
                Guard,
                hosts=_hosts(loaded.settings.console.listen, address),
                verifier=verifier,
                clock=clock,
                pages=Shown(site) if sign_ins else None,
            )
        ],
        exception_handlers={HTTPException: _not_routed},
    )
    app.router.redirect_slashes = False
    return app


def _pages(
    site: Site, loaded: Loaded, store: Store, database: Database, sign_ins: SignIns, recordings: Path | None,
    searches: Searches, closing: asyncio.Event,
) -> list[BaseRoute]:  # fmt: skip
    past, record = Past(database), Record(recordings, database, site.clock)
    door = Door(site, loaded.settings.identity, sign_ins, site.clock, loaded.settings.console.address or "")
    return [
        Mount("/static", StaticFiles(directory=FOLDER / "static")),
        *door.routes(),
        *Here(site, sign_ins, loaded.settings).routes(),
        *Inbox(site, store, past).routes(),
        *Live(site, past, closing).routes(),
        *Searching(site, searches).routes(),
        *Watching(site, past, record, sign_ins, loaded).routes(),
    ]


def _hosts(listen: str, address: str) -> frozenset[str]:
    # The port is not compared: people reach the console through forwarded ports, and names are what rebinding abuses.
    named = urlsplit(address).hostname or "localhost"
    return frozenset({listen.rpartition(":")[0].strip("[]").lower(), named, "localhost", "127.0.0.1", "::1"})


async def _not_routed(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    title = "Wrong method" if status == 405 else "No such page" if status == 404 else "Refused"
    refusal = Refusal(status, title.lower().replace(" ", "-"), title, "There is nothing here.", headers=headers)
    if PERSON in request.scope and is_page(request.url.path):
        # The guard has let a browser in; it also knows how to tell it so.
        raise refusal
    return answer(refusal)
