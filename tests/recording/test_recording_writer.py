"""What the flow writer writes: readable by stock mitmproxy, as the client saw it, without secrets or certificates."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.certs import CertStore
from mitmproxy.flow import Error
from mitmproxy.io import FlowReader, tnetstring
from mitmproxy.test import tflow

from sluicegate.errors import Refusal
from sluicegate.recording import intents
from sluicegate.recording.flow_reader import read_folder
from sluicegate.recording.flow_writer import FlowWriter
from sluicegate.recording.recorded import Recorded
from sluicegate.recording.redact import Redactor
from tests.recording.recorders import live

WRITER = FlowWriter(Redactor(["x_pin"]), "run-1")


def written(flow, exchange) -> bytes:
    return WRITER.encode(flow, exchange, WRITER.summary(flow, exchange, 1_750_000_001.0, intent=True))


def stock(data: bytes) -> http.HTTPFlow:
    (flow,) = FlowReader(io.BytesIO(data)).stream()
    return flow


def read(data: bytes, folder: Path) -> Recorded:
    (folder / "2026-11-23").mkdir(exist_ok=True)
    (folder / "2026-11-23" / "000000Z-0001.flows").write_bytes(data)
    (item,) = read_folder(folder)
    assert isinstance(item, Recorded)
    return item


def test_it_is_the_state_that_mitmproxy_would_have_written_but_for_what_we_leave_out():
    flow, exchange = live("/plain")
    flow.error = None
    ours, stock_state = tnetstring.loads(written(flow, exchange)), tnetstring.loads(tnetstring.dumps(flow.get_state()))
    for state in (ours, stock_state):
        for conn in ("client_conn", "server_conn"):
            for name in ("certificate_list", "alpn_offers", "cipher_list", "mitmcert"):
                state[conn].pop(name, None)
        state.pop("metadata")
        state.pop("comment")
    assert ours == stock_state


@pytest.mark.parametrize("resp", [True, False])
@pytest.mark.parametrize("err", [True, False])
def test_stock_mitmproxy_makes_a_flow_of_it(resp, err):
    flow, exchange = tflow.tflow(resp=resp, err=err), live()[1]
    again = stock(written(flow, exchange))
    assert again.request.path == flow.request.path
    assert (again.response is None) == (not resp)
    assert (again.error is None) == (not err)
    assert again.metadata["sluicegate"]["subject"] == "ada"
    assert again.metadata["sluicegate"]["rules"] == ["people-read"]
    assert again.comment == "Ada Lovelace: allow (people-read)"


def test_certificates_are_not_written_and_the_live_connection_keeps_them(tmp_path):
    flow, exchange = live()
    cert = CertStore.from_store(tmp_path, "test", 2048).get_cert("h", []).cert
    flow.client_conn.mitmcert = cert
    flow.server_conn.certificate_list = [cert]
    data = written(flow, exchange)
    assert b"CERTIFICATE" not in data
    assert stock(data).server_conn.certificate_list == []
    assert flow.server_conn.certificate_list == [cert]
    assert flow.client_conn.mitmcert is cert


def test_the_live_flow_is_not_touched():
    flow, exchange = live("/x?token=abc")
    flow.request.headers["authorization"] = "Bearer s3cret"
    flow.request.headers["content-type"] = "application/x-www-form-urlencoded"
    flow.request.raw_content = b"password=p"
    flow.metadata["odd"] = object()
    before = (flow.request.copy(), flow.response.copy(), dict(flow.metadata))
    written(flow, exchange)
    assert flow.request == before[0] or flow.request.get_state() == before[0].get_state()
    assert flow.response.get_state() == before[1].get_state()
    assert flow.metadata == before[2]


def test_a_connection_that_changes_is_written_anew():
    flow, exchange = live()
    assert stock(written(flow, exchange)).client_conn.sni == "address"
    flow.client_conn.sni = "other"
    assert stock(written(flow, exchange)).client_conn.sni == "other"


def test_refusals_errors_and_odd_text_are_written(tmp_path):
    flow, exchange = live("/a\udc80b")
    exchange.refusal = Refusal(403, "policy-denied", "Denied", "No rule allows \udcff it.", rules=("none",))
    flow.error = Error("invalid header: b'Authorization: Bearer s3cret'")
    flow.request.headers = http.Headers([(b"x-\xff", b"\xfe\x80")])
    item = read(written(flow, exchange), tmp_path)
    assert item.text("refusal") == "policy-denied"
    assert "s3cret" not in item.text("error")
    assert item.request.headers == (("x-\\xff", "\\xfe\\x80"),)


def test_the_metadata_is_plain_and_whole(tmp_path):
    flow, exchange = live()
    exchange.approval = "a-1"
    item = read(written(flow, exchange), tmp_path)
    json.dumps(item.summary)
    assert item.summary["approval"] == "a-1"
    assert item.summary["exposure"] == {
        "columns": {"id": "clear", "ssn": "masked"},
        "rows": 1,
        "masks": {"national-ids": 1},
    }
    assert item.summary["masks"] == [["national-ids", "last4", ["ssn"], None]]
    assert item.summary["policy"] == "ab" * 32
    assert item.status == 200
    assert item.response.body == flow.response.raw_content


SECRET = "hunter2-Zq9x"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.sampled_from(["authorization", "Cookie", "X-Api-Key", "proxy-authorization", "x-chunks-key-of-ours"]),
    st.sampled_from(["token", "X-Amz-Signature", "code", "x_pin"]),
    st.text("abc=&;?/", max_size=8),
    st.sampled_from(["Set-Cookie", "Location", "x-auth-token"]),
)
def test_planted_secrets_are_in_neither_file(header, parameter, noise, answer):
    flow, exchange = live(f"/x?{noise}&{parameter}={SECRET}&z=1")
    flow.request.headers[header] = f"Bearer {SECRET}"
    flow.request.headers["referer"] = f"https://h/?{parameter}={SECRET}"
    flow.request.authority = f"ada:{SECRET}@h"
    flow.request.trailers = http.Headers([(b"authorization", SECRET.encode())])
    flow.response.headers[answer] = f"https://h/?a=1&{parameter}={SECRET}"
    flow.error = Error(f"bad line: 'Cookie: {SECRET}'")
    exchange.secret_headers.add("x-chunks-key-of-ours")
    exchange.secret = SECRET
    assert SECRET.encode() not in written(flow, exchange)
    assert SECRET.encode() not in intents.encode(exchange, Redactor(["x_pin"]), 1.0, "run", "0" * 64, "5a1t")


def test_stock_mitmdump_opens_it(tmp_path):
    file = tmp_path / "x.flows"
    flow, exchange = live("/a?token=secret&b=1")
    refused, other = live("/refused")
    other.refusal = Refusal(403, "policy-denied", "Denied", "No.")
    refused.response = http.Response.make(403, b"{}")
    file.write_bytes(written(flow, exchange) + written(refused, other))
    command = [str(Path(sys.executable).parent / "mitmdump"), "-n", "--set", f"confdir={tmp_path}", "-r", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "/a?token=[removed]&b=1" in done.stdout
    assert "403" in done.stdout
    found = subprocess.run([*command, "~meta policy-denied"], capture_output=True, text=True, timeout=60)
    assert "/refused" in found.stdout
    assert "/a?" not in found.stdout
