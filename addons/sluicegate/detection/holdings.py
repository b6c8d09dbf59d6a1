"""What a person holds from now on: the cells of what really leaves, so that they are recognised in what is sent."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from sluicegate.detection.addon import RiskAddon, said
from sluicegate.detection.event import person
from sluicegate.exchange import Exchange

MESSAGE = "application/json"
"""Messages have no type; what is no JSON is found out where it is read."""


class HoldingsAddon:
    """Stands behind everything that may refuse an answer for what is in it: what did not leave, nobody holds."""

    name = "holdings"

    def __init__(self, risk: RiskAddon) -> None:
        self._risk = risk

    def response(self, flow: Any, exchange: Exchange) -> Awaitable[None] | None:
        """Have the cells of a protected dataset kept that the person receives in clear."""
        response = flow.response
        if response is None or response.stream or exchange.switching:
            return None
        return self._received(exchange, response.raw_content, *said(response.headers.fields))

    def socket_message(self, flow: Any, exchange: Exchange) -> Awaitable[None] | None:
        """The same for a message of a WebSocket."""
        message = exchange.message
        if message is None:
            raise RuntimeError("there is no message to look at")
        return None if message.from_client else self._received(exchange, message.content, "", MESSAGE)

    def _received(self, exchange: Exchange, body: bytes | None, coding: str, media: str) -> Awaitable[None] | None:
        operation, exposure, taints = exchange.operation, exchange.exposure, self._risk.taints
        if (
            self._risk.mode == "off" or not body or operation is None or exposure is None
            or exchange.refusal is not None or exchange.principal is None or exchange.service is None
        ):  # fmt: skip
            return None
        named = taints.zones.named((one.dataset, one.declared) for one in (operation, *operation.parts))
        clear = (
            tuple([name for name, word in exposure.columns.items() if word == "clear"]) if exposure.columns else None
        )
        if named is None or clear == ():
            return None
        who = person(exchange.principal.issuer, exchange.principal.subject)
        taints.learn(who, named, exchange.service, exchange.started, exchange.id, body, coding, media.lower(), clear)
        return taints.room() if taints.full else None
