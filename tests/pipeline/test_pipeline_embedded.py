"""What the embedded master does in mitmproxy's place gives the same answers, and hooks that have to wait still wait."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import exceptions, http
from mitmproxy.addons import core
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.test import tflow

from sluicegate.pipeline import embedded
from sluicegate.pipeline.addons import DirectAddons

names = st.sampled_from([b"Host", b"host", b"X-A", b"x-a", b"X-B", b"\xff"])
STOCK_GET, STOCK_IN = http.Headers.get, http.Headers.__contains__


@given(st.lists(st.tuples(names, st.binary(max_size=8))), st.one_of(names, st.sampled_from(["HOST", "x-A", "", "x-c"])))
def test_headers_are_found_as_mitmproxy_finds_them(fields, name):
    headers = http.Headers(fields)
    assert embedded._get(headers, name) == STOCK_GET(headers, name)
    assert embedded._get(headers, name, "other") == STOCK_GET(headers, name, "other")
    assert embedded._contains(headers, name) == STOCK_IN(headers, name)


class Noting:
    def __init__(self, name, seen, behaviour):
        self.name, self.seen, self.behaviour = name, seen, behaviour

    def request(self, flow):
        self.seen.append(self.name)
        match self.behaviour:
            case "waits":
                return self._wait()
            case "raises":
                raise ValueError(self.name)
            case "halts":
                raise exceptions.AddonHalt
            case "waits and raises":
                return self._wait(ValueError(self.name))
            case "waits and halts":
                return self._wait(exceptions.AddonHalt())
        return None

    async def _wait(self, error=None):
        await asyncio.sleep(0)
        self.seen.append(f"{self.name} waited")
        if error:
            raise error


KINDS = ["passes", "waits", "raises", "halts", "waits and raises", "waits and halts"]


async def run(kinds):
    master = Master(Options(), with_termlog=False)
    master.addons = DirectAddons(master)
    seen = []
    master.addons.add(core.Core(), *(Noting(f"n{i}", seen, kind) for i, kind in enumerate(kinds)))
    flow = tflow.tflow()
    flow.live = True
    try:
        await master.addons.trigger_event(HttpRequestHook(flow))
    finally:
        master._legacy_log_events.uninstall()
    return seen, flow


@given(st.lists(st.sampled_from(KINDS), max_size=6))
def test_each_addon_is_asked_in_order_until_one_halts(kinds):
    seen, flow = asyncio.run(run(kinds))
    expected = []
    for number, kind in enumerate(kinds):
        expected.append(f"n{number}")
        if kind.startswith("waits"):
            expected.append(f"n{number} waited")
        if "halts" in kind:
            break
    assert seen == expected
    reached = kinds[: len([name for name in seen if "waited" not in name])]
    assert bool(flow.error) == any("raises" in kind for kind in reached), "what an addon breaks is not let through"


def test_addons_that_answer_at_once_leave_nothing_to_wait_for():
    async def main():
        master = Master(Options(), with_termlog=False)
        master.addons = DirectAddons(master)
        master._legacy_log_events.uninstall()
        master.addons.add(core.Core(), Noting("a", [], "passes"))
        return master.addons.begin(HttpRequestHook(tflow.tflow()))

    assert asyncio.run(main()) is None


def test_options_errors_reach_whoever_asked():
    class Wrong:
        name = "wrong"

        def request(self, flow):
            raise exceptions.OptionsError("no")

    async def main():
        master = Master(Options(), with_termlog=False)
        master.addons = DirectAddons(master)
        master._legacy_log_events.uninstall()
        master.addons.add(Wrong())
        await master.addons.trigger_event(HttpRequestHook(tflow.tflow()))

    with pytest.raises(exceptions.OptionsError):
        asyncio.run(main())
