"""One entry of mitmproxy's chain: a room's addon behind the fail-closed wrapper.

Rooms raise Refusal to refuse and return to say "I have positively finished with this exchange". Whatever else happens
(any exception, a cancellation, a hook that takes too long, a closed gateway) becomes the refusal that is valid in that
hook. A stage marks each exchange that it let through, and the sentinel refuses those that lack a mark.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from mitmproxy import http

from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange
from sluicegate.pipeline import refuse
from sluicegate.pipeline.line import Line

logger = logging.getLogger(__name__)

FLOW_HOOKS = ("http_connect", "request", "response_begins", "response", "socket_message", "socket_end", "error")
_SAID_ONLY = ("error", "socket_end")
"""Hooks after which there is nothing left to refuse."""
PLAIN_HOOKS = ("client_connected", "client_disconnected", "server_connect", "tls_clienthello", "next_layer")
RESPONSE_SHIFT = 32
"""Marks for `request` are the low bits of Exchange.passed, marks for `response` the ones above this, and those for
`response_begins` and `socket_message` the ones above twice and three times this."""
DEFAULT_LIMIT = 10.0
"""Seconds that a hook of a room may take, unless the room says otherwise."""


class Stage:
    """The chain entry for one room. Its hooks are those that the room's addon has."""

    def __init__(self, addon: Any, index: int, line: Line) -> None:
        self.name = f"sluicegate.{addon.name}"
        self.addon = addon
        self.line = line
        self.closed = False
        self.limit: float = getattr(addon, "limit", DEFAULT_LIMIT)
        self.sees_refusals: bool = getattr(addon, "sees_refusals", False)
        self.marks = {
            "request": 1 << index,
            "response": 1 << (index + RESPONSE_SHIFT),
            "response_begins": 1 << (index + 2 * RESPONSE_SHIFT),
            "socket_message": 1 << (index + 3 * RESPONSE_SHIFT),
        }
        for hook in FLOW_HOOKS:
            if hasattr(addon, hook):
                setattr(self, hook, self._flow_hook(hook))
        for hook in PLAIN_HOOKS:
            if hasattr(addon, hook):
                setattr(self, hook, self._plain_hook(hook))
        self._fixed = True

    def __setattr__(self, name: str, value: object) -> None:
        # The wrapper is the last thing that stands between an error and open traffic: nothing may replace its hooks.
        if getattr(self, "_fixed", False) and name != "closed":
            raise AttributeError(f"{self.name} cannot be changed")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self.name} cannot be changed")

    def required(self, hook: str) -> int:
        """The mark that an exchange must carry after `hook`; 0 where the room has no such hook."""
        return self.marks[hook] if hasattr(self.addon, hook) else 0

    def done(self) -> None:
        """Called when mitmproxy removes the entry, or at the end: from now on it refuses."""
        self.closed = True

    def _flow_hook(self, hook: str) -> Callable[[http.HTTPFlow], Awaitable[None] | None]:
        mark = self.marks.get(hook, 0)
        deciding = hook not in _SAID_ONLY

        def run(flow: http.HTTPFlow) -> Awaitable[None] | None:
            exchange = self.line.exchange(flow)
            if exchange.refusal is not None and not self.sees_refusals:
                return None
            try:
                if deciding and exchange.refusal is None and (self.closed or not self.line.open):
                    raise not_serving()
                result = getattr(self.addon, hook)(flow, exchange)
            except Refusal as refusal:
                self._refuse(hook, flow, exchange, refusal)
            except (Exception, asyncio.CancelledError) as error:
                self._failed(hook, flow, exchange, error)
            else:
                if result is not None:
                    return self._finish(result, hook, flow, exchange)
                exchange.passed |= mark
            return None

        return run

    async def _finish(self, result: Awaitable[None], hook: str, flow: http.HTTPFlow, exchange: Exchange) -> None:
        try:
            async with asyncio.timeout(self.limit):
                await result
        except Refusal as refusal:
            self._refuse(hook, flow, exchange, refusal)
        except asyncio.CancelledError as error:
            self._failed(hook, flow, exchange, error)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # the proxy is shutting down
        except Exception as error:
            self._failed(hook, flow, exchange, error)
        else:
            exchange.passed |= self.marks.get(hook, 0)

    def _refuse(self, hook: str, flow: http.HTTPFlow, exchange: Exchange, refusal: Refusal) -> None:
        if hook in _SAID_ONLY:
            logger.error("%s: %s", self.name, refusal)
            return
        exchange.refusal = refusal
        if hook == "socket_message":
            return  # the layer of the WebSocket lets nothing move that was not cleared, and closes
        refuse.answer(flow, refusal, exchange, self.line.voice)

    def _failed(self, hook: str, flow: http.HTTPFlow, exchange: Exchange, error: BaseException) -> None:
        logger.error("%s failed in %s; the exchange is refused", self.name, hook, exc_info=error)
        self._refuse(hook, flow, exchange, internal(502 if hook.startswith("response") else 503, exchange.id))

    def _plain_hook(self, hook: str) -> Callable[[Any], Awaitable[None] | None]:
        def failed(data: Any, error: BaseException) -> None:
            if isinstance(error, Refusal):
                logger.info("%s refused in %s: %s", self.name, hook, error)
            else:
                logger.error("%s failed in %s; refused", self.name, hook, exc_info=error)
            match hook:
                case "server_connect":
                    refuse.connect(data, error.detail if isinstance(error, Refusal) else "gateway error")
                case "tls_clienthello":
                    refuse.handshake(data)
                case "next_layer":
                    refuse.close(data)
                case "client_connected":
                    data.error = "gateway error"

        async def finish(data: Any, result: Awaitable[None]) -> None:
            try:
                async with asyncio.timeout(self.limit):
                    await result
            except asyncio.CancelledError as error:
                failed(data, error)
                raise
            except Exception as error:
                failed(data, error)

        def run(data: Any) -> Awaitable[None] | None:
            try:
                if self.closed and hook != "client_disconnected":
                    raise not_serving()
                result = getattr(self.addon, hook)(data)
            except Exception as error:
                failed(data, error)
                return None
            return finish(data, result) if result is not None else None

        return run


def not_serving() -> Refusal:
    """The refusal of a gateway that is starting, stopping, or has lost a stage."""
    return Refusal(
        503,
        "not-serving",
        "Gateway not serving",
        "The gateway is starting, stopping, or not complete, so nothing is let through.",
        next_step="Try again shortly; if it stays, tell the gateway's operator.",
        headers={"retry-after": "5"},
    )


def internal(status: int, exchange_id: str) -> Refusal:
    """The refusal when something of ours broke. What broke is in the log, not in the answer."""
    return Refusal(
        status,
        "gateway-error",
        "Gateway error",
        "The gateway could not finish judging this exchange, so nothing was let through.",
        next_step=f"Tell the gateway's operator, with the number {exchange_id}.",
    )
