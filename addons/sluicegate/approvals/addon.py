"""The stage that holds: a request that is to be held goes on with a grant, or is refused with a way to get one."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from mitmproxy.http import HTTPFlow

from sluicegate.approvals import answers
from sluicegate.approvals.approval import Approval
from sluicegate.approvals.hold import Hold, hold_of
from sluicegate.approvals.patience import patience
from sluicegate.approvals.prefer import MOST_SECONDS, preferences
from sluicegate.approvals.store import Store
from sluicegate.approvals.waiting import Waiting
from sluicegate.clock import Clock
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange
from sluicegate.settings.model import Approvals

_log = logging.getLogger("sluicegate.approvals")

_NOISE = frozenset(
    {
        *("host", "content-length", "user-agent", "accept-encoding", "prefer", "date", "cookie", "authorization"),
        *("traceparent", "tracestate", "baggage", "x-request-id", "x-correlation-id", "x-amzn-trace-id", "x-trace-id"),
    }
)
"""Headers that may differ from one try to the next. Any other may mean something to the service (a destination, a
type), so a request that differs in one is another request."""


class ApprovalsAddon:
    """Holds requests. Everything else passes it at once, without a task or an await."""

    name = "approvals"
    limit = MOST_SECONDS + 30.0

    def __init__(self, settings: Approvals, store: Store, clock: Clock, waiting: Waiting | None = None) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._waiting = waiting or Waiting(store)

    def request(self, flow: HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """None when there is nothing to hold, else what to await. Raises Refusal, and RuntimeError when unjudged."""
        if exchange.verdict is None or exchange.verdict.effect == "deny":
            raise RuntimeError("a request came to the approvals without having been allowed or held")
        if exchange.verdict.effect == "hold":
            return self._hold(flow, exchange)
        if exchange.ask_only:
            raise answers.nothing_to_ask()
        return None

    async def close(self) -> None:
        """Whoever still waits is refused; their approvals stay, for a retry."""
        await self._waiting.close()

    async def _hold(self, flow: HTTPFlow, exchange: Exchange) -> None:
        try:
            await self._pass_or_refuse(flow, exchange)
        except Refusal:
            raise
        except Exception as error:
            _log.exception("The approvals cannot be reached; the request is refused.")
            raise answers.unavailable() from error

    async def _pass_or_refuse(self, flow: HTTPFlow, exchange: Exchange) -> None:
        fields = [(name.lower(), value) for name, value in flow.request.headers.items(multi=True)]
        headers = tuple(sorted(field for field in fields if field[0] not in _NOISE))
        hold = hold_of(exchange, headers, flow.request.raw_content or b"")
        gone = _gone(flow)
        if exchange.ask_only:
            asked = await self._store.ask(hold)
            exchange.approval = asked.id
            raise answers.asked(asked)
        if await self._redeemed(hold, exchange, gone):
            return
        approval = await self._store.ask(hold)
        exchange.approval = approval.id
        if approval.state == "pending":
            wanted = preferences(flow.request.headers.get_all("prefer"))
            if wanted.respond_async:
                raise answers.accepted(approval)
            client = patience(flow.request.headers.get("user-agent", ""))
            seconds = min(self._seconds(exchange, wanted.wait, client), approval.pending_until - self._clock.now())
            decided = await self._waiting.decided(approval.id, seconds, gone)
            if decided is None:
                raise answers.client_gone(approval) if gone() else answers.pending(approval)
            await _still(exchange)
            approval = decided
        await self._finish(approval, hold, exchange, gone)

    async def _finish(self, approval: Approval, hold: Hold, exchange: Exchange, gone: Callable[[], bool]) -> None:
        if approval.state in ("approved", "used"):
            # `used` too: another grant for the same request may be there, and redeeming is what decides.
            if await self._redeemed(hold, exchange, gone):
                return
            raise answers.used(approval)
        raise answers.denied(approval) if approval.state == "denied" else answers.over(approval)

    async def _redeemed(self, hold: Hold, exchange: Exchange, gone: Callable[[], bool]) -> bool:
        if gone():
            # A grant is not spent on somebody who cannot get the answer; it stays for the retry.
            raise answers.client_gone(None)
        approval = await self._store.redeem(hold.fingerprint, exchange.id)
        if approval is None:
            return False
        exchange.approval = approval
        return True

    def _seconds(self, exchange: Exchange, wanted: float | None, client: float | None) -> float:
        if wanted is not None:
            return wanted
        rule = exchange.verdict.hold_seconds if exchange.verdict else None
        held = min(rule if rule is not None else self._settings.hold_seconds, MOST_SECONDS)
        return held if client is None else min(held, client)


async def _still(exchange: Exchange) -> None:
    """Raises Refusal when whoever asked is not signed in any more, or lost a group: the request was judged before it
    waited, and the approval stays for who may ask again."""
    before = exchange.principal
    if exchange.again is None or before is None:
        raise RuntimeError("nobody says who asks as of now")
    who = await exchange.again(exchange)
    same = (who.issuer, who.subject, who.kind) == (before.issuer, before.subject, before.kind)
    if not same or not before.groups <= who.groups:
        raise answers.changed()


def _gone(flow: HTTPFlow) -> Callable[[], bool]:
    return lambda: not flow.client_conn.connected or flow.error is not None
