"""What a person holds from now on: the cells of what really leaves, so that they are recognised in what is sent."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any
from weakref import WeakKeyDictionary

from sluicegate.detection.addon import RiskAddon
from sluicegate.detection.event import person
from sluicegate.detection.exposure import named_by
from sluicegate.detection.fields import said
from sluicegate.detection.taint.learning import Handed
from sluicegate.detection.taint.sample import Sample
from sluicegate.detection.taint.tables import Body
from sluicegate.exchange import Exchange, Exposure

MESSAGE = "application/json"
"""Messages have no type; what is no JSON is found out where it is read."""
_BYTES = ("arrow", "parquet", "msgpack", "octet-stream", "zip", "multipart")
"""Types of which a piece from further in tells nothing."""


class HoldingsAddon:
    """Stands behind everything that may refuse an answer for what is in it: what did not leave, nobody holds."""

    name = "holdings"
    sees_refusals = True

    def __init__(self, risk: RiskAddon) -> None:
        self._risk = risk
        self._samples: WeakKeyDictionary[Any, tuple[str, Sample]] = WeakKeyDictionary()

    def response_begins(self, flow: Any, exchange: Exchange) -> None:
        """Look on where a response is about to pass piece by piece."""
        stream, handed = exchange.stream, None if exchange.refusal is not None else self._handed(exchange)
        if handed is None or stream is None or exchange.whole:
            return
        media, taints = said(flow.response.headers.fields)[1].lower(), self._risk.taints
        body = handed.body._replace(media=media)  # its coding was taken off
        masked: tuple[str, ...] = ()

        def of(data: bytes, head: bytes, piece: bool) -> Handed:
            return handed._replace(body=body._replace(data=data, head=head, piece=piece), masked=masked)

        def take(piece: bytes) -> None:
            nonlocal masked
            masked = _masked(stream.exposure)  # here, since it changes on the thread that this is called on
            sample.take(piece)

        sample = taints.pass_by(handed.person, of, lined=not any(kind in media for kind in _BYTES))
        self._samples[flow] = handed.person, sample
        stream.samples.append(take)
        stream.full = lambda: taints.full

    def response(self, flow: Any, exchange: Exchange) -> Awaitable[None] | None:
        """Have the cells of a protected dataset kept that the person receives in clear."""
        self._passed(flow, exchange)
        response = flow.response
        if response is None or response.stream or exchange.switching or exchange.begun:
            return None
        return self._received(exchange, response.raw_content, *said(response.headers.fields))

    def error(self, flow: Any, exchange: Exchange) -> None:
        """What left of a response that broke off, somebody holds."""
        self._passed(flow, exchange)

    def socket_message(self, flow: Any, exchange: Exchange) -> Awaitable[None] | None:
        """The same for a message of a WebSocket."""
        message = exchange.message
        if message is None:
            raise RuntimeError("there is no message to look at")
        return None if message.from_client else self._received(exchange, message.content, "", MESSAGE)

    def _passed(self, flow: Any, exchange: Exchange) -> None:
        person, sample = self._samples.pop(flow, ("", None))
        if sample is not None:
            if exchange.begun:
                sample.close()
            self._risk.taints.let_go(person, sample)

    def _received(self, exchange: Exchange, body: bytes | None, coding: str, media: str) -> Awaitable[None] | None:
        handed = self._handed(exchange)
        if not body or handed is None or exchange.exposure is None or exchange.refusal is not None:
            return None
        taints = self._risk.taints
        read = handed.body._replace(data=body, coding=coding, media=media.lower())
        taints.learn(handed._replace(body=read, masked=_masked(exchange.exposure)))
        return taints.room() if taints.full else None

    def _handed(self, exchange: Exchange) -> Handed | None:
        """Whose the response is and of which dataset, without what is in it; None where it is not protected."""
        operation, principal, taints = exchange.operation, exchange.principal, self._risk.taints
        if self._risk.mode == "off" or operation is None or principal is None or exchange.service is None:
            return None
        named = taints.zones.named((one.dataset, one.declared) for one in (operation, *operation.parts))
        if named is None:
            return None
        body = Body(b"", named=named_by(exchange), declared=taints.zones.columns(named))
        who = person(principal.issuer, principal.subject)
        return Handed(who, named, exchange.service, exchange.started, exchange.id, body)


def _masked(exposure: Exposure) -> tuple[str, ...]:
    return tuple([name for name, word in exposure.columns.items() if word == "masked"])
