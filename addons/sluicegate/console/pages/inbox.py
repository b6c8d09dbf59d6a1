"""Held requests: those that wait, one in full with what to do about it, and those that are over."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sluicegate.approvals.difference import differences
from sluicegate.approvals.store import Store
from sluicegate.console.approvals_api import Said, act_on
from sluicegate.console.guard import person_of
from sluicegate.console.pages.site import Site, form_of, to
from sluicegate.console.past import Past
from sluicegate.errors import Refusal

ACTIONS = ("approve", "deny", "withdraw", "revoke", "break-glass", "review")


class Inbox:
    """Everybody sees what they asked for and what they may decide; operators and auditors see all."""

    def __init__(self, site: Site, store: Store, past: Past) -> None:
        self._site = site
        self._store = store
        self._past = past

    def routes(self) -> list[Route]:
        route = self._site.route
        return [
            route("/", self.waiting, "requester"),
            route("/waiting", self.rows, "requester"),
            route("/history", self.history, "requester"),
            route("/approvals/{key}", self.one, "requester"),
            route("/approvals/{key}/state", self.state, "requester"),
            route("/approvals/{key}/{action}", self.act, "requester", post=True),
        ]

    async def waiting(self, request: Request) -> Response:
        return self._site.render(request, "inbox.html", **await self._waiting(request))

    async def rows(self, request: Request) -> Response:
        """The part of the inbox that changes."""
        return self._site.render(request, "inbox_rows.html", **await self._waiting(request))

    async def history(self, request: Request) -> Response:
        person = person_of(request)
        found = await self._store.list(person, 200, everything=self._site.roles.sees_all(person))
        return self._site.render(request, "history.html", approvals=[one for one in found if one.state != "pending"])

    async def one(self, request: Request, refusal: Refusal | None = None) -> Response:
        person = person_of(request)
        approval = await self._store.show(
            request.path_params["key"], person, everything=self._site.roles.sees_all(person)
        )
        before = await self._store.earlier(approval)
        decides = approval.decidable_by(person) or self._site.roles.sees_all(person)
        return self._site.render(
            request,
            "approval.html",
            refusal.status if refusal else 200,
            approval=approval,
            before=before,
            differences=differences(before, approval) if before else (),
            # What somebody did lately is for those who judge them.
            past=await self._past.of(approval.requester_subject, 10) if decides else [],
            findings=await self._past.findings(approval.requester_subject, 5) if decides else [],
            refusal=refusal,
            said=any(vote.subject == person.subject and vote.approve for vote in approval.votes),
            fresh=urlencode({"next": f"/approvals/{approval.code}", "fresh": 1}),
        )

    async def state(self, request: Request) -> Response:
        """The part of one request that changes."""
        person = person_of(request)
        approval = await self._store.show(
            request.path_params["key"], person, everything=self._site.roles.sees_all(person)
        )
        return self._site.render(request, "approval_state.html", approval=approval)

    async def act(self, request: Request) -> Response:
        person, form = person_of(request), await form_of(request)
        key, action = request.path_params["key"], request.path_params["action"]
        if action not in ACTIONS:
            raise Refusal(404, "no-such-page", "No such page", "There is nothing here.")
        said = Said(form.get("reason", ""), form["accepted"] == "yes" if "accepted" in form else None)
        try:
            changed = await act_on(self._store, self._site.roles, action, key, person, said)
        except Refusal as refusal:
            if refusal.status == 404:
                raise
            return await self.one(request, refusal)
        return to(f"/approvals/{changed.code}?done={action}")

    async def _waiting(self, request: Request) -> dict[str, Any]:
        person = person_of(request)
        found = await self._store.list(person, 200, everything=self._site.roles.sees_all(person))
        waiting = [one for one in found if one.state == "pending"]
        return {
            "mine": [one for one in waiting if one.asked_by(person)],
            "others": [one for one in waiting if not one.asked_by(person)],
            "reviews": [one for one in found if one.unreviewed and not one.asked_by(person)],
        }
