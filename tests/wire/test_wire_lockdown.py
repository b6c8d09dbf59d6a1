"""Every row of the bypass table, on the wire, for both ways to start: nothing of it reaches an origin."""

from __future__ import annotations

import contextlib
import json
import socket

import pytest

from tests.running import Wire

PATH = "/datasets/customers/chunks/1"
ELSEWHERE = "/datasets/things/chunks/1"


def ask(path=PATH, host=None, method="GET", extra="", version="HTTP/1.1"):
    return f"{method} {path} {version}\r\nHost: {host}\r\n{extra}\r\n".encode()


@pytest.fixture
def untouched(gate):
    """Fails the test when a byte or a connection reached any origin."""
    servers = (gate.origin, gate.rebound, gate.other)
    before = [(s.connections, len(s.received)) for s in servers]
    yield
    assert [(s.connections, len(s.received)) for s in servers] == before


def refused(answer, status, code):
    got, headers, body = answer
    assert got == status, (got, headers, body)
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["type"] == f"urn:sluicegate:{code}"


def test_the_plain_way_passes(gate, tunnel):
    wire = tunnel()
    status, headers, body = wire.ask(ask(host=f"localhost:{gate.origin.port}"))
    assert status == 200 and json.loads(body) == {"rows": []}
    assert b"the-service-secret" in gate.origin.received


def test_no_credential_is_407_with_a_phrase_at_connect(gate, untouched):
    wire = Wire(gate.port)
    head = wire.connect("localhost", gate.origin.port)
    assert head.startswith(b"HTTP/1.1 407 ") and b"Proxy-Authenticate: Basic".lower() in head.lower()
    assert b"sign in" in head.split(b"\r\n")[0].lower()


HOSTS = [
    ("Host is another place", "evil.test", {}),
    ("Host without the port", "localhost", {}),
    ("Host with user info", "evil@localhost:{port}", {}),
    ("no Host", None, {}),
    ("two Hosts", "localhost:{port}\r\nHost: localhost:{port}", {}),
    ("two Hosts, one evil", "localhost:{port}\r\nHost: evil.test", {}),
    ("server name is another place", "localhost:{port}", {"sni": "evil.test"}),
    ("CONNECT elsewhere, names of the service", "localhost:{port}", {"host": "127.0.0.1"}),
]


@pytest.mark.parametrize(("name", "host", "options"), HOSTS, ids=[h[0] for h in HOSTS])
def test_host_disagreement(gate, tunnel, untouched, name, host, options):
    wire = tunnel(**options)
    line = "" if host is None else f"Host: {host.format(port=gate.origin.port)}\r\n"
    wire.send(f"GET {PATH} HTTP/1.1\r\n{line}\r\n".encode())
    status, _, body = wire.response()
    assert status in (400, 421), body


def test_absolute_form_inside_a_tunnel(gate, tunnel, untouched):
    wire = tunnel()
    host = f"localhost:{gate.origin.port}"
    refused(wire.ask(ask(path=f"https://{host}{PATH}", host=host)), 421, "host-disagreement")


def test_absolute_form_to_the_proxy(gate, ada, untouched):
    import base64

    credential = f"Proxy-Authorization: Basic {base64.b64encode(f'u:{ada}'.encode()).decode()}\r\n"
    host = f"localhost:{gate.origin.port}"
    wire = Wire(gate.port)
    refused(wire.ask(ask(path=f"https://{host}{PATH}", host=host, extra=credential)), 400, "https-without-connect")
    wire = Wire(gate.port)
    refused(wire.ask(ask(path=f"http://{host}{PATH}", host="evil.test", extra=credential)), 421, "host-disagreement")
    wire = Wire(gate.port)
    refused(wire.ask(ask(path=f"http://{host}{PATH}", host=host, extra=credential)), 403, "unknown-host")
    wire = Wire(gate.port)
    assert wire.ask(ask(path=f"http://169.254.169.254{PATH}", host="169.254.169.254"))[0] == 407


def test_unknown_ports_are_told_so_inside_the_tunnel(gate, tunnel, untouched):
    for host, port in (("localhost", gate.other.port), ("localhost", 22)):
        wire = tunnel(host=host, port=port, sni=host)
        refused(wire.ask(ask(host=f"{host}:{port}")), 403, "unknown-host")


def test_unknown_hosts_are_told_so_before_it_opens_because_no_client_would_believe_our_certificate(
    gate, ada, untouched
):
    for host in ("example.org", "localhost.evil.test", "10.0.0.1", "[fd00::1]", "LOCALHOSTS"):
        wire = Wire(gate.port)
        assert wire.connect(host, 443, ada).startswith(b"HTTP/1.1 403 Host not in the policy"), host
        wire.close()
        wire = Wire(gate.port)
        assert wire.connect(host, 443, "not-a-token").startswith(b"HTTP/1.1 511 Sign in again"), host
        wire.close()
        assert Wire(gate.port).connect(host, 443).startswith(b"HTTP/1.1 407 ")


def test_the_port_of_dns_is_closed(gate, tunnel, untouched):
    wire = tunnel(port=53)
    assert wire.ask(ask(host="localhost:53"))[0] == 0


@pytest.mark.parametrize(
    "spelling", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_odd_spellings_of_addresses(gate, ada, untouched, spelling):
    wire = Wire(gate.port)
    head = wire.connect(spelling, gate.origin.port, ada)
    if b" 200 " not in head.split(b"\r\n")[0]:
        return
    wire.tls(gate.gateway_ca, None)
    status, _, _ = wire.ask(ask(host=f"{spelling}:{gate.origin.port}"))
    assert status in (0, 400, 403, 421, 502)


RAW = [b"SSH-2.0-OpenSSH_9.7\r\n", b"\x00\x01\x02\x03" * 8, b"\x16\x03\x01", b"EHLO x\r\n", b"*1\r\n$4\r\nPING\r\n"]


@pytest.mark.parametrize("payload", RAW, ids=["ssh", "binary", "cut-off-tls", "smtp", "redis"])
@pytest.mark.parametrize("port", ["origin", 22, 53])
def test_raw_protocols_in_a_tunnel_are_closed_or_refused(gate, ada, untouched, payload, port):
    wire = Wire(gate.port)
    assert b" 200 " in wire.connect("localhost", gate.origin.port if port == "origin" else port, ada)
    wire.send(payload)
    wire.socket.shutdown(1)
    assert b"the-service-secret" not in wire.rest()


def test_raw_bytes_inside_tls_are_closed(gate, tunnel, untouched):
    wire = tunnel()
    wire.send(b"\x00\x00\x00\x08 not http at all\r\n\r\n")
    rest = wire.rest()
    assert rest == b"" or b" 400 " in rest.split(b"\r\n")[0]


def test_connect_in_connect(gate, tunnel, untouched):
    wire = tunnel()
    wire.send(b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n")
    assert b" 200 " not in wire.rest().split(b"\r\n")[0]


def test_http2_with_prior_knowledge_in_the_clear(gate, ada, untouched):
    wire = Wire(gate.port)
    wire.connect("localhost", gate.origin.port, ada)
    wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    wire.socket.shutdown(1)
    assert b" 200 " not in wire.rest().split(b"\r\n")[0]


def test_h2c_upgrade_is_ignored_and_goes_no_further(gate, tunnel):
    wire = tunnel()
    before = len(gate.origin.received)
    extra = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
    status, _, _ = wire.ask(ask(host=f"localhost:{gate.origin.port}", extra=extra))
    sent = bytes(gate.origin.received[before:]).lower()
    assert status == 200 and b"upgrade" not in sent and b"http2-settings" not in sent


UPGRADES = [
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n",
    "Connection: Upgrade\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n",
    "Connection: Upgrade\r\nUpgrade: anything\r\n",
]


@pytest.mark.parametrize("extra", UPGRADES)
def test_upgrades_are_refused(gate, tunnel, untouched, extra):
    refused(tunnel().ask(ask(host=f"localhost:{gate.origin.port}", extra=extra)), 403, "upgrade-refused")


@pytest.mark.parametrize("status", [b"101 Switching Protocols", b"103 Early Hints", b"100 Continue"])
def test_an_origin_that_switches_protocols_is_cut_off(gate, tunnel, status):
    gate.origin.respond, kept = (
        lambda request: b"HTTP/1.1 " + status + b"\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nSECRET 123-45-6789",
        gate.origin.respond,
    )
    try:
        wire = tunnel()
        got, _, body = wire.ask(ask(host=f"localhost:{gate.origin.port}"))
        assert got in (0, 502) and b"123-45-6789" not in body
        rest = b""  # whatever came late stands before the answer to another request
        with contextlib.suppress(OSError):
            wire.send(ask("/datasets/customers", f"localhost:{gate.origin.port}", "DELETE"))
            while b"policy-denied" not in rest and (piece := wire.socket.recv(65536)):
                rest += piece
        assert b"123-45-6789" not in rest
    finally:
        gate.origin.respond = kept


ODD = [
    ("lower-case method", b"get %p HTTP/1.1\r\nHost: %h\r\n\r\n"),
    ("TRACE", b"TRACE %p HTTP/1.1\r\nHost: %h\r\n\r\n"),
    ("unknown method", b"FETCH %p HTTP/1.1\r\nHost: %h\r\n\r\n"),
    ("folded header", b"GET %p HTTP/1.1\r\nHost: %h\r\nX-A: a\r\n folded\r\n\r\n"),
    ("NUL in a header", b"GET %p HTTP/1.1\r\nHost: %h\r\nX-A: a\x00b\r\n\r\n"),
    ("CR in a header", b"GET %p HTTP/1.1\r\nHost: %h\r\nX-A: a\rb\r\n\r\n"),
    ("space before the colon", b"GET %p HTTP/1.1\r\nHost: %h\r\nX-A : a\r\n\r\n"),
    (
        "both lengths",
        b"POST %p HTTP/1.1\r\nHost: %h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("two lengths", b"POST %p HTTP/1.1\r\nHost: %h\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"),
    ("odd transfer encoding", b"POST %p HTTP/1.1\r\nHost: %h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    (
        "compressed chunks",
        b"POST %p HTTP/1.1\r\nHost: %h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    ("method override", b"GET %p HTTP/1.1\r\nHost: %h\r\nX-HTTP-Method-Override: DELETE\r\n\r\n"),
    ("original URL", b"GET %p HTTP/1.1\r\nHost: %h\r\nX-Original-URL: /scripts\r\n\r\n"),
    ("forwarded host", b"GET %p HTTP/1.1\r\nHost: %h\r\nX-Forwarded-Host: evil.test\r\n\r\n"),
    ("Connection names a header", b"GET %p HTTP/1.1\r\nHost: %h\r\nConnection: close, Authorization\r\n\r\n"),
    ("fragment", b"GET %p#x HTTP/1.1\r\nHost: %h\r\n\r\n"),
    ("double slash", b"GET /%p HTTP/1.1\r\nHost: %h\r\n\r\n"),
    ("dot segments", b"GET /x/..%p HTTP/1.1\r\nHost: %h\r\n\r\n"),
    ("encoded dot segments", b"GET /x/%2e%2e%p HTTP/1.1\r\nHost: %h\r\n\r\n"),
    ("encoded slash", b"GET /datasets/customers%2fchunks/1 HTTP/1.1\r\nHost: %h\r\n\r\n"),
    ("path parameter", b"GET %p;x=1 HTTP/1.1\r\nHost: %h\r\n\r\n"),
    ("backslash", b"GET /datasets\\customers HTTP/1.1\r\nHost: %h\r\n\r\n"),
    ("encoded NUL", b"GET %p%00 HTTP/1.1\r\nHost: %h\r\n\r\n"),
    ("non-ASCII", b"GET %p\xc3\xa9 HTTP/1.1\r\nHost: %h\r\n\r\n"),
    ("asterisk", b"OPTIONS * HTTP/1.1\r\nHost: %h\r\n\r\n"),
    ("HTTP/0.9", b"GET %p\r\n\r\n"),
    ("chunked trailers", b"POST %p HTTP/1.1\r\nHost: %h\r\nTrailer: X-A\r\nContent-Length: 0\r\n\r\n"),
]


@pytest.mark.parametrize(("name", "request_bytes"), ODD, ids=[o[0] for o in ODD])
def test_odd_requests(gate, tunnel, untouched, name, request_bytes):
    host = f"localhost:{gate.origin.port}".encode()
    wire = tunnel()
    wire.send(request_bytes.replace(b"%p", PATH.encode()).replace(b"%h", host))
    status, _, body = wire.response()
    assert status in (0, 400, 403, 421), (status, body)


def test_a_bare_line_feed_ends_a_line_and_goes_out_as_a_whole_line_end(gate, tunnel):
    # RFC 9112 section 2.2 lets a recipient read it so; what was judged and what goes out are then the same lines.
    before = len(gate.origin.received)
    host = f"localhost:{gate.origin.port}"
    status, _, _ = tunnel().ask(f"GET {PATH} HTTP/1.1\r\nHost: {host}\r\nX-A: a\nX-B: b\r\n\r\n".encode())
    sent = bytes(gate.origin.received[before:])
    assert status == 200 and b"X-A: a\r\nX-B: b\r\n" in sent and sent.count(b"\n") == sent.count(b"\r\n")


def test_a_rebound_name_is_not_dialled(gate, tunnel, untouched):
    wire = tunnel(port=gate.rebound.port)
    status, _, body = wire.ask(ask(path=ELSEWHERE, host=f"localhost:{gate.rebound.port}"))
    assert status == 502 and b"private" in body


def test_metadata_addresses_are_refused_even_when_a_service_names_them(gate, ada, untouched):
    import base64

    credential = f"Proxy-Authorization: Basic {base64.b64encode(f'u:{ada}'.encode()).decode()}\r\n"
    wire = Wire(gate.port)
    status, _, body = wire.ask(ask(path=f"http://169.254.169.254{ELSEWHERE}", host="169.254.169.254", extra=credential))
    assert status == 502 and b"metadata" in body


def test_the_gateway_itself_is_refused_even_when_a_service_names_it(gate, tunnel, untouched):
    wire = tunnel(port=gate.port, tls=False)
    status, _, body = wire.ask(ask(path=ELSEWHERE, host=f"localhost:{gate.port}"))
    assert status == 502 and (b"itself" in body or b"Request destination unknown" in body)


def test_the_console_is_not_reachable_through_the_gateway(gate, tunnel, untouched):
    wire = tunnel(port=gate.console, tls=False)
    refused(wire.ask(ask(host=f"localhost:{gate.console}")), 403, "unknown-host")


def test_http2_agreement(gate, tunnel, untouched):
    import h2.config
    import h2.connection
    import h2.events

    host = f"localhost:{gate.origin.port}"
    for headers in (
        [(":authority", "evil.test"), ("host", host)],
        [(":authority", host), ("host", "evil.test")],
        [(":authority", "evil.test")],
    ):
        wire = tunnel(alpn=["h2"])
        assert wire.socket.selected_alpn_protocol() == "h2"
        client = h2.connection.H2Connection(h2.config.H2Configuration(validate_outbound_headers=False))
        client.initiate_connection()
        client.send_headers(1, [(":method", "GET"), (":scheme", "https"), (":path", PATH), *headers], end_stream=True)
        wire.send(client.data_to_send())
        status = None
        while status is None:
            data = wire.socket.recv(65536)
            if not data:
                break
            for event in client.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers).get(b":status", dict(event.headers).get(":status", 0)))
                if isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    status = 0
        assert status in (0, 400, 421)


def test_bytes_reach_nobody_before_the_request_is_whole(gate, tunnel, untouched):
    wire = tunnel()
    host = f"localhost:{gate.origin.port}"
    body = b'{"destination":"s3://acme-x/y"}'
    head = (
        f"POST /datasets/customers/exports HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    for byte in head.encode() + body[:-1]:
        wire.send(bytes([byte]))
    wire.socket.shutdown(socket.SHUT_WR)
    wire.rest()  # it has been read to its end, and given up
