"""The routes of the console: list, show, approve, deny."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sluicegate.approvals.approval import Approval
from sluicegate.approvals.store import Store
from sluicegate.clock import Clock
from sluicegate.console.guard import PERSON, Guard, Verifies, answer
from sluicegate.database import Database
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal
from sluicegate.settings import Loaded


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a decision."""

    reason: str = ""


def build(loaded: Loaded, database: Database, verifier: Verifies, clock: Clock) -> Starlette:
    """The console as an ASGI application. The database and the verifier must be open while it serves."""
    store = Store(database, loaded.settings.approvals, clock)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def listed(request: Request) -> Response:
        person = _person(request)
        return JSONResponse({"approvals": [_document(found, person) for found in await store.list(person)]})

    async def shown(request: Request) -> Response:
        person = _person(request)
        return JSONResponse(_document(await store.show(request.path_params["key"], person), person))

    async def approve(request: Request) -> Response:
        return await decide(request, True)

    async def deny(request: Request) -> Response:
        return await decide(request, False)

    async def decide(request: Request, yes: bool) -> Response:
        person, said = _person(request), _said(await request.body())
        decided = await store.decide(request.path_params["key"], person, yes, said.reason)
        return JSONResponse(_document(decided, person))

    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/api/approvals", listed),
            Route("/api/approvals/{key}", shown),
            Route("/api/approvals/{key}/approve", approve, methods=["POST"]),
            Route("/api/approvals/{key}/deny", deny, methods=["POST"]),
        ],
        middleware=[Middleware(Guard, hosts=_hosts(loaded.settings.console.listen), verifier=verifier)],
        exception_handlers={HTTPException: _not_routed},
    )
    app.router.redirect_slashes = False
    return app


def _hosts(listen: str) -> frozenset[str]:
    # The port is not compared: people reach the console through forwarded ports, and names are what rebinding abuses.
    return frozenset({listen.rpartition(":")[0].strip("[]").lower(), "localhost", "127.0.0.1", "::1"})


def _person(request: Request) -> Principal:
    person = request.scope.get(PERSON)
    if not isinstance(person, Principal):
        raise TypeError("a route that needs a person was reached without one")
    return person


def _document(approval: Approval, person: Principal) -> dict[str, Any]:
    return {
        **approval.document(),
        "own": approval.asked_by(person),
        "may_decide": approval.state == "pending" and approval.decidable_by(person),
    }


def _said(body: bytes) -> Said:
    try:
        return msgspec.json.decode(body or b"{}", type=Said)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(
            400, "body-not-understood", "Body not understood", f"The body is not a decision: {error}."
        ) from None


async def _not_routed(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    title = "Wrong method" if status == 405 else "No such page" if status == 404 else "Refused"
    return answer(Refusal(status, title.lower().replace(" ", "-"), title, "There is nothing here.", headers=headers))
