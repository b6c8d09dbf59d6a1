"""Detection in the pipeline: what the past says before the verdict, and what was really handed over after masking."""

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
from sluicegate.detection import bodies
from sluicegate.detection.both import both
from sluicegate.detection.event import of_exchange, person
from sluicegate.detection.exposure import LIMIT, Head, Told, completed, named_by, passed, read
from sluicegate.detection.finding import Found
from sluicegate.detection.indicators import NAMES
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
from sluicegate.exchange import OTHERS, Exchange, Exposure, Finding
from sluicegate.settings import Loaded, Settings, State

logger = logging.getLogger(__name__)

AT_ONCE = 128 << 10
"""Raw bytes up to which a body is read in the hook; larger and coded ones are read in a thread."""


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


class ExposureAddon:
    """After masking: completes `exchange.exposure`, learns from the exchange, and writes down what it adds up to.

    A finding is in the database, durably, before the response that caused it leaves. What was refused is learned from
    as well: many refusals are a sign.
    """

    name = "exposure"
    sees_refusals = True

    def __init__(self, settings: Settings, risk: RiskAddon) -> None:
        self._limit = min(LIMIT, settings.gateway.max_body_bytes)
        self._risk = risk
        self._heads: WeakKeyDictionary[http.HTTPFlow, Head] = WeakKeyDictionary()

    def response_begins(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Look on where a response is about to pass piece by piece."""
        if exchange.refusal is None and exchange.stream is not None and not exchange.whole:
            head = self._heads[flow] = Head()
            exchange.stream.samples.append(head.take)

    def response(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Names and counts of what was handed over; columns stay empty where they cannot be read."""
        if exchange.switching and exchange.refusal is None:
            return None  # its end says what was handed over
        if exchange.begun:
            return self._passed(flow, exchange)
        response = flow.response
        content = response.raw_content if response is not None and not response.stream else None
        known = exchange.exposure
        # Masking counts the rows that it finds at the top of a document: without any, they may be further in.
        if (known is None or not known.rows) and exchange.refusal is None:
            if response is None or not content or len(content) > self._limit:
                exchange.exposure = known or Exposure()
            else:
                coding, content_type = said(response.headers.fields)
                quick = not coding and "json" in content_type.lower()
                if len(content) > (AT_ONCE if quick else AT_ONCE >> 3):
                    return self._later(flow, exchange, content, coding, content_type)
                found = read(content, coding, content_type, self._limit, self._told(exchange))
                exchange.exposure = completed(known, found)
        return self._ended(flow, exchange)

    def error(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """An exchange that broke: what was found in its request is written all the same, and what left counts."""
        if exchange.delivered is not None and exchange.weighed is None:
            return self._passed(flow, exchange)
        if flow not in self._risk.signals:
            return None
        return self._written(exchange, self._watch(flow, exchange))

    def socket_message(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """A message of a WebSocket: what it hands over is added to what the whole has; what was found in one to the
        service is written down before anything else becomes of it."""
        message, opened = exchange.message, exchange.opened
        if message is None or opened is None:
            raise RuntimeError("there is no message, or nobody knows in what")
        if exchange.refusal is None:
            if message.from_client:
                exchange.exposure = Exposure()
            elif exchange.exposure is None:
                exchange.exposure = read(message.content, "", "application/json", self._limit)
            opened.exposure = both(opened.exposure, exchange.exposure)
        return self._written(exchange, self._watch(flow, exchange) if flow in self._risk.signals else [])

    def socket_end(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """What a WebSocket adds up to is learned from at its end, as one exchange."""
        if self._risk.mode == "off":
            return None
        return self._written(exchange, self._watch(flow, exchange))

    def _ended(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        if self._risk.mode == "off":
            return None
        if exchange.refusal is None:
            self._risk.again(exchange)
        return self._written(exchange, self._watch(flow, exchange))

    async def _passed(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """A response passed piece by piece, or a part of it did."""
        head, known, response = self._heads.pop(flow, None), exchange.exposure, flow.response
        if head is not None and response is not None and known is not None and not (known.columns and known.rows):
            media = said(response.headers.fields)[1].lower()
            told = self._told(exchange)
            exchange.exposure = await asyncio.to_thread(passed, bytes(head.begin), head.size, media, known, told)
        rest = self._ended(flow, exchange)
        if rest is not None:
            await rest

    async def _later(
        self, flow: http.HTTPFlow, exchange: Exchange, content: bytes, coding: str, content_type: str
    ) -> None:
        told = self._told(exchange)
        found = await asyncio.to_thread(read, content, coding, content_type, self._limit, told)
        exchange.exposure = completed(exchange.exposure, found)
        rest = self._ended(flow, exchange)
        if rest is not None:
            await rest

    def _told(self, exchange: Exchange) -> Told:
        operation = exchange.operation
        if operation is None:
            return Told(named_by(exchange))
        declared = self._risk.taints.zones.columns(operation.dataset or "")
        return Told(named_by(exchange), declared | {name.casefold() for name in operation.columns})

    def _watch(self, flow: http.HTTPFlow, exchange: Exchange) -> list[Found]:
        risk = self._risk
        if risk.mode == "off" or exchange.principal is None:
            return []
        request, response = flow.request.raw_content or b"", flow.response
        delivered = exchange.delivered
        body = b""
        if response is not None and (delivered is not None or not response.stream):
            body = response.data.content or b""  # of what passed, as much as is kept
        status, moved, message = response.status_code if response is not None else 0, exchange.moved, exchange.message
        if message is not None:
            request, body = (message.content, b"") if message.from_client else (b"", message.content)
        if exchange.switched:
            status = 200  # messages were handed over
        operation = exchange.operation
        rows: tuple[int, ...] = ()
        taken = exchange.refusal is None or delivered is not None
        if response is not None and operation is not None and operation.declared and taken:
            rows = bodies.subjects(body, *said(response.headers.fields), operation.dataset or "")
        size = (len(body) if delivered is None else delivered.size) + moved.received
        sent = len(request) + moved.sent
        if taken:
            exchange.weighed = (status, size, sent, rows)
        event = of_exchange(
            exchange,
            status=status,
            size=size,
            sent=sent,
            asked=bodies.asked(request) if operation is None or not operation.chunks else "",
            subjects=rows,
            packed=bodies.packed(request),
            own=NAMES,
        )
        if event is None:
            return []
        found = risk.watching.after(event, risk.signals.pop(flow, ()), part=message is not None)
        if risk.watching.unsettled or risk.watching.cold:
            risk.behind()
        if found:
            # What was said of the request before the verdict is said again, with its id.
            again = {one.indicator for one in found}
            exchange.findings = [one for one in exchange.findings if one.indicator not in again]
            silent = risk.mode != "enforce"  # what other rooms found is theirs to say
            exchange.findings += [one.brief(silent=silent and one.indicator in NAMES) for one in found]
            if risk.mode == "enforce":
                exchange.risk = max(exchange.risk, *(one.risk for one in found))
        return found

    def _written(self, exchange: Exchange, found: list[Found]) -> Awaitable[None] | None:
        """What was found is in the database before anything else becomes of the exchange; so is what could not be
        written before about the same person, since it is not found again."""
        unwritten = self._risk.kept.unwritten
        if unwritten and self._risk.mode != "off" and exchange.principal is not None:
            who = person(exchange.principal.issuer, exchange.principal.subject)
            found = [*unwritten.get(who, ()), *found]
        return self._write(exchange, found) if found else None

    async def _write(self, exchange: Exchange, found: list[Found]) -> None:
        risk = self._risk
        try:
            await risk.store(found)
        except Exception as error:
            logger.exception("a finding cannot be written to the database")
            if exchange.refusal is None and risk.mode == "enforce":
                raise Refusal(
                    503,
                    "finding-not-written",
                    "Finding not written",
                    "The gateway must write down what this exchange points to, and cannot, so nothing was let through.",
                    next_step="Try again later; if it stays, tell the gateway's operator.",
                    headers={"retry-after": "30"},
                ) from error


def said(fields: tuple[tuple[bytes, bytes], ...]) -> tuple[str, str]:
    """Content-Encoding and Content-Type, all lines joined, in one pass: each look-up by name would be one."""
    coding, media = [], []
    for name, value in fields:
        lower = name.lower()
        if lower == b"content-type":
            media.append(value)
        elif lower == b"content-encoding":
            coding.append(value)
    return b", ".join(coding).decode("latin-1"), b", ".join(media).decode("latin-1")
