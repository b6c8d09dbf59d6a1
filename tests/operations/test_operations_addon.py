"""The addon: mitmproxy's request, as the dialects see it."""

import gzip

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from sluicegate.clock import SetClock
from sluicegate.exchange import OTHERS, Exchange, Principal
from sluicegate.operations import Reader
from sluicegate.operations.addon import OperationsAddon, owner_of, view_of
from sluicegate.settings import Settings

SETTINGS = Settings.model_validate(
    {
        "identity": {"issuer": "https://idp.test"},
        "gateway": {"others": "inspect"},
        "dialects": {
            "chunks": {"routes": [{"request": "POST /q/{d}", "kind": "read", "dataset": "path:d", "columns": "$.columns"}]}
        },
        "services": {"chunks": {"hosts": ["chunks.test"], "dialect": "chunks"}},
    }
)  # fmt: skip
ADA = Principal("ada", "https://idp.test")


def made():
    return OperationsAddon(Reader(SETTINGS, SetClock()), 1 << 20)


def flow_of(path, body, headers):
    flow = tflow.tflow()
    flow.request = http.Request.make("POST", f"https://chunks.test{path}", b"", headers)
    flow.request.raw_content = body
    return flow


def test_the_operation_is_read_from_the_body_as_sent():
    flow = flow_of(
        "/q/logs",
        gzip.compress(b'{"columns": ["id"]}'),
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    exchange = Exchange("1", 0.0, service="chunks", scheme="https", host="chunks.test", port=443, principal=ADA)
    made().request(flow, exchange)
    assert exchange.operation.columns == ("id",) and exchange.operation.dataset == "logs"
    assert not exchange.operation.declared


def test_other_hosts_are_egress():
    exchange = Exchange("1", 0.0, service=OTHERS, scheme="https", host="::1", port=8443, principal=ADA)
    made().request(flow_of("/x?y", b"", {}), exchange)
    assert (exchange.operation.kind, exchange.operation.destination) == ("upload", "https://[::1]:8443")


def test_headers_keep_all_their_lines():
    flow = flow_of("/a?b?c=%41", b"", ((b"X-A", b"1"), (b"x-a", b"2\xff"), (b"Host", b"h")))
    view = view_of(flow.request)
    assert view.headers["x-a"] == ("1", "2\xff") and (view.path, view.query) == ("/a", "b?c=%41")


def test_without_a_service_or_a_body_it_fails():
    addon = made()
    with pytest.raises(RuntimeError):
        addon.request(flow_of("/", b"", {}), Exchange("1", 0.0))
    with pytest.raises(RuntimeError):
        addon.request(flow_of("/", None, {}), Exchange("1", 0.0, service="chunks", principal=ADA))


def test_results_are_of_one_person_or_machine():
    """Whoever differs in one of these is somebody else, also a machine that is called like a person."""
    everybody = [
        Principal("ada", "https://idp"), Principal("ada", "https://idp", kind="machine"), Principal("ada", "https://other"),
        Principal("eve", "https://idp"),
    ]  # fmt: skip
    owners = {owner_of(Exchange("x", 0.0, principal=one)) for one in everybody}
    assert len(owners) == len(everybody)
    later = Principal("ada", "https://idp", frozenset({"new"}), session="another")
    assert owner_of(Exchange("x", 0.0, principal=later)) in owners
    with pytest.raises(RuntimeError):
        owner_of(Exchange("x", 0.0))
