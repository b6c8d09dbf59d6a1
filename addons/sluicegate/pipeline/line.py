"""What the stages of one gateway share: whether it is open, and which exchanges are on their way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

from mitmproxy import http
from mitmproxy.addonmanager import AddonManager

from sluicegate.clock import Clock
from sluicegate.exchange import Exchange, Message
from sluicegate.pipeline.refuse import Voice

_PLACE = "sluicegate_exchange"
"""The attribute of a live flow that holds its exchange. mitmproxy neither copies nor writes it."""


class Line:
    """The state of the pipeline as a whole. It starts closed, and closed means that everything is refused."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.open = False
        self.draining = False
        self.entries: list[object] = []
        """Our entries in mitmproxy's chain, in order. Filled in once, by `order.build`."""
        self.in_force: Mapping[str, Any] = {}
        """What the rooms made of the policy in force, by their names. Replaced as a whole when the policy changes."""
        self.voice: Voice | None = None
        """Puts refusals into the words of the service that was asked. Filled in once, by `order.build`."""
        self.manager: AddonManager | None = None
        """mitmproxy's addon manager, once the entries stand in its chain."""
        self._in_flight: WeakSet[http.HTTPFlow] = WeakSet()
        self._idle = asyncio.Event()

    def exchange(self, flow: http.HTTPFlow) -> Exchange:
        """The exchange of a flow; made when it is first asked for."""
        # On the flow itself: every stage asks in every hook, and a look-up by weak reference costs ten times as much.
        found: Exchange | None = flow.__dict__.get(_PLACE)
        if found is None:
            request, peer = flow.request, flow.client_conn.peername
            found = Exchange(
                id=flow.id,
                started=self.clock.now(),
                client=peer[0] if peer else "",
                method=request.method,
                scheme=request.scheme,
                host=request.host,
                port=request.port,
                target=request.path,
                in_force=self.in_force,
            )
            flow.__dict__[_PLACE] = found
        return found

    def message(self, flow: http.HTTPFlow, message: Message, opened: Exchange) -> Exchange:
        """Make the exchange of a message in a WebSocket. Who asks and whether they may is settled anew."""
        made = Exchange(
            id=flow.id,
            started=self.clock.now(),
            client=opened.client,
            method=opened.method,
            scheme=opened.scheme,
            host=opened.host,
            port=opened.port,
            target=opened.target,
            service=opened.service,
            secret_headers=set(opened.secret_headers),
            job=opened.job,
            purpose=opened.purpose,
            approval=opened.approval,
            message=message,
            opened=opened,
            in_force=self.in_force,
        )
        flow.__dict__[_PLACE] = made
        return made

    def enter(self, flow: http.HTTPFlow) -> None:
        """Count a flow as being in flight."""
        self._in_flight.add(flow)

    def leave(self, flow: http.HTTPFlow) -> None:
        """The flow has its answer, or will never have one."""
        self._in_flight.discard(flow)
        if not self._in_flight:
            self._idle.set()

    async def drain(self, seconds: float) -> None:
        """Turn new exchanges away, and wait until those in flight have their answers, at most `seconds`."""
        self.draining = True
        self._idle.clear()
        if self._in_flight:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._idle.wait()

    def whole(self) -> bool:
        """Whether every entry still stands in the chain, in order and side by side."""
        if self.manager is None or not self.entries:
            return False
        chain, entries = self.manager.chain, self.entries
        try:
            at = chain.index(entries[0])
        except ValueError:
            return False
        return bool(chain[at : at + len(entries)] == entries)
