"""Format x framing x HTTP version x split position through a running gateway: no planted value is ever on the wire.

A sample of the splits; `make leak-matrix` takes all of them.
"""

from __future__ import annotations

import os

import h2.config
import h2.connection
import h2.events
import pytest

from tests.e2e.tunnels import tunnel
from tests.masking.leak_matrix.planted import CODINGS, DOCUMENTS, leaked
from tests.origin import Cut, Origin
from tests.running import Wire

CHUNK = "/datasets/customers/chunks/3"
FULL = os.environ.get("LEAK_MATRIX") == "full"
FRAMINGS = ("length", "chunks", "bytes", "close")


@pytest.fixture(scope="module")
def origin(certs):
    server = Origin(certs.service)
    yield server
    server.close()


@pytest.fixture(scope="module")
def gate(gateway, origin, tmp_path_factory):
    with gateway(tmp_path_factory.mktemp("matrix"), [f"localhost:{origin.port}"]) as running:
        yield running


def answer(media: str, coding: str, body: bytes, framing: str, split: int) -> bytes:
    """The response in one of the framings; `split` is where a piece ends."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {media}\r\n" + (f"content-encoding: {coding}\r\n" if coding else "")
    if framing == "length":
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    if framing == "close":
        raise Cut(f"{head}connection: close\r\n\r\n".encode() + body)
    pieces = [body[:split], body[split:]] if framing == "chunks" else [body[i : i + 1] for i in range(len(body))]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    return f"{head}transfer-encoding: chunked\r\n\r\n".encode() + framed + b"0\r\n\r\n"


def over_http2(gate, port: int, token: str) -> tuple[int, bytes]:
    """Status, and every byte of fields and body."""
    wire = Wire(gate.port, timeout=20)
    try:
        assert b" 200 " in wire.connect("localhost", port, token)
        wire.tls(gate.gateway_ca, "localhost", ["h2"])
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        connection.initiate_connection()
        fields = [(":method", "GET"), (":path", CHUNK), (":scheme", "https"), (":authority", f"localhost:{port}")]
        connection.send_headers(1, [*fields, ("accept-encoding", "identity")], end_stream=True)
        wire.send(connection.data_to_send())
        status, seen = 0, b""
        while data := wire.socket.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                    seen += repr(event.headers).encode()
                elif isinstance(event, h2.events.DataReceived):
                    seen += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, 1)
                elif isinstance(event, h2.events.StreamEnded):
                    return status, seen
            wire.send(connection.data_to_send())
        return status, seen
    finally:
        wire.close()


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_planted_value_is_on_the_wire(gate, origin, provider, name, framing, version):
    document = DOCUMENTS[name]
    names = list(CODINGS) if FULL else ["identity", list(CODINGS)[1 + len(name) % (len(CODINGS) - 1)]]
    for coding in names:
        field, pack = CODINGS[coding]
        body = pack(document.body)
        places = range(1, len(body)) if FULL else (len(body) // 3,)
        for place in places if framing == "chunks" else (0,):
            origin.respond = lambda request, b=body, f=field, p=place: answer(document.media, f, b, framing, p)
            if version == "2":
                status, seen = over_http2(gate, origin.port, provider.token("ada"))
            else:
                with tunnel(gate, origin.port, provider.token("ada")) as wire:
                    got = wire.fetch("GET", CHUNK, Accept_Encoding="identity")
                status, seen = got.status, got.wire
            assert status == 200, seen
            assert not leaked(seen), (coding, place)
