"""How long a gateway waits for a service that is silent, and for a client that does not read.

mitmproxy has a wake-up of its own, which is a task for each, until its connection ends; most exchanges take a few
milliseconds and would leave it behind for minutes. A timer of the event loop is taken back for next to nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mitmproxy import ctx, http
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import http as layers


@dataclass
class Patience:
    """In seconds."""

    service: float = 300.0
    """How long a service may be silent: before its answer begins, and between two pieces of it."""
    client: float = 120.0
    """How long a client may take to read what waits for it."""


PATIENCE = Patience()
"""What is in force in this process: there is one gateway in it."""

_ringing: set[asyncio.Task[None]] = set()


class Alarm:
    """Wakes one layer that has waited for so long. One timer serves many waits: it looks, when it rings, whether the
    wait that it was set for is still the same."""

    def __init__(self, flow: http.HTTPFlow, parent: layers.HttpLayer, woken: layer.Layer) -> None:
        self.command: commands.RequestWakeup | None = None
        """What the layer was woken for; None where something has come since: an older wake-up counts no more."""
        self._flow = flow
        self._parent = parent
        self._woken = woken
        self._loop = asyncio.get_running_loop()
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, seconds: float) -> None:
        """A wait begins."""
        due = self._loop.time() + seconds
        if self._timer is not None and self._timer.when() > due:
            self.cancel()
        self._due = due
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._look)

    def rest(self) -> None:
        """Something has come; nothing is waited for."""
        self._due = self.command = None

    def cancel(self) -> None:
        """The same, and no other wait follows soon."""
        self.rest()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._due > self._loop.time():
            self._timer = self._loop.call_at(self._due, self._look)
        else:
            self._ring()

    def _ring(self) -> None:
        server = ctx.master.addons.get("proxyserver")
        handler = server.connections.get(self._flow.client_conn.id) if server is not None else None
        if handler is None:
            return
        self.command = commands.RequestWakeup(0)
        # As if mitmproxy had been asked for it: the event finds its way to the layer that the command came from.
        self._parent.command_sources[self.command] = self._woken
        task = self._loop.create_task(handler.server_event(events.Wakeup(self.command)))
        _ringing.add(task)
        task.add_done_callback(_ringing.discard)
