"""mitmproxy's real proxy core and dispatcher, in process, with rooms that a test can break."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from mitmproxy.options import Options

from sluicegate.clock import SetClock
from sluicegate.exchange import Principal, Verdict
from sluicegate.lockdown import guard
from sluicegate.pipeline import http_layers
from sluicegate.pipeline import options as gate_options
from sluicegate.pipeline.embedded import EmbeddedMaster
from sluicegate.pipeline.line import Line
from sluicegate.pipeline.sentinel import Front, Judged, Last
from sluicegate.pipeline.stage import Stage
from tests.origin import Origin, json_response
from tests.running import Wire

SECRET = b'{"ssn":"123-45-6789"}'
"""Its first half is looked for with both hyphens: an id that is drawn by lot has `123-45` in it once in sixty thousand."""


class Judge:
    """Lets every exchange through: what lockdown, identity and policy would have decided."""

    name = "judge"

    def request(self, flow, exchange):
        exchange.principal = Principal("ada", "https://idp.test")
        exchange.verdict = Verdict("allow", ("test",))

    def server_connect(self, data):
        guard.upstream.set(lambda address: None)


class Room:
    """A room whose hooks a test provides."""

    name = "room"

    def __init__(self, **hooks):
        self.request = lambda flow, exchange: None
        self.response = lambda flow, exchange: None
        for name, hook in hooks.items():
            setattr(self, name, hook)


class Rig:
    """A proxy on a free port in front of an origin."""

    def __init__(self, origin):
        self.origin = origin
        self.line = Line(SetClock())

    async def start(self, *rooms, opened=True, others=()):
        self.master = EmbeddedMaster(Options())
        self.master.options.update(listen_host="127.0.0.1", listen_port=0)
        http_layers.put_in()
        gate_options.impose(self.master.options, 1 << 20, None)
        judged, last = Judged("judged", self.line), Last("sentinel", self.line)
        chosen = [Judge(), *rooms, judged, last]
        stages = [Stage(room, index, self.line) for index, room in enumerate(chosen)]
        for sentinel in (judged, last):
            for hook in sentinel.requires:
                before = stages[: chosen.index(sentinel)]
                sentinel.requires[hook] = sum(stage.required(hook) for stage in before)
        self.line.entries = [Front(self.line), *stages]
        entries = [self.master.addons.register(entry) for entry in (*self.line.entries, *others)]
        at = self.master.addons.chain.index(self.master.addons.get("nextlayer"))
        self.master.addons.chain[at:at] = entries
        self.line.manager = self.master.addons
        self.line.open = opened
        self.task = asyncio.create_task(self.master.run())
        authority = self.master.addons.get("tlsconfig")
        while not self.master.proxyserver.listen_addrs() or authority.certstore is None:
            await asyncio.sleep(0)
        self.port = self.master.proxyserver.listen_addrs()[0][1]
        return self

    async def get(self, path="/x", method="GET", body=b""):
        """One request through the proxy, from a thread: (status, headers, body)."""

        def ask():
            wire = Wire(self.port)
            host = f"127.0.0.1:{self.origin.port}"
            wire.send(
                f"{method} http://{host}{path} HTTP/1.1\r\nHost: {host}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
                + body
            )
            try:
                return wire.response(body=method != "HEAD")
            except ConnectionError:
                return 0, {}, b""
            finally:
                wire.close()

        return await asyncio.to_thread(ask)

    async def stop(self):
        self.master.shutdown()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@pytest.fixture
async def rig():
    """A rig whose origin answers with a secret; `received` of the origin shows what got through."""
    origin = Origin(None, lambda request: json_response(SECRET))
    made = Rig(origin)
    yield made
    await made.stop()
    origin.close()
