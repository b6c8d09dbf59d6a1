"""mitmproxy embedded with a trimmed chain: what `sluicegate up` runs on.

Half of a stock mitmdump's time goes into asking some thirty addons, eight times a request, whether they have a hook.
Here only the addons that the gate needs stand in the chain, and each hook knows who has it.
"""

from __future__ import annotations

import gc
import sys

from mitmproxy import http
from mitmproxy.addons import core, next_layer, proxyserver, tlsconfig
from mitmproxy.master import Master
from mitmproxy.options import Options

from sluicegate.pipeline import connections
from sluicegate.pipeline.addons import DirectAddons


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
        connections.install()
        self.proxyserver = proxyserver.Proxyserver()
        self.addons.add(core.Core(), self.proxyserver, next_layer.NextLayer(), tlsconfig.TlsConfig())
