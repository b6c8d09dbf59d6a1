"""Detection in the pipeline: what the past says before the verdict, and what is found in what is sent."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable
from functools import partial
from weakref import WeakKeyDictionary

from mitmproxy import http

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.detection.event import person
from sluicegate.detection.finding import Found
from sluicegate.detection.kept import Kept
from sluicegate.detection.look import Signal
from sluicegate.detection.out.sending import Sending, sinks
from sluicegate.detection.stored import store
from sluicegate.detection.taint import outgoing
from sluicegate.detection.taint.key import load_or_create
from sluicegate.detection.taint.worker import NotLooked, Taints
from sluicegate.detection.taint.zones import Zones
from sluicegate.detection.watching import Watching
from sluicegate.detection.weighing import Weighing
from sluicegate.errors import Refusal
from sluicegate.exchange import OTHERS, Exchange, Finding
from sluicegate.settings import Loaded, State

logger = logging.getLogger(__name__)


class RiskAddon:
    """Before the verdict: sets `exchange.risk` and `exchange.known`, for the rules that look at them, and looks for
    what the person received in what they send elsewhere."""

    name = "risk"
    limit = 20.0

    def __init__(self, loaded: Loaded, state: State, database: Database, clock: Clock, *, sends: bool = True) -> None:
        """`sends`: findings go out from here; of several workers one does that."""
        self._key = load_or_create(state)
        weighing = self.prepare(loaded)
        self.watching = Watching(weighing)
        days = loaded.settings.detection.taint_days
        self.taints = Taints(database, self._key, Zones(loaded.settings, self._key), days)
        out = sinks(loaded.settings.detection)
        self._sending = [Sending(database, sink, name) for name, sink in out.items()] if sends else []
        self.sinks = tuple(out)
        """Where findings are sent."""
        self.signals: WeakKeyDictionary[http.HTTPFlow, tuple[Signal, ...]] = WeakKeyDictionary()
        """What was found in requests, until the exchange ends."""
        self.kept = Kept(self.watching, database, clock, self.store)
        self._behind = False
        """Whether what events left over is learned soon."""
        self.database = database
        self.part = weighing

    @property
    def mode(self) -> str:
        """`enforce`, `report` or `off`."""
        return self.part.settings.detection.mode

    def prepare(self, loaded: Loaded) -> Weighing:
        """What another policy says of datasets and people. Runs on a thread."""
        return Weighing(loaded.settings)

    def adopt(self, part: Weighing) -> None:
        """From now on, events are weighed by it."""
        self.part = part
        self.watching.weighing = part
        self.taints.adopt(Zones(part.settings, self._key))

    async def open(self) -> None:
        """Take up what is known of people. Raises Fault."""
        if self.mode != "off":
            await self.kept.open()
        for one in self._sending:
            one.open()

    async def store(self, found: list[Found]) -> None:
        """Write findings down, durably. Raises as `Database.run` does; they are tried again then."""
        told = any("finding" in place.about for place in self.part.settings.notify.values())
        try:
            await self.database.run(partial(store, found=found, sinks=self.sinks, told=told), durable=True)
        except BaseException:
            self.kept.owe(found)
            raise
        self.kept.paid(found)

    def behind(self) -> None:
        """Learn what the last event left over, between two turns of the loop; what may take long, a little a turn."""
        if not self._behind:
            self._behind = True
            asyncio.get_running_loop().call_soon(self._settle)

    def _settle(self) -> None:
        self._behind = False
        watching = self.watching
        if watching.unsettled:
            watching.settle()
        elif watching.cold:
            watching.warm()
        if watching.unsettled or watching.cold:
            self.behind()

    async def close(self) -> None:
        """Write what was learned."""
        await asyncio.gather(*(one.close() for one in self._sending))
        await self.taints.close()
        await self.kept.close()

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """A look-up: microseconds. Where the request goes elsewhere, its contents are looked at first."""
        return self._before(flow, exchange, sends=True)

    def _before(self, flow: http.HTTPFlow, exchange: Exchange, *, sends: bool) -> Awaitable[None] | None:
        if exchange.principal is None:
            raise RuntimeError("nobody is known to ask")
        mode = self.mode
        if mode == "off":
            return None
        who = person(exchange.principal.issuer, exchange.principal.subject)
        if mode == "enforce":
            exchange.risk, exchange.known = self._before_now(who, exchange.started)
        if sends and exchange.service is not None and self.taints.zones.looks(exchange.service):
            return self._look(flow, exchange, who, exchange.service)
        return None

    def _before_now(self, who: str, at: float) -> tuple[float, frozenset[str]]:
        """Risk, which is no number where it is not known, and what was found and has not faded."""
        risk, known = self.watching.before(who, at)
        return math.nan if self.kept.lost else risk, known

    def again(self, exchange: Exchange) -> None:
        """What was found since the request in what else the person did: who asks for many things at once would have all
        of them but the one that led to a finding."""
        if exchange.principal is None or self.mode != "enforce":
            return
        who = person(exchange.principal.issuer, exchange.principal.subject)
        risk, known = self._before_now(who, exchange.started)
        worse = risk > exchange.risk or (math.isnan(risk) and not math.isnan(exchange.risk))
        if known <= exchange.known and not worse:
            return
        exchange.known |= known
        if worse:
            exchange.risk = risk
        exchange.meanwhile = True

    def socket_message(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """The same for a message of a WebSocket, in either direction."""
        if exchange.message is None:
            raise RuntimeError("there is no message to look at")
        return self._before(flow, exchange, sends=exchange.message.from_client)

    async def _look(self, flow: http.HTTPFlow, exchange: Exchange, who: str, target: str) -> None:
        told = self.part.settings.detection
        request, message = flow.request, exchange.message
        parts: tuple[bytes, ...]
        if message is not None:
            coding, parts = "", (message.content,)
        else:
            coding = ", ".join(request.headers.get_all("content-encoding"))
            body, secret = request.raw_content or b"", exchange.secret_headers
            parts = outgoing.parts(body, exchange.host, exchange.target, request.headers.fields, secret)
        place = exchange.host if target == OTHERS else target
        try:
            signals = await self.taints.look(who, target, place, exchange.started, parts, coding, told.taint_seconds)
        except NotLooked as why:
            logger.warning("a request to %s was not looked at: %s", place, why)
            if self.mode == "enforce" and told.taint_unread == "refuse":
                raise Refusal(
                    503,
                    "not-looked-at",
                    "Not looked at",
                    f"What is sent to {place} is looked at for data from here, and this was not: {why}.",
                    next_step="Send less at once, or ask the gateway's operator.",
                ) from why
            return
        if signals:
            self.signals[flow] = signals
            groups = tuple(sorted(exchange.principal.groups)) if exchange.principal is not None else ()
            said = self.watching.ahead(who, groups, exchange.started, signals)
            silent = self.mode != "enforce"
            exchange.findings += [Finding(one.indicator, one.detail, one.evidence, silent) for one in said]
