"""The JSON API of approvals, for the command line: every call is made by a person with a token."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sluicegate.approvals.approval import Approval
from sluicegate.approvals.difference import differences
from sluicegate.approvals.store import Store
from sluicegate.console.guard import person_of
from sluicegate.console.roles import Roles
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a decision."""

    reason: str = ""
    accepted: bool | None = None


def routes(store: Store, roles: Roles) -> list[Route]:
    """The routes, below /api/approvals."""

    async def listed(request: Request) -> Response:
        person = person_of(request)
        found = await store.list(person, everything=roles.sees_all(person))
        return JSONResponse({"approvals": [document(one, person) for one in found]})

    async def shown(request: Request) -> Response:
        person = person_of(request)
        found = await store.show(request.path_params["key"], person, everything=roles.sees_all(person))
        return JSONResponse({**document(found, person), "differs": await _differs(store, found)})

    async def act(request: Request) -> Response:
        person, said = person_of(request), _said(await request.body())
        key, action = request.path_params["key"], request.path_params["action"]
        changed = await act_on(store, roles, action, key, person, said)
        return JSONResponse(document(changed, person))

    return [
        Route("/api/approvals", listed),
        Route("/api/approvals/{key}", shown),
        Route("/api/approvals/{key}/{action}", act, methods=["POST"]),
    ]


async def act_on(store: Store, roles: Roles, action: str, key: str, person: Principal, said: Said) -> Approval:
    """Do what somebody asks for. Raises Refusal."""
    match action:
        case "approve" | "deny":
            return await store.decide(key, person, action == "approve", said.reason)
        case "withdraw":
            return await store.withdraw(key, person)
        case "revoke":
            return await store.revoke(key, person, said.reason, operator=roles.operator(person))
        case "break-glass":
            return await store.break_glass(key, person, said.reason)
        case "review":
            if said.accepted is None:
                raise Refusal(
                    400, "body-not-understood", "Body not understood", "A review says whether it was `accepted`."
                )
            return await store.review(key, person, said.accepted, said.reason)
    raise Refusal(404, "no-such-page", "No such page", "There is nothing here.")


def document(approval: Approval, person: Principal) -> dict[str, Any]:
    """An approval as JSON, with what the person may do about it."""
    waits = approval.state == "pending"
    said = any(vote.subject == person.subject for vote in approval.votes)
    decides = waits and approval.decidable_by(person) and not said
    return {
        **approval.document(),
        "own": approval.asked_by(person),
        "may_decide": decides and not approval.conflict_with(person),
        "conflict": approval.conflict_with(person) if decides else "",
        "may_break_glass": waits and approval.breakable_by(person),
        "may_review": approval.unreviewed and approval.reviewable_by(person),
    }


async def _differs(store: Store, approval: Approval) -> dict[str, Any] | None:
    before = await store.earlier(approval)
    if before is None:
        return None
    found = differences(before, approval)
    return {
        "from": before.code,
        "state": before.state,
        "in": [{"what": d.what, "before": d.before, "after": d.after, "lines": list(d.lines)} for d in found],
    }


def _said(body: bytes) -> Said:
    try:
        return msgspec.json.decode(body or b"{}", type=Said)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(
            400, "body-not-understood", "Body not understood", f"The body is not a decision: {error}."
        ) from None
