"""Masking end to end: every coding that the service speaks, and every answer that cannot be masked."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
import zlib

import brotli
import pytest
import zstandard

from tests.e2e.chunks import SECRET, assert_masked, plain_values
from tests.e2e.tunnels import tunnel
from tests.origin import Origin, json_response

CHUNK = "/datasets/customers/chunks/3"
SSN = "123-45-6789"
ROWS = json.dumps({"rows": [{"id": 1, "ssn": SSN, "email": "jane@example.org"}]}).encode()
PLAIN = (SSN.encode(), b"jane@example.org", b"123-45-", SECRET.encode())

DECODE = {
    "": lambda body: body,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}


@pytest.fixture(scope="module")
def origin(certs):
    server = Origin(certs.service)
    yield server
    server.close()


class Breaking:
    """Sends `answer` to whatever request comes, and hangs up."""

    def __init__(self, certificate) -> None:
        self.answer = b""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            with self._context.wrap_socket(plain, server_side=True) as connection:
                data = b""
                while b"\r\n\r\n" not in data and (piece := connection.recv(65536)):
                    data += piece
                connection.sendall(self.answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture(scope="module")
def breaking(certs):
    server = Breaking(certs.service)
    yield server
    server.close()


@pytest.fixture(scope="module")
def gate(gateway, service, origin, breaking, tmp_path_factory):
    hosts = [service.host, f"localhost:{origin.port}", f"localhost:{breaking.port}"]
    with gateway(tmp_path_factory.mktemp("gate"), hosts, gateway="max_body_bytes = 65536") as running:
        yield running


@pytest.mark.parametrize(
    ("accepts", "coding"),
    [
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("identity", ""),
        (None, ""),
        ("*", "zstd"),
        ("zstd;q=0, br;q=0.5", "br"),
        ("compress, deflate", ""),
        ("gzip;q=0, identity", ""),
    ],
)
def test_each_coding_is_masked_and_spoken_back(gate, service, provider, accepts, coding):
    headers = {} if accepts is None else {"Accept_Encoding": accepts}
    with tunnel(gate, service.port, provider.token("ada")) as wire:
        got = wire.fetch("GET", CHUNK, **headers)
    if accepts == "*":
        coding = got.headers.get("content-encoding", "")  # whichever it likes
    assert got.status == 200 and got.headers.get("content-encoding", "") == coding
    plain = DECODE[coding](got.body)
    assert_masked(json.loads(plain)["rows"], service.rows(3))
    for value in plain_values(service.rows(3)):
        assert value not in plain and value not in got.wire


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", ""])
def test_for_the_fraud_group_it_is_as_the_service_has_it(gate, service, provider, coding):
    with tunnel(gate, service.port, provider.token("grace")) as wire:
        got = wire.fetch("GET", CHUNK, Accept_Encoding=coding or "identity")
    assert got.status == 200 and got.headers.get("content-encoding", "") == coding
    assert json.loads(DECODE[coding](got.body))["rows"] == service.rows(3)


def test_the_same_person_has_the_same_pseudonym_in_every_answer(gate, service, provider):
    seen = []
    for who, path in (("ada", CHUNK), ("linus", CHUNK + "?columns=email"), ("ada", CHUNK + "?columns=email,id")):
        with tunnel(gate, service.port, provider.token(who)) as wire:
            seen.append([row["email"] for row in json.loads(wire.fetch("GET", path).body)["rows"]])
    assert seen[0] == seen[1] == seen[2]


def test_a_range_and_a_condition_do_not_reach_the_service(gate, origin, provider):
    origin.respond = lambda request: json_response(ROWS, 'etag: "x"\r\n')
    before = len(origin.received)
    with tunnel(gate, origin.port, provider.token("ada")) as wire:
        got = wire.fetch("GET", CHUNK, Range="bytes=0-10", If_None_Match='"x"', If_Range='"x"', TE="trailers")
    sent = bytes(origin.received[before:]).lower()
    assert got.status == 200 and b"range" not in sent and b"if-none-match" not in sent and b"\r\nte:" not in sent
    assert "etag" not in got.headers and json.loads(got.body)["rows"][0]["ssn"] == "****6789"


def answer(body: bytes, *headers: str, status: str = "200 OK", length: bool = True) -> bytes:
    """Any response at all."""
    lines = [f"HTTP/1.1 {status}", *headers, *([f"content-length: {len(body)}"] if length else [])]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


JSON = "content-type: application/json"
GZIP = "content-encoding: gzip"
HTML = f"<html><body>Error near row ssn={SSN}</body></html>".encode()
TRUNCATED = gzip.compress(ROWS * 20)[:-9]
FLAT = ROWS.decode()

REFUSED = {
    "not JSON at all": answer(f"ssn\n{SSN}\n".encode(), JSON),
    "JSON that is cut": answer(ROWS[:-3], JSON),
    "something behind the JSON": answer(ROWS + b"\n" + ROWS, JSON),
    "lines of JSON that are cut": answer(ROWS + b"\n" + ROWS[:-3], "content-type: application/x-ndjson"),
    "CSV without names": answer(f"1,{SSN}\n".encode(), "content-type: text/csv"),
    "CSV of differing width": answer(f"id,ssn\n1,{SSN}\n{SSN}\n".encode(), "content-type: text/csv"),
    "JSON that says it is text": answer(ROWS, "content-type: text/plain"),
    "JSON that says it is a picture": answer(ROWS, "content-type: image/png"),
    "no content type": answer(ROWS),
    "two content types": answer(ROWS, JSON, "content-type: text/html"),
    "another character set than it says": answer(FLAT.encode("utf-16-le"), JSON + "; charset=utf-16be"),
    "another character set, unsaid": answer(FLAT.encode("utf-16-le"), JSON),
    "bytes that are no UTF-8": answer(ROWS.replace(b"jane", b"\xff\xfe"), JSON),
    "gzip that is cut": answer(TRUNCATED, JSON, GZIP),
    "gzip with something behind": answer(gzip.compress(ROWS) + ROWS, JSON, GZIP),
    "no gzip although it says so": answer(ROWS, JSON, GZIP),
    "gzip although it does not say so": answer(gzip.compress(ROWS), JSON),
    "br that is cut": answer(brotli.compress(ROWS * 9)[:-3], JSON, "content-encoding: br"),
    "zstd that is cut": answer(zstandard.compress(ROWS * 9)[:-3], JSON, "content-encoding: zstd"),
    "an unknown coding": answer(ROWS, JSON, "content-encoding: x-secret"),
    "a coding that we do not read": answer(zlib.compress(ROWS), JSON, "content-encoding: compress"),
    "two codings of which one is not there": answer(gzip.compress(ROWS), JSON, "content-encoding: gzip, gzip"),
    "two codings in two lines, turned round": answer(
        gzip.compress(brotli.compress(ROWS)), JSON, GZIP, "content-encoding: br"
    ),
    "three codings": answer(
        gzip.compress(gzip.compress(gzip.compress(ROWS))), JSON, "content-encoding: gzip, gzip, gzip"
    ),
    "a coding of Python's own": answer(ROWS, JSON, "content-encoding: rot13"),
    "more than fits": answer(b'{"rows":[' + b'{"ssn":"' + SSN.encode() + b'"},' * 6000 + b"{}]}", JSON),
    "more than fits, once decoded": answer(gzip.compress(b'["' + b"x" * 200_000 + SSN.encode() + b'"]'), JSON, GZIP),
    "nested without end": answer(b"[" * 20_000 + b'{"ssn":"' + SSN.encode() + b'"}' + b"]" * 20_000, JSON),
    "an HTML error page": answer(HTML, "content-type: text/html", status="500 Internal Server Error"),
    "an HTML error page as 200": answer(HTML, "content-type: text/html; charset=utf-8"),
    "an error in plain text": answer(SSN.encode(), "content-type: text/plain", status="404 Not Found"),
    "a part": answer(ROWS, JSON, "content-range: bytes 0-80/1000", status="206 Partial Content"),
    "a part that does not say of what": answer(ROWS, JSON, status="206 Partial Content"),
    "parts under several heads": answer(
        b"--x\r\ncontent-type: application/json\r\n\r\n" + ROWS + b"\r\n--x--\r\n",
        "content-type: multipart/byteranges; boundary=x",
        status="206 Partial Content",
    ),
    "a part as 200": answer(ROWS, JSON, "content-range: bytes 0-80/1000"),
    "a redirect with the value in it": answer(b"", f"location: /elsewhere?ssn={SSN}", status="302 Found"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_masked_is_refused_and_nothing_of_it_is_on_the_wire(gate, origin, provider, name):
    origin.respond = lambda request: REFUSED[name]
    with tunnel(gate, origin.port, provider.token("ada")) as wire:
        got = wire.fetch("GET", CHUNK, Accept_Encoding="gzip, br, zstd")
    assert got.status == 502, got
    assert got.headers["content-type"] == "application/problem+json" and "content-encoding" not in got.headers
    problem = json.loads(got.body)
    reasons = ("unmaskable", "body-too-large", "response-unreadable")  # whichever stage sees it first
    assert problem["type"].removeprefix("urn:sluicegate:") in reasons or name == "more than fits"
    assert not [value for value in PLAIN if value in got.wire]


@pytest.mark.parametrize("name", ["duplicate names", "another spelling", "escaped name", "deep inside", "in an error"])
def test_what_can_be_masked_is_masked_wherever_it_stands(gate, origin, provider, name):
    body = {
        "duplicate names": f'{{"rows":[{{"ssn":"x","ssn":"{SSN}"}}]}}',
        "another spelling": f'{{"rows":[{{"SSN":"{SSN}"}}]}}',
        "escaped name": f'{{"rows":[{{"\\u0073sn":"{SSN}"}}]}}',
        "deep inside": f'{{"a":[{{"b":{{"c":[[{{"ssn":"{SSN}"}}]]}}}}]}}',
        "in an error": f'{{"error":{{"ssn":"{SSN}"}}}}',
    }[name].encode()
    status = "500 Internal Server Error" if name == "in an error" else "200 OK"
    origin.respond = lambda request: json_response(body, status=status)
    with tunnel(gate, origin.port, provider.token("ada")) as wire:
        got = wire.fetch("GET", CHUNK)
    assert got.status in (int(status[:3]), 502) and not [value for value in PLAIN if value in got.wire]
    assert b"6789" in got.body or got.status == 502


@pytest.mark.parametrize(
    "framing", ["content-length: 5000\r\n\r\n", f"transfer-encoding: chunked\r\n\r\n{len(ROWS):x}\r\n", "\r\n"]
)
def test_an_answer_that_breaks_off_is_no_answer(gate, breaking, provider, framing):
    breaking.answer = f"HTTP/1.1 200 OK\r\n{JSON}\r\n{framing}".encode() + ROWS[: -3 if framing == "\r\n" else None]
    with tunnel(gate, breaking.port, provider.token("ada")) as wire:
        got = wire.fetch("GET", CHUNK)
    assert got.status == 502 and not [value for value in PLAIN if value in got.wire]


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_without_a_body_stay_without_one(gate, origin, provider, status):
    origin.respond = lambda request: f"HTTP/1.1 {status}\r\n\r\n".encode() + b""
    with tunnel(gate, origin.port, provider.token("ada")) as wire:
        got = wire.fetch("GET", CHUNK)
    assert got.status == int(status[:3]) and got.body == b""


def test_head_says_nothing_of_the_unmasked_body(gate, origin, provider):
    origin.respond = lambda request: (
        f'HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: {len(ROWS)}\r\netag: "{SSN}"\r\n\r\n'.encode()
        if request.startswith(b"HEAD")
        else json_response(ROWS)
    )
    with tunnel(gate, origin.port, provider.token("ada")) as wire:
        got = wire.fetch("HEAD", CHUNK)
    assert got.status == 200 and "content-length" not in got.headers and not [v for v in PLAIN if v in got.wire]
