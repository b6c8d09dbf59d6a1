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
    """Wakes one layer, unless it is taken back before."""

    def __init__(self, seconds: float, flow: http.HTTPFlow, parent: layers.HttpLayer, woken: layer.Layer) -> None:
        self.command = commands.RequestWakeup(seconds)
        self._flow = flow
        self._parent = parent
        self._woken = woken
        self._timer = asyncio.get_running_loop().call_later(seconds, self._ring)

    def cancel(self) -> None:
        """Do not wake it."""
        self._timer.cancel()

    def _ring(self) -> None:
        server = ctx.master.addons.get("proxyserver")
        handler = server.connections.get(self._flow.client_conn.id) if server is not None else None
        if handler is None:
            return
        # As if mitmproxy had been asked for it: the event finds its way to the layer that the command came from.
        self._parent.command_sources[self.command] = self._woken
        task = asyncio.get_running_loop().create_task(handler.server_event(events.Wakeup(self.command)))
        _ringing.add(task)
        task.add_done_callback(_ringing.discard)
