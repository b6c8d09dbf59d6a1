"""What was handed over, after masking: completed, learned from, and written down where it adds up to a finding."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any
from weakref import WeakKeyDictionary

from sluicegate.detection import bodies
from sluicegate.detection.addon import RiskAddon
from sluicegate.detection.both import both
from sluicegate.detection.event import of_exchange, person
from sluicegate.detection.exposure import LIMIT, Head, Told, completed, named_by, passed, read
from sluicegate.detection.fields import said
from sluicegate.detection.finding import Found
from sluicegate.detection.indicators import NAMES
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Exposure
from sluicegate.settings import Settings

logger = logging.getLogger(__name__)

AT_ONCE = 128 << 10
"""Raw bytes up to which a body is read in the hook; larger and coded ones are read in a thread."""


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
        self._heads: WeakKeyDictionary[Any, Head] = WeakKeyDictionary()

    def response_begins(self, flow: Any, exchange: Exchange) -> None:
        """Look on where a response is about to pass piece by piece."""
        if exchange.refusal is None and exchange.stream is not None and not exchange.whole:
            head = self._heads[flow] = Head()
            exchange.stream.samples.append(head.take)

    def response(self, flow: Any, exchange: Exchange) -> Awaitable[None] | None:
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

    def error(self, flow: Any, exchange: Exchange) -> Awaitable[None] | None:
        """An exchange that broke: what was found in its request is written all the same, and what left counts."""
        if exchange.delivered is not None and exchange.weighed is None:
            return self._passed(flow, exchange)
        if flow not in self._risk.signals:
            return None
        return self._written(exchange, self._watch(flow, exchange))

    def socket_message(self, flow: Any, exchange: Exchange) -> Awaitable[None] | None:
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

    def socket_end(self, flow: Any, exchange: Exchange) -> Awaitable[None] | None:
        """What a WebSocket adds up to is learned from at its end, as one exchange."""
        if self._risk.mode == "off":
            return None
        return self._written(exchange, self._watch(flow, exchange))

    def _ended(self, flow: Any, exchange: Exchange) -> Awaitable[None] | None:
        if self._risk.mode == "off":
            return None
        if exchange.refusal is None:
            self._risk.again(exchange)
        return self._written(exchange, self._watch(flow, exchange))

    async def _passed(self, flow: Any, exchange: Exchange) -> None:
        """A response passed piece by piece, or a part of it did."""
        head, known, response = self._heads.pop(flow, None), exchange.exposure, flow.response
        if head is not None and response is not None and known is not None and not (known.columns and known.rows):
            media = said(response.headers.fields)[1].lower()
            told = self._told(exchange)
            exchange.exposure = await asyncio.to_thread(passed, bytes(head.begin), head.size, media, known, told)
        rest = self._ended(flow, exchange)
        if rest is not None:
            await rest

    async def _later(self, flow: Any, exchange: Exchange, content: bytes, coding: str, content_type: str) -> None:
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

    def _watch(self, flow: Any, exchange: Exchange) -> list[Found]:
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
