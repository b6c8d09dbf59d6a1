"""What breaks on the wire: answered at once and in our words, recorded, and nothing of it quoted."""

from __future__ import annotations

import base64
import json

import pytest

from sluicegate.recording.flow_reader import read_folder
from tests.origin import Cut, Origin, json_response
from tests.running import Running, Wire, free_port

PATH = "/datasets/customers/chunks/1"
SSN = b"123-45-6789"


@pytest.fixture(scope="module")
def origin(certs):
    server = Origin(certs.service)
    yield server
    server.close()


@pytest.fixture(autouse=True)
def plain_answers(origin):
    yield
    origin.respond = lambda request: json_response(b'{"rows":[]}')


@pytest.fixture(scope="module", params=["up", "script"])
def gate(request, provider, certs, origin, tmp_path_factory):
    nobody = free_port()
    running = Running(
        folder=tmp_path_factory.mktemp(f"broken-{request.param}"),
        issuer=provider.issuer,
        ca=certs.ca,
        hosts=[f"localhost:{origin.port}", f"localhost:{nobody}"],
        way=request.param,
        gateway="max_body_bytes = 100000",
    )
    running.nobody, running.unsaid = nobody, {SSN.decode(), TOKEN}
    with running:
        yield running
        assert running.stop() == 0
    said = "\n".join(running.lines)
    assert not [secret for secret in running.unsaid if secret in said], said


@pytest.fixture
def ada(provider):
    return provider.token("ada")


def tunnel(gate, port, token, alpn=None):
    wire = Wire(gate.port)
    assert b" 200 " in wire.connect("localhost", port, token)
    return wire.tls(gate.gateway_ca, "localhost", alpn)


def recorded(gate):
    """Every exchange on the record so far. Damage is none of ours, and would break the test."""
    return [found.summary for found in read_folder(gate.state / "recordings")]


def everything_on_disk(gate):
    return b"".join(path.read_bytes() for path in gate.state.joinpath("recordings").rglob("*") if path.is_file())


def refused(answer, status, code):
    got, headers, body = answer
    assert got == status, (got, headers, body)
    assert headers["content-type"] == "application/problem+json"
    document = json.loads(body)
    assert document["type"] == f"urn:sluicegate:{code}" and document["detail"] and document["next_step"]
    assert "mitmproxy" not in body.decode().lower()
    return document


def on_the_record(gate, document, code, status):
    (found,) = [row for row in recorded(gate) if document["instance"].endswith(row["id"])]
    assert (found["refusal"], found["status"]) == (code, status)
    return found


def chunked(trailers=b""):
    body = b'{"rows":[{"id":1,"ssn":"' + SSN + b'"}]}'
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n"
        + b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, trailers)
    )


def unchunked(wire):
    data = b""
    while not data.endswith(b"0\r\n\r\n"):
        piece = wire.socket.recv(65536)
        if not piece:
            break
        data += piece
    return data


def test_trailers_of_a_service_are_left_out_and_the_rest_arrives(gate, origin, ada):
    origin.respond = lambda request: chunked(b"x-sum: " + SSN + b"\r\n")
    before = len(recorded(gate))
    wire = tunnel(gate, origin.port, ada)
    for _ in range(2):  # and the connection goes on
        wire.send(f"GET {PATH} HTTP/1.1\r\nHost: localhost:{origin.port}\r\n\r\n".encode())
        answer = wire.response()
        assert answer[0] == 200 and b"****6789" in answer[2] and SSN not in answer[2], answer
        assert "x-sum" not in answer[1] and "trailer" not in answer[1]
    assert [row["status"] for row in recorded(gate)][before:] == [200, 200]
    assert SSN not in everything_on_disk(gate)


def test_trailers_of_a_client_are_refused_at_once(gate, origin, ada):
    before = len(origin.received)
    wire = tunnel(gate, origin.port, ada)
    wire.send(
        f"POST /datasets/customers/exports HTTP/1.1\r\nHost: localhost:{origin.port}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-A: b\r\n\r\n".encode()
    )
    document = refused(wire.response(), 400, "malformed-request")
    assert "trailers" in document["detail"]
    on_the_record(gate, document, "malformed-request", 400)
    assert len(origin.received) == before


@pytest.mark.parametrize("alpn", [None, ["h2"]], ids=["http1", "http2"])
def test_a_service_that_is_not_there(gate, ada, alpn):
    wire = tunnel(gate, gate.nobody, ada, alpn)
    if alpn:
        answer = over_http2(wire, f"localhost:{gate.nobody}")
    else:
        answer = wire.ask(f"GET {PATH} HTTP/1.1\r\nHost: localhost:{gate.nobody}\r\n\r\n".encode())
    document = refused(answer, 502, "service-unreachable")
    assert "could not connect" in document["detail"]
    assert on_the_record(gate, document, "service-unreachable", 502)["subject"]


def over_http2(wire, authority, path=PATH):
    import h2.connection
    import h2.events

    client = h2.connection.H2Connection()
    client.initiate_connection()
    client.send_headers(
        1, [(":method", "GET"), (":scheme", "https"), (":path", path), (":authority", authority)], end_stream=True
    )
    wire.send(client.data_to_send())
    status, headers, body = 0, {}, b""
    while True:
        data = wire.socket.recv(65536)
        if not data:
            return status, headers, body
        for event in client.receive_data(data):
            match event:
                case h2.events.ResponseReceived():
                    headers = {_text(k): _text(v) for k, v in event.headers}
                    status = int(headers[":status"])
                case h2.events.DataReceived():
                    body += event.data
                case h2.events.StreamEnded() | h2.events.StreamReset():
                    return status, headers, body


def _text(value):
    return value if isinstance(value, str) else value.decode()


BROKEN_ANSWERS = [
    ("cut in the header section", b"HTTP/1.1 200 OK\r\nx-ssn: " + SSN),
    ("no status line", b"SSN " + SSN + b"\r\n\r\n"),
    ("a header without a colon", b"HTTP/1.1 200 OK\r\nssn " + SSN + b"\r\n\r\n"),
    ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: " + SSN + b"\r\n\r\nabc"),
    ("a header name that is none", b"HTTP/1.1 200 OK\r\nss n: " + SSN + b"\r\ncontent-length: 0\r\n\r\n"),
    ("a chunk without a length", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + SSN + b"\r\n"),
    ("chunks that are compressed", b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("cut in the body", b'HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{"ssn":"' + SSN),
    ("an endless header section", b"HTTP/1.1 200 OK\r\nx-ssn: " + SSN * 100_000),
    ("an endless trailer section", chunked(b"x-ssn: " + SSN * 100_000)[:-2]),
]


@pytest.mark.parametrize("data", [b[1] for b in BROKEN_ANSWERS], ids=[b[0] for b in BROKEN_ANSWERS])
def test_an_answer_that_cannot_be_read_is_not_quoted(gate, origin, ada, data):
    def respond(request):
        raise Cut(data)

    origin.respond = respond
    wire = tunnel(gate, origin.port, ada)
    answer = wire.ask(f"GET {PATH} HTTP/1.1\r\nHost: localhost:{origin.port}\r\n\r\n".encode())
    document = refused(answer, 502, "response-unreadable")
    on_the_record(gate, document, "response-unreadable", 502)
    assert SSN not in answer[2] and SSN not in everything_on_disk(gate)


def test_an_answer_that_is_too_large(gate, origin, ada):
    body = SSN * 10_000  # of a kind that does not pass piece by piece
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.apache.parquet\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    origin.respond = lambda request: head + body
    wire = tunnel(gate, origin.port, ada)
    answer = wire.ask(f"GET {PATH} HTTP/1.1\r\nHost: localhost:{origin.port}\r\n\r\n".encode())
    on_the_record(gate, refused(answer, 502, "response-too-large"), "response-too-large", 502)


TOKEN = "eyJhbGciOiJub25lIn0.c2VjcmV0LXRva2Vu.AAAA"
BROKEN_REQUESTS = [
    ("no request line", b"%t\r\n\r\n"),
    ("no version", b"GET %p?access_token=%t\r\nHost: %h\r\n\r\n"),
    ("a header without a colon", b"GET %p HTTP/1.1\r\nHost: %h\r\nAuthorization %t\r\n\r\n"),
    ("two lengths", b"POST %p HTTP/1.1\r\nHost: %h\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"),
    ("length and chunks", b"POST %p HTTP/1.1\r\nHost: %h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("a length that is no number", b"POST %p HTTP/1.1\r\nHost: %h\r\nContent-Length: %t\r\n\r\n"),
    ("space before the colon", b"GET %p HTTP/1.1\r\nHost: %h\r\nAuthorization : %t\r\n\r\n"),
    ("a chunk that is none", b"POST %p HTTP/1.1\r\nHost: %h\r\nTransfer-Encoding: chunked\r\n\r\n%t\r\n"),
]


@pytest.mark.parametrize("data", [b[1] for b in BROKEN_REQUESTS], ids=[b[0] for b in BROKEN_REQUESTS])
@pytest.mark.parametrize("where", ["in a tunnel", "to the proxy"])
def test_a_request_that_cannot_be_read(gate, origin, ada, where, data):
    before = len(origin.received)
    host = f"localhost:{origin.port}".encode()
    target = PATH.encode()
    if where == "in a tunnel":
        wire = tunnel(gate, origin.port, ada)
    else:
        wire, target = Wire(gate.port), b"http://" + host + target
    wire.send(data.replace(b"%p", target).replace(b"%h", host).replace(b"%t", TOKEN.encode()))
    document = refused(wire.response(), 400, "malformed-request")
    on_the_record(gate, document, "malformed-request", 400)
    assert wire.rest() == b""  # nobody can know where the next request begins
    assert TOKEN.encode() not in everything_on_disk(gate)
    assert len(origin.received) == before


def test_a_request_to_the_gateway_itself(gate):
    wire = Wire(gate.port)
    document = refused(wire.ask(b"GET / HTTP/1.1\r\n\r\n"), 400, "malformed-request")
    assert "gateway itself" in document["detail"]
    on_the_record(gate, document, "malformed-request", 400)


@pytest.mark.parametrize("extra", ["", "Expect: 100-continue\r\n"], ids=["plain", "expect"])
def test_a_body_that_is_too_large(gate, origin, ada, extra):
    before = len(origin.received)
    wire = tunnel(gate, origin.port, ada)
    answer = wire.ask(
        f"POST /datasets/customers/exports HTTP/1.1\r\nHost: localhost:{origin.port}\r\n{extra}"
        "Content-Length: 100001\r\n\r\n".encode()
    )
    on_the_record(gate, refused(answer, 413, "request-too-large"), "request-too-large", 413)
    assert len(origin.received) == before


def test_a_body_in_chunks_that_grows_too_large_after_100_continue(gate, origin, ada):
    wire = tunnel(gate, origin.port, ada)
    wire.send(
        f"POST /datasets/customers/exports HTTP/1.1\r\nHost: localhost:{origin.port}\r\nExpect: 100-continue\r\n"
        "Transfer-Encoding: chunked\r\n\r\n".encode()
    )
    assert wire.head().startswith(b"HTTP/1.1 100 ")
    wire.send(b"1ffff\r\n" + b"x" * 0x1FFFF + b"\r\n")
    on_the_record(gate, refused(wire.response(), 413, "request-too-large"), "request-too-large", 413)


def test_a_head_that_is_cut_off_is_not_logged(gate, ada):
    wire = Wire(gate.port)
    credential = base64.b64encode(f"u:{ada}".encode()).decode()
    wire.send(f"CONNECT localhost:1 HTTP/1.1\r\nProxy-Authorization: Basic {credential}\r\nX".encode())
    wire.socket.shutdown(1)
    assert wire.rest() == b""
    gate.unsaid |= {credential, ada}
