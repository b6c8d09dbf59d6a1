"""What the layers in mitmproxy's place rely on, in the pinned version, and what they do when it is another."""

from __future__ import annotations

import inspect

import pytest
from mitmproxy import http
from mitmproxy.flow import Error
from mitmproxy.proxy.layers import http as layers
from mitmproxy.proxy.layers.http import _http1
from mitmproxy.proxy.layers.http._events import ErrorCode

from sluicegate.errors import Fault
from sluicegate.pipeline import broken, http_layers
from tests.origin import json_response
from tests.pipeline.conftest import SECRET, Room


def test_mitmproxy_looks_its_layers_up_by_the_names_that_are_replaced():
    http_layers.put_in()
    http_layers.put_in()
    for user, names in {
        layers.HttpLayer._handle_event: ("Http1Server", "Http2Server"),
        layers.HttpLayer.make_stream: ("HttpStream",),
        layers.HttpClient._handle_event: ("Http1Client", "Http2Client"),
    }.items():
        assert set(names) <= set(inspect.unwrap(user).__code__.co_names)
        for name in names:
            assert getattr(layers, name).__module__.startswith("sluicegate.pipeline.http_")


def test_another_layer_in_that_place_ends_the_start(monkeypatch):
    monkeypatch.setattr(layers, "Http1Server", type("Http1Server", (), {}))
    with pytest.raises(Fault, match="Http1Server"):
        http_layers.put_in()


def test_the_methods_that_are_replaced_are_there():
    for method in ("_handle_event", "read_body", "mark_done", "done", "wait"):
        assert hasattr(_http1.Http1Connection, method)
    for kind in (_http1.Http1Server, _http1.Http1Client):
        assert "read_headers" in vars(kind) and "send" in vars(kind)


@pytest.mark.parametrize("code", list(ErrorCode))
@pytest.mark.parametrize("answerable", [True, False])
def test_each_way_to_break_is_told_without_quoting_it(code, answerable):
    flow = http.HTTPFlow(None, None)
    flow.request = http.Request.make("GET", "https://a.test/")
    flow.error = Error("quoted 123-45-6789")
    broken.note(
        flow, "quoted 123-45-6789" if code is not ErrorCode.CONNECT_FAILED else "refused", code, answerable=answerable
    )
    told = broken.refusal(flow)
    assert (told is not None) == (answerable and code.http_status_code() is not None)
    if told is not None and code is not ErrorCode.GENERIC_CLIENT_ERROR:  # those words are the reader's own
        assert told.status >= 400 and "123-45-" not in told.detail and told.next_step


async def test_the_rig_answers_what_broke_in_our_words(rig):
    rig.origin.respond = lambda request: json_response(SECRET, "content-length: 1\r\n")
    await rig.start(Room())
    status, headers, body = await rig.get()
    assert status == 502 and headers["content-type"] == "application/problem+json" and SECRET not in body
