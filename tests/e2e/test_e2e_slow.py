"""A client that does not read, over HTTP/2: its stream is cut, and the others on its connection are not held up."""

from __future__ import annotations

import json

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from mitmproxy.io import FlowReader

from tests.origin import Origin, Poured, json_response
from tests.running import Wire

SSN = "123-45-6789"
LINE = json.dumps({"ssn": SSN, "note": "x" * 1000}).encode() + b"\n"


@pytest.fixture(scope="module")
def origin(certs):
    def respond(request: bytes) -> bytes:
        if b"/chunks/2" in request:
            return json_response(json.dumps({"ssn": SSN}).encode())
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
        part = LINE * 64
        raise Poured([head, *[b"%x\r\n%s\r\n" % (len(part), part)] * 400, b"0\r\n\r\n"])

    server = Origin(certs.service, respond)
    yield server
    server.close()


@pytest.fixture(scope="module")
def gate(gateway, origin, tmp_path_factory):
    settings = "max_body_bytes = 262144\nclient_seconds = 8"
    with gateway(tmp_path_factory.mktemp("slow"), [f"localhost:{origin.port}"], gateway=settings) as running:
        yield running


def test_a_window_that_stays_shut(gate, origin, provider):
    wire = Wire(gate.port, timeout=100)
    assert b" 200 " in wire.connect("localhost", origin.port, provider.token("ada"))
    wire.tls(gate.gateway_ca, "localhost", ["h2"])
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.initiate_connection()
    connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    for stream, chunk in ((1, 1), (3, 2)):
        fields = [(":method", "GET"), (":path", f"/datasets/customers/chunks/{chunk}"), (":scheme", "https")]
        connection.send_headers(stream, [*fields, (":authority", f"localhost:{origin.port}")], end_stream=True)
    connection.increment_flow_control_window(1 << 16, stream_id=3)
    wire.send(connection.data_to_send())
    bodies: dict[int, bytes] = {1: b"", 3: b""}
    ended: list[tuple[int, type]] = []
    while len(ended) < 2 and (data := wire.socket.recv(65536)):
        for event in connection.receive_data(data):
            match event:
                case h2.events.DataReceived():
                    bodies[event.stream_id] += event.data
                case h2.events.StreamEnded() | h2.events.StreamReset():
                    ended.append((event.stream_id, type(event)))
        wire.send(connection.data_to_send())
    wire.close()
    assert ended == [(3, h2.events.StreamEnded), (1, h2.events.StreamReset)]
    assert json.loads(bodies[3])["ssn"] == "****6789" and bodies[1] == b""
    assert gate.stop() == 0  # what it cut off is written down behind the end of it
    flows = [
        flow
        for file in sorted((gate.state / "recordings").rglob("*.flows"))
        for flow in FlowReader(file.open("rb")).stream()
    ]
    cut = [flow for flow in flows if flow.request.path.endswith("/1")]
    assert cut[-1].metadata["sluicegate"]["refusal"] == "not-read"
