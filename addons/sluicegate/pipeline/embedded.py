"""mitmproxy embedded with a trimmed chain: what `sluicegate up` runs on.

Half of a stock mitmdump's time goes into asking some thirty addons, eight times a request, whether they have a hook.
Here only the addons that the gate needs stand in the chain, and each hook knows who has it.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import Sequence
from typing import Any

from mitmproxy import http
from mitmproxy.addons import core, next_layer, proxyserver, tlsconfig
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.proxy.mode_servers import AsyncioServerInstance

from sluicegate.pipeline import connections
from sluicegate.pipeline.addons import DirectAddons


def _get(self: http.Headers, name: str | bytes, default: Any = None) -> Any:
    """What Headers.get gives, without an exception for each header that is not there: most are not."""
    wanted = (name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name).lower()
    found = [value for field, value in self.fields if field.lower() == wanted]
    return ", ".join([value.decode("utf-8", "surrogateescape") for value in found]) if found else default


def _contains(self: http.Headers, name: object) -> bool:
    """The same for `in`."""
    if not isinstance(name, str | bytes):
        return False
    wanted = (name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name).lower()
    return wanted in [field.lower() for field, _ in self.fields]


def tune() -> None:
    """Settings of the process that a gateway under load wants. They change no outcome."""
    http.Headers.get = _get  # type: ignore[method-assign, assignment]
    http.Headers.__contains__ = _contains  # type: ignore[method-assign, assignment]
    # mitmproxy checks the type of each field of each message unless Python runs with -O.
    http.MessageData.__post_init__ = lambda self: None  # type: ignore[method-assign]
    # The recorder's thread has to get the interpreter back after each sync; the default makes it wait 5 ms.
    sys.setswitchinterval(0.0005)
    # What stands now stays: without this each full collection walks through all of it again. The little garbage that
    # is among it is not worth the tenth of a second that looking for it takes at each start.
    gc.freeze()
    gc.set_threshold(10_000, 5, 5)


def listen_on(sockets: Sequence[socket.socket]) -> None:
    """Have this process listen on sockets that it was handed, whatever its options say."""

    async def listen(self: AsyncioServerInstance[Any], host: str, port: int) -> list[asyncio.Server]:
        return [await asyncio.start_server(self.handle_stream, sock=one) for one in sockets]

    AsyncioServerInstance.listen = listen  # type: ignore[method-assign, assignment]


class EmbeddedMaster(Master):
    """A master with the few of mitmproxy's own addons that a gate needs."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, with_termlog=False)
        self.addons = DirectAddons(self)
        connections.install()
        self.proxyserver = proxyserver.Proxyserver()
        self.addons.add(core.Core(), self.proxyserver, next_layer.NextLayer(), tlsconfig.TlsConfig())
