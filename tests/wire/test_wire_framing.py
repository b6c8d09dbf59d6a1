"""Where a request ends: what the gateway and a service could see differently, on the wire, for both ways to start."""

from __future__ import annotations

import json

import h2.config
import h2.connection
import h2.events
import pytest

PATH = "/datasets/customers/chunks/1"


@pytest.fixture
def untouched(gate):
    """Fails the test when a byte reached the origin."""
    before = len(gate.origin.received)
    yield
    assert len(gate.origin.received) == before


def ask(gate, version="HTTP/1.1", extra=""):
    return f"GET {PATH} {version}\r\nHost: localhost:{gate.origin.port}\r\n{extra}\r\n".encode()


class Http2:
    """A client of HTTP/2 that checks nothing of what it sends."""

    def __init__(self, wire) -> None:
        self._socket = wire.socket
        self._socket.settimeout(60)
        self._connection = h2.connection.H2Connection(
            h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        self._connection.initiate_connection()

    def ask(self, stream: int, headers: list[tuple[str, str]]) -> tuple[int, bytes]:
        """A request without a body: status and body of the answer, or 0 where it was not answered."""
        self._connection.send_headers(stream, headers, end_stream=True)
        self._socket.sendall(self._connection.data_to_send())
        status, body = 0, b""
        while data := self._socket.recv(65536):
            for event in self._connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    return status, body
                elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    return 0, body
        return status, body


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize("length", ["10", "1", "999999999999"])
def test_a_body_of_http2_that_is_shorter_than_was_said(gate, tunnel, untouched, method, length):
    # To a service of HTTP/1 the next request would be the rest of this one's body, and what stands in it a request.
    client = Http2(tunnel(alpn=["h2"]))
    host = f"localhost:{gate.origin.port}"
    named = [(":method", method), (":scheme", "https"), (":authority", host), (":path", PATH)]
    status, body = client.ask(1, [*named, ("content-length", length)])
    assert status == 400
    assert method == "HEAD" or json.loads(body)["type"] == "urn:sluicegate:malformed-request"


def test_a_length_of_none_is_what_it_says(gate, tunnel):
    client = Http2(tunnel(alpn=["h2"]))
    host = f"localhost:{gate.origin.port}"
    named = [(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", PATH)]
    assert client.ask(1, [*named, ("content-length", "0")])[0] == 200


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/2", "HTTP/3", "HTTP/1.2", "HTTP/0.9", "ICY/1.1"])
def test_a_request_in_lines_that_calls_itself_another_version(gate, tunnel, untouched, version):
    wire = tunnel()
    status, _, body = wire.ask(ask(gate, version))
    assert status == 400 and json.loads(body)["type"] == "urn:sluicegate:malformed-request"
    assert wire.rest() == b""  # nothing behind it is read as anything


@pytest.mark.parametrize("value", ["100-continue\r\nExpect: 100-continue", "anything", "100-continue, x=1"])
def test_nobody_waits_to_be_told_to_go_on(gate, tunnel, value):
    # The body is here before the service hears of the request.
    before = len(gate.origin.received)
    status, _, _ = tunnel().ask(ask(gate, extra=f"Expect: {value}\r\n"))
    assert status == 200 and b"expect" not in bytes(gate.origin.received[before:]).lower()


@pytest.mark.parametrize("lines", ["\r\n", "\r\n\r\n", "\n", "\r\n\n\r\n"])
def test_empty_lines_before_a_request_are_skipped(gate, tunnel, lines):
    # RFC 9112 section 2.2. In one piece with it, the request would wait for bytes that never come.
    wire = tunnel()
    assert wire.ask(lines.encode() + ask(gate))[0] == 200
    assert wire.ask(lines.encode() + ask(gate))[0] == 200
