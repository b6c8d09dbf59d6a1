"""mitmproxy embedded with a trimmed chain: what `sluicegate up` runs on.

Half of a stock mitmdump's time goes into asking some thirty addons, eight times a request, whether they have a hook.
Here only the addons that the gate needs stand in the chain, and each hook knows who has it.
"""

from __future__ import annotations

import logging
from typing import Any

from mitmproxy import exceptions, hooks
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

    async def trigger_event(self, event: hooks.Hook) -> None:
        name = event.name
        if self._known != self.chain:  # compares by identity first, so this costs a few hundred nanoseconds
            self._known = list(self.chain)
            self._holders = {}
        holders = self._holders.get(name)
        if holders is None:
            holders = [addon for addon in traverse(self.chain) if callable(getattr(addon, name, None))]
            self._holders[name] = holders
        args = event.args()
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
                logger.exception("Addon error in %s", name)


class EmbeddedMaster(Master):
    """A master with the few of mitmproxy's own addons that a gate needs."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, with_termlog=False)
        self.addons = DirectAddons(self)
        self.proxyserver = proxyserver.Proxyserver()
        self.addons.add(core.Core(), self.proxyserver, next_layer.NextLayer(), tlsconfig.TlsConfig())
