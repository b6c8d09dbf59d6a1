"""What operators and auditors look at: recordings, findings, sessions, and the policy."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sluicegate.console.guard import person_of
from sluicegate.console.pages.site import Site, to
from sluicegate.console.past import MOST_FOUND, Past
from sluicegate.console.record import Record
from sluicegate.errors import Refusal
from sluicegate.identity.sign_in.sign_ins import SignIns
from sluicegate.policy.sentences import mask_sentence, rule_sentence
from sluicegate.settings import Loaded, load

DAY = 86_400.0


class Watching:
    """Pages that change nothing, but for the button that ends a session."""

    def __init__(self, site: Site, past: Past, record: Record, sign_ins: SignIns, loaded: Loaded) -> None:
        self._site = site
        self._past = past
        self._record = record
        self._sign_ins = sign_ins
        self._loaded = loaded

    def routes(self) -> list[Route]:
        route = self._site.route
        return [
            route("/recordings", self.recordings, "operator", "auditor"),
            route("/recordings/{id}", self.recording, "operator", "auditor"),
            route("/findings", self.findings, "operator", "auditor"),
            route("/notifications", self.notifications, "operator", "auditor"),
            route("/policy", self.policy, "operator", "auditor", "approver"),
            route("/sessions", self.sessions, "requester"),
            route("/sessions/{id}/end", self.end, "requester", post=True),
        ]

    async def recordings(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "")[:200] for name in ("who", "service", "effect", "text")}
        found = await self._past.search(**asked, before=_moment(request.query_params.get("before", "")))
        # As many as were looked for: there may be more.
        older = urlencode(asked | {"before": found[-1]["started"]}) if len(found) == MOST_FOUND else ""
        return self._site.render(request, "recordings.html", exchanges=found, asked=asked, older=older)

    async def recording(self, request: Request) -> Response:
        found = await self._past.one(request.path_params["id"])
        if found is None:
            raise Refusal(404, "no-such-recording", "No such recording", "The index has no exchange with this id.")
        page = await self._record.look(found, person_of(request))
        return self._site.render(request, "recording.html", exchange=found, page=page)

    async def findings(self, request: Request) -> Response:
        return self._site.render(request, "findings.html", findings=await self._past.findings(None, 200))

    async def notifications(self, request: Request) -> Response:
        found = await self._past.notices(100)
        failing = sorted({name for row in found for name, place in row["places"].items() if "error" in place})
        return self._site.render(
            request, "notifications.html", notices=found, failing=failing, places=self._loaded.settings.notify
        )

    async def policy(self, request: Request) -> Response:
        loaded = self._in_force()
        counts = await self._past.rules(self._site.clock.now() - DAY)
        rules = [(rule, rule_sentence(rule), counts.get(rule.id, Counter())) for rule in loaded.settings.rules]
        masks = [(mask, mask_sentence(mask, loaded.settings)) for mask in loaded.settings.masks]
        return self._site.render(request, "policy.html", rules=rules, masks=masks, digest=loaded.digest)

    async def sessions(self, request: Request) -> Response:
        person = person_of(request)
        found = await self._sign_ins.listed(person, everybody=self._site.roles.sees_all(person))
        rows = [(session, self._sign_ins.state(session)) for session in found[:300]]
        return self._site.render(request, "sessions.html", sessions=rows)

    async def end(self, request: Request) -> Response:
        person = person_of(request)
        await self._sign_ins.end(request.path_params["id"], person, operator=self._site.roles.operator(person))
        return to("/sessions?done=ended")

    def _in_force(self) -> Loaded:
        # The gateway puts a changed file in force by itself; what cannot be loaded is not in force there either.
        try:
            return load(Path(self._loaded.path))
        except Exception:
            return self._loaded


def _moment(text: str) -> float | None:
    try:
        at = float(text)
    except ValueError:
        return None
    return at if math.isfinite(at) else None
