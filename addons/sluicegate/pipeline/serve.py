"""The embedded way to start: everything is open before the first connection is accepted."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from typing import Literal

from mitmproxy import ctx, exceptions
from mitmproxy.options import Options

from sluicegate.errors import Fault
from sluicegate.pipeline import authority, constraints
from sluicegate.pipeline.embedded import EmbeddedMaster, listen_on, tune
from sluicegate.pipeline.install import deaf, install
from sluicegate.pipeline.order import Gateway

logger = logging.getLogger(__name__)

Mode = Literal["regular", "transparent"]
Announce = Callable[[str, int], None]
"""Called with host and port once the gateway listens."""


class Announcer:
    """Tells where the gateway listens, or why it does not."""

    name = "sluicegate.announcer"

    def __init__(self, announce: Announce, wanted: str) -> None:
        self.announce = announce
        self.wanted = wanted
        self.fault: Fault | None = None

    def running(self) -> None:
        server = ctx.master.addons.get("proxyserver")
        self.fault = deaf(server, self.wanted)
        if self.fault is not None:
            ctx.master.shutdown()
            return
        addresses = server.listen_addrs()
        self.announce(addresses[0][0], addresses[0][1])


def _said_by_us(record: logging.LogRecord) -> bool:
    """Leaves out mitmproxy's own words for what the announcer says."""
    return "failed to listen on" not in record.getMessage()


async def serve(gateway: Gateway, mode: Mode, announce: Announce, sockets: Sequence[socket.socket] = ()) -> None:
    """Serve until SIGTERM or SIGINT, then drain. `sockets` are listened on in place of new ones.

    Raises Fault with one clear line when it cannot start.
    """
    settings = gateway.loaded.settings.gateway
    host, _, port = settings.listen.rpartition(":")
    authority.prepare(gateway.state.ca, constraints.of_policy(gateway.loaded.settings))
    await gateway.open()
    try:
        if sockets:
            listen_on(sockets)
        master = EmbeddedMaster(Options())
        master.options.update(**authority.options(gateway.state.ca))
        master.options.update(listen_host=host.strip("[]"), listen_port=int(port))
        try:
            install(master, gateway, opens=False)
            master.options.update(mode=[mode])
        except exceptions.OptionsError as error:
            raise Fault(f"{error}") from None
        logging.getLogger("mitmproxy.addons.proxyserver").addFilter(_said_by_us)
        announcer = Announcer(announce, settings.listen)
        master.addons.add(announcer)
        tune()
        await master.run()
        if announcer.fault is not None:
            raise announcer.fault
    finally:
        await gateway.close()
