"""The routes by which people have recordings held, released and shredded. The gateway carries out what is agreed.

GET  /api/recordings/orders              the orders, newest first                       (keepers, operators, auditors)
POST /api/recordings/orders              ask: `kind`, `what`, `reason`                  (keepers)
POST /api/recordings/orders/{id}/agree   the second person's yes                        (keepers)
POST /api/recordings/orders/{id}/withdraw                                               (keepers)
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sluicegate.console.guard import person_of
from sluicegate.console.roles import Roles
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal
from sluicegate.recording.keeping.orders import Orders


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a new order."""

    kind: Literal["hold", "release", "shred"]
    what: dict[str, Any]
    reason: str


def routes(orders: Orders, roles: Roles, issuer: str) -> list[Route]:
    """The routes. `issuer` is whose subjects are meant where an order does not say."""

    async def listed(request: Request) -> Response:
        person = person_of(request)
        if not roles.keeper(person) and not roles.sees_all(person):
            raise _not_a_keeper()
        return JSONResponse({"orders": [order.document() for order in await orders.list()]})

    async def ask(request: Request) -> Response:
        person, said = _keeper(request, roles), _asked(await request.body())
        if said.what.get("subject") and not said.what.get("issuer"):
            said.what["issuer"] = issuer
        return JSONResponse((await orders.ask(said.kind, said.what, said.reason, person)).document())

    async def act(request: Request) -> Response:
        person, key = _keeper(request, roles), request.path_params["key"]
        match request.path_params["action"]:
            case "agree":
                return JSONResponse((await orders.agree(key, person)).document())
            case "withdraw":
                return JSONResponse((await orders.withdraw(key, person)).document())
        raise Refusal(404, "no-such-page", "No such page", "There is nothing here.")

    return [
        Route("/api/recordings/orders", listed),
        Route("/api/recordings/orders", ask, methods=["POST"]),
        Route("/api/recordings/orders/{key}/{action}", act, methods=["POST"]),
    ]


def _keeper(request: Request, roles: Roles) -> Principal:
    person = person_of(request)
    if not roles.keeper(person):
        raise _not_a_keeper()
    return person


def _not_a_keeper() -> Refusal:
    return Refusal(
        403,
        "not-a-keeper",
        "Not a keeper",
        "Only keepers have recordings held, released or shredded.",
        next_step="They are listed under [console].keepers of the policy; where there are none, the operators are.",
    )


def _asked(body: bytes) -> Asked:
    try:
        return msgspec.json.decode(body, type=Asked)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(
            400, "body-not-understood", "Body not understood", f"The body is not an order: {error}."
        ) from None
