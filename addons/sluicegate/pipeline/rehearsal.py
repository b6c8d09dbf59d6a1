"""A request judged as the pipeline would judge it, without a proxy, a network or a service: for tests and explanations.

The same lockdown, reader and engine run here, in the same order; what they refuse is refused here with the same words.
Who asks is taken as given, since there is no token to verify.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sluicegate.clock import SetClock
from sluicegate.errors import Refusal
from sluicegate.exchange import OTHERS, Operation, Principal, Verdict
from sluicegate.lockdown import head, shape
from sluicegate.lockdown.authority import Arrival, place
from sluicegate.lockdown.places import Places
from sluicegate.operations import Reader, RequestView
from sluicegate.operations.later import MAX_LONG, Later, waiting
from sluicegate.operations.view import Lines, ReplyView
from sluicegate.policy import Policy, decide
from sluicegate.policy.context import NOTHING, Context
from sluicegate.policy.explain import denial
from sluicegate.policy.trace import Explanation, explain
from sluicegate.settings import Loaded
from sluicegate.settings.hosts import Origin

if TYPE_CHECKING:
    from sluicegate.operations.sql import Asked as Statement


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as somebody would send it."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    """Without `Host`, which is taken from the address."""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a request. `operation` and `verdict` are None where it was refused before it was read."""

    principal: Principal
    service: str | None = None
    operation: Operation | None = None
    verdict: Verdict | None = None
    refusal: Refusal | None = None
    """What the person would be answered, where it is refused."""

    context: Context = NOTHING
    """The circumstances that were taken into account."""

    def explained(self, policy: Policy) -> Explanation:
        """What every rule and mask of the policy that judged it says; nothing where no rule was asked."""
        return explain(policy, self.principal, self.operation, self.context) if self.operation else Explanation(())

    @property
    def effect(self) -> str:
        """allow, hold, deny, or `refused` where no rule was asked."""
        return self.verdict.effect if self.verdict is not None else "refused"


class Rehearsal:
    """Judges requests by one policy. What responses handed out is remembered, as a gateway does."""

    def __init__(self, loaded: Loaded) -> None:
        """The policy must have no problems of its services and dialects."""
        self.loaded = loaded
        self.policy = Policy(loaded.settings, loaded.digest)
        self._places = Places(loaded.settings)
        self.forget()

    def forget(self) -> None:
        """Forget the results of earlier requests."""
        self._clock = SetClock()
        self._reader = Reader(self.loaded.settings, self._clock)

    def judge(self, principal: Principal, asked: Asked, context: Context) -> Judged:
        """What the gateway would say. Raises ValueError for a bad URL."""
        self._clock.time = context.now
        try:
            origin, view, job = self._arrive(asked)
            service = self._places.owner(origin)
            if service != OTHERS:
                shape.check_path(_target(view))
        except Refusal as refusal:
            return Judged(principal, refusal=refusal)
        shown = str(origin) if service == OTHERS else ""
        try:
            operation = self._read(view, service, shown, _owner(principal))
        except Refusal as refusal:
            return Judged(principal, service, refusal=refusal)
        return self._verdict(
            principal, service, operation, replace(context, job=job if job is not None else context.job)
        )

    def _read(self, view: RequestView, service: str, shown: str, owner: str) -> Operation:
        """As the gateway reads it: long and deep statements in a process of their own, which may take it down."""
        for _ in range(MAX_LONG + 1):
            try:
                with waiting():
                    return self._reader.read(view, service, shown, owner)
            except Later as later:
                asyncio.run(_aside(later.asked))
        raise Refusal(503, "statement-not-read", "Statement not read", "The request has too many long statements.")

    def _verdict(self, principal: Principal, service: str, operation: Operation, context: Context) -> Judged:
        verdict = decide(self.policy, principal, operation, context)
        refused = verdict.effect == "deny"
        refusal = denial(self.policy, principal, operation, verdict, context) if refused else None
        return Judged(principal, service, operation, verdict, refusal, context)

    def answered(self, judged: Judged, asked: Asked, reply: ReplyView) -> None:
        """Let the dialect see the response to a request, so that it knows the handles in it."""
        if judged.service in (None, OTHERS) or judged.operation is None or judged.service is None:
            return
        if self._reader.delivers(judged.service):
            _, view, _ = self._arrive(asked)
            self._reader.deliver(view, judged.service, judged.operation, reply, _owner(judged.principal))

    def _arrive(self, asked: Asked) -> tuple[Origin, RequestView, str | None]:
        parts = urlsplit(asked.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{asked.url!r} is not the address of a request: write https://host/path")
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise ValueError(f"{asked.url!r} has no valid port") from None
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        authority = parts.netloc.rpartition("@")[2]
        fields = [("host", authority), *((name, value) for name, value in asked.headers if name.lower() != "host")]
        raw = tuple((name.encode("latin-1", "replace"), value.encode("utf-8")) for name, value in fields)
        shape.check_line(asked.method, "HTTP/1.1", target)
        found = head.read(raw)
        tls = parts.scheme == "https"
        way = Arrival(
            way="tunnel" if tls else "proxy",
            scheme=parts.scheme,
            target_host=parts.hostname,
            target_port=port,
            tls=tls,
            sni=None,
            authority="",
            hosts=found.hosts,
            http2=False,
        )
        origin = place(way)
        view = RequestView(asked.method, parts.path or "/", parts.query, Lines(found.onward), asked.body, origin.host)
        return origin, view, found.job


async def _aside(statement: Statement) -> None:
    from sluicegate.operations.sql import Worker

    worker = Worker()
    try:
        await worker.read(statement)
    finally:
        worker.stop()


def _target(view: RequestView) -> str:
    return f"{view.path}?{view.query}" if view.query else view.path


def _owner(principal: Principal) -> str:
    return f"{principal.issuer} {principal.subject}"
