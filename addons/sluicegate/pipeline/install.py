"""Put the pipeline into a master's chain: before next_layer, each stage an entry of its own.

As top-level entries the stages outlive the script that installed them, and an error in one does not skip its siblings.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from mitmproxy import ctx
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.master import Master

from sluicegate.errors import Fault
from sluicegate.pipeline import options
from sluicegate.pipeline.patience import PATIENCE

if TYPE_CHECKING:
    from sluicegate.pipeline.order import Gateway

logger = logging.getLogger(__name__)

TRIMMED = (
    "browser",
    "blocklist",
    "anticache",
    "anticomp",
    "clientplayback",
    "serverplayback",
    "comment",
    "cut",
    "export",
    "onboarding",
    "proxyauth",
    "mapremote",
    "maplocal",
    "modifybody",
    "modifyheaders",
    "stickyauth",
    "stickycookie",
    "save",
    "savehar",
    "upstreamauth",
    "updatealtsvc",
    "stripdnshttpsrecords",
)
"""mitmproxy's own addons that could answer or change a request after the verdict, or write what is not masked."""


KEY_LOGS = ("SSLKEYLOGFILE", "MITMPROXY_SSLKEYLOGFILE")


class Keeper:
    """The pipeline's own entry: guards the options, opens and closes the gateway with the master, drains on SIGTERM."""

    name = "sluicegate"

    def __init__(self, gateway: Gateway, *, opens: bool) -> None:
        self.gateway = gateway
        self.opens = opens
        self._draining: asyncio.Task[None] | None = None

    def configure(self, updated: set[str]) -> None:
        options.check(ctx.options)

    def running(self) -> Awaitable[None]:
        return self._running()

    async def _running(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.drain)
        if self.gateway.watch is not None:
            loop.add_signal_handler(signal.SIGHUP, self.gateway.watch.wake)
        server = ctx.master.addons.get("proxyserver")
        self.gateway.own_ports.update(address[1] for address in server.listen_addrs())
        if self.opens:
            try:
                await self.gateway.open()
            except Fault as fault:
                print(f"sluicegate: {fault}", file=sys.stderr)
                sys.exit(fault.exit_code)
            else:
                logger.info("Sluicegate is serving; state in %s", self.gateway.state.root)

    def drain(self) -> None:
        """Stop listening, let exchanges in flight end, then shut down. A second signal does not wait."""
        if self._draining is not None or not self.gateway.line.open:
            ctx.master.shutdown()
            return
        self._draining = asyncio.get_running_loop().create_task(self._drain(ctx.master))

    async def _drain(self, master: Master) -> None:
        master.options.update(server=False)
        await self.gateway.line.drain(self.gateway.loaded.settings.gateway.drain_seconds)
        await asyncio.sleep(0.05)  # the last answers leave the sockets' buffers
        master.shutdown()

    def done(self) -> Awaitable[None]:
        return self.gateway.close()


def check_surroundings(master: Master) -> None:
    """Raise Fault for a program in which requests can be changed, or an environment that gives keys away."""
    if master.addons.get("view") is not None:
        raise Fault(
            "Sluicegate does not run in mitmproxy or mitmweb: there a request can be changed after its verdict.",
            hint="Start it with mitmdump, or with `sluicegate up`.",
        )
    for name in KEY_LOGS:
        if os.environ.get(name):
            raise Fault(
                f"The environment variable {name} is set: the keys of every connection would be written to a file.",
                hint=f"Run: unset {name}",
            )


def deaf(server: Proxyserver, wanted: str, *, tried: bool = True) -> Fault | None:
    """What keeps the gateway from listening on `wanted`, or None. `tried`: it must listen by now."""
    errors = [instance.last_exception for instance in server.servers if instance.last_exception]
    if not errors and (server.listen_addrs() or not tried):
        return None
    return Fault(
        f"Cannot listen on {wanted}: {_why(errors[0]) if errors else 'no address'}.",
        hint="Choose another address (`listen` under [gateway] in the policy), or end what uses this one.",
    )


def _why(error: BaseException) -> str:
    """The system's own words. mitmproxy's say the same three times, and name an option that is not ours."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else "it is no address of this machine"


def install(master: Master, gateway: Gateway, *, opens: bool = True) -> Keeper:
    """Trim the chain and put the stages before `next_layer`.

    Raises OptionsError for options that open a way round, Fault for a program or an environment that does.
    """
    from sluicegate.pipeline import certificates, http_layers
    from sluicegate.pipeline.client_certificates import AsksForCertificates

    check_surroundings(master)
    for name in TRIMMED:
        # Not AddonManager.remove: it calls `done`, which in one of them is async and cannot be called from here.
        addon = master.addons.lookup.pop(name, None)
        master.addons.chain[:] = [entry for entry in master.addons.chain if entry is not addon]
    http_layers.put_in()
    certificates.for_one_name(master.addons.get("tlsconfig"))
    settings = gateway.loaded.settings
    PATIENCE.service, PATIENCE.client = settings.gateway.service_seconds, settings.gateway.client_seconds
    options.impose(master.options, settings.gateway.max_body_bytes, settings.gateway.trusted_ca)
    keeper = Keeper(gateway, opens=opens)
    entries = [master.addons.register(entry) for entry in (*gateway.line.entries, keeper)]
    at = master.addons.chain.index(master.addons.get("nextlayer"))
    master.addons.chain[at:at] = entries
    if gateway.loaded.settings.identity.client_ca is not None:
        after = master.addons.chain.index(master.addons.get("tlsconfig")) + 1
        master.addons.chain.insert(after, master.addons.register(AsksForCertificates()))
    gateway.line.manager = master.addons
    return keeper
