"""mitmproxy embedded with a trimmed chain: what `sluicegate up` runs on.

Half of a stock mitmdump's time goes into asking some thirty addons, eight times a request, whether they have a hook.
Here only the addons that the gate needs stand in the chain, and each hook knows who has it.
"""

from __future__ import annotations

import gc
import logging
import sys
from dataclasses import fields
from typing import Any

from mitmproxy import exceptions, flow, hooks, http
from mitmproxy.addonmanager import AddonManager, traverse
from mitmproxy.addons import core, next_layer, proxyserver, tlsconfig
from mitmproxy.master import Master
from mitmproxy.options import Options

logger = logging.getLogger(__name__)


class DirectAddons(AddonManager):
    """An addon manager that looks up who has a hook once, not at each event."""

    def __init__(self, master: Master) -> None:
        super().__init__(master)
        self._holders: dict[str, list[Any]] = {}
        self._known: list[Any] = []
        self._fields: dict[type[hooks.Hook], tuple[str, ...]] = {}

    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        # The stock manager sends an `update` after each hook of a flow, for user interfaces; there are none here.
        await self.trigger_event(event)

    async def trigger_event(self, event: hooks.Hook) -> None:
        name = event.name
        if self._known != self.chain:  # compares by identity first, so this costs a few hundred nanoseconds
            self._known = list(self.chain)
            self._holders = {}
        holders = self._holders.get(name)
        if holders is None:
            holders = [addon for addon in traverse(self.chain) if callable(getattr(addon, name, None))]
            self._holders[name] = holders
        names = self._fields.get(type(event))
        if names is None:
            names = self._fields[type(event)] = tuple(field.name for field in fields(event))  # type: ignore[arg-type]
        args = [getattr(event, field) for field in names]
        for addon in holders:
            try:
                result = getattr(addon, name)(*args)
                if result is not None:
                    await result
            except exceptions.AddonHalt:
                return
            except exceptions.OptionsError:
                raise
            except Exception:
                # A stage turns its own errors into refusals, so what arrives here is worse than those.
                logger.exception("Addon error in %s", name)
                for message in args:
                    if isinstance(message, flow.Flow) and message.killable:
                        message.kill()


def tune() -> None:
    """Settings of the process that a gateway under load wants. They change no outcome."""
    # mitmproxy checks the type of each field of each message unless Python runs with -O.
    http.MessageData.__post_init__ = lambda self: None  # type: ignore[method-assign]
    # The recorder's thread has to get the interpreter back after each sync; the default makes it wait 5 ms.
    sys.setswitchinterval(0.0005)
    # What stands now stays: without this each full collection walks through all of it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 5, 5)


class EmbeddedMaster(Master):
    """A master with the few of mitmproxy's own addons that a gate needs."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, with_termlog=False)
        self.addons = DirectAddons(self)
        self.proxyserver = proxyserver.Proxyserver()
        self.addons.add(core.Core(), self.proxyserver, next_layer.NextLayer(), tlsconfig.TlsConfig())
