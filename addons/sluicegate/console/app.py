"""The console as an application: which routes there are."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sluicegate.approvals.store import Store
from sluicegate.clock import Clock
from sluicegate.console import approvals_api, authority_api, sessions_api
from sluicegate.console.guard import Guard, Verifies, answer
from sluicegate.console.roles import Roles
from sluicegate.database import Database
from sluicegate.errors import Refusal
from sluicegate.identity.sign_in.sign_ins import SignIns
from sluicegate.settings import Loaded


def build(
    loaded: Loaded,
    database: Database,
    verifier: Verifies,
    clock: Clock,
    sign_ins: SignIns | None = None,
    *,
    certificates: Path | None = None,
) -> Starlette:
    """The console as an ASGI application. The database and the verifier must be open while it serves.

    Without `sign_ins` nobody can sign in here; calls are made with tokens of the provider. `certificates` is the file
    of what clients of the gateway are to trust.
    """
    store, roles = Store(database, loaded.settings.approvals, clock), Roles(loaded.settings)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            authority_api.route(certificates),
            *approvals_api.routes(store, roles),
            *(sessions_api.routes(loaded.settings, roles, sign_ins) if sign_ins else ()),
        ],
        middleware=[Middleware(Guard, hosts=_hosts(loaded.settings.console.listen), verifier=verifier)],
        exception_handlers={HTTPException: _not_routed},
    )
    app.router.redirect_slashes = False
    return app


def _hosts(listen: str) -> frozenset[str]:
    # The port is not compared: people reach the console through forwarded ports, and names are what rebinding abuses.
    return frozenset({listen.rpartition(":")[0].strip("[]").lower(), "localhost", "127.0.0.1", "::1"})


async def _not_routed(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    title = "Wrong method" if status == 405 else "No such page" if status == 404 else "Refused"
    return answer(Refusal(status, title.lower().replace(" ", "-"), title, "There is nothing here.", headers=headers))
