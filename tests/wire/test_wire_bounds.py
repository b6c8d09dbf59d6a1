"""Input without an end: the connection is ended, and the gateway keeps no more than a little of it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import ssl
from pathlib import Path

import pytest

from sluicegate.recording.flow_reader import read_folder
from tests.origin import Origin
from tests.running import Running, Wire

PIECE = b"x" * (1 << 20)
MANY = 200
"""Pieces that a test offers: 200 MiB."""
GROWTH = 24 << 20
"""Bytes by which the gateway's memory may grow meanwhile: a tenth of what is offered, and the noise of any request."""


@pytest.fixture(scope="module")
def origin(certs):
    server = Origin(certs.service)
    yield server
    server.close()


@pytest.fixture(scope="module", params=["up", "script"])
def gate(request, provider, certs, origin, tmp_path_factory):
    with Running(
        folder=tmp_path_factory.mktemp(f"bounds-{request.param}"),
        issuer=provider.issuer,
        ca=certs.ca,
        hosts=[f"localhost:{origin.port}"],
        way=request.param,
        alone=True,  # its memory is its own
        more="[approvals]\nhold_seconds = 200\n",
    ) as running:
        tunnel(running, origin, provider.token("ada")).close()  # what the first connection costs is not counted
        yield running


@pytest.fixture
def wire(gate, origin, provider):
    opened = tunnel(gate, origin, provider.token("ada"))
    yield opened
    opened.close()


def tunnel(gate, origin, token):
    wire = Wire(gate.port)
    assert b" 200 " in wire.connect("localhost", origin.port, token)
    return wire.tls(gate.gateway_ca, "localhost")


def most_memory(gate) -> int:
    """The most that the process has held so far, in bytes."""
    (line,) = [x for x in Path(f"/proc/{gate.process.pid}/status").read_text().splitlines() if x.startswith("VmHWM")]
    return int(line.split()[1]) << 10


def offer(wire) -> int:
    """Send until the other side ends it; the number of pieces that it took. Stops at MANY."""
    for count in range(MANY):
        try:
            wire.send(PIECE)
        except OSError:
            return count
    return MANY


def read(origin) -> bytes:
    return f"GET /datasets/customers/chunks/1 HTTP/1.1\r\nHost: localhost:{origin.port}\r\n\r\n".encode()


def others(gate, origin, token) -> None:
    """Somebody else asks and is answered: by then the gateway has taken what else there was for it to take."""
    with contextlib.closing(tunnel(gate, origin, token)) as wire:
        assert wire.ask(read(origin))[0] == 200


def offer_to_the_silent(gate, origin, token, wire) -> int:
    """The bytes that were taken until the other side ended it, or took nothing more."""
    wire.socket.setblocking(False)
    count, taken = 0, True
    while count < MANY * len(PIECE):
        try:
            count += wire.socket.send(PIECE)
            taken = True
        except BlockingIOError:
            if not taken:
                break
            taken = False
            others(gate, origin, token)
        except OSError:
            break
    return count


def ended_early(gate, wire) -> None:
    before = most_memory(gate)
    assert offer(wire) < MANY // 4
    assert most_memory(gate) - before < GROWTH


@pytest.fixture
def newly(gate):
    """The statuses that were recorded since the test began."""
    before = {found.id for found in read_folder(gate.state / "recordings")}
    return lambda: [found.status for found in read_folder(gate.state / "recordings") if found.id not in before]


@pytest.mark.parametrize("head", ["GET /x HTTP/1.1\r\nX-A: ", "", "GET /"], ids=["header", "request line", "target"])
@pytest.mark.parametrize("where", ["tunnel", "proxy"])
def test_a_header_section_without_an_end(gate, wire, newly, where, head):
    if where == "proxy":
        wire = Wire(gate.port)
    wire.send(head.encode() + b"G")
    ended_early(gate, wire)
    assert 431 in newly()


def test_a_header_section_that_is_a_little_too_large_is_told_so(gate, wire):
    wire.send(b"GET /x HTTP/1.1\r\nX-A: " + b"x" * (300 << 10))
    status, headers, body = wire.response()
    assert status == 431 and headers["content-type"] == "application/problem+json"
    assert json.loads(body)["type"] == "urn:sluicegate:request-too-large"


def export(origin, destination="s3://elsewhere/x") -> bytes:
    body = json.dumps({"destination": destination}).encode()
    return (
        f"POST /datasets/customers/exports HTTP/1.1\r\nHost: localhost:{origin.port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def test_what_is_sent_behind_a_held_request(gate, origin, wire):
    before = len(origin.received)
    wire.send(export(origin))
    ended_early(gate, wire)
    assert wire.rest() == b""
    assert len(origin.received) == before


def pending(gate, destination: str) -> bool:
    """Whether an export to that place is held."""
    with contextlib.closing(sqlite3.connect(f"file:{gate.state}/sluicegate.sqlite3?mode=ro", uri=True)) as database:
        return bool(database.execute("SELECT 1 FROM approvals WHERE destination = ?", [destination]).fetchall())


def test_a_few_requests_behind_a_held_one_wait_their_turn(gate, origin, wire, ada):
    before = bytes(origin.received).count(b"GET ")
    destination = f"s3://elsewhere/{gate.way}"
    wire.send(export(origin, destination) + read(origin))
    while not pending(gate, destination):
        assert gate.process.poll() is None
    others(gate, origin, ada)
    wire.socket.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):  # the first is held, and the second does not overtake it
        wire.socket.recv(1)
    assert bytes(origin.received).count(b"GET ") == before + 1  # that of the others


BODIES = [
    ("a chunk header without an end", "Transfer-Encoding: chunked\r\n\r\n2;x=", 400),
    ("trailers without an end", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-A: ", 400),
    ("more than it may be", "Content-Length: 1000000000\r\n\r\n", 413),
]


@pytest.mark.parametrize(("start", "status"), [b[1:] for b in BODIES], ids=[b[0] for b in BODIES])
def test_a_body_without_an_end(gate, origin, wire, newly, start, status):
    head = f"POST /datasets/customers/exports HTTP/1.1\r\nHost: localhost:{origin.port}\r\n"
    wire.send((head + start).encode())
    ended_early(gate, wire)
    assert status in newly()


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01\x40\x00", b"\x16\x03\x01\x40\x00\x01\xff\xff\xff"])
def test_a_tunnel_in_which_no_handshake_ends(gate, origin, ada, first):
    wire = Wire(gate.port)
    assert b" 200 " in wire.connect("localhost", origin.port, ada)
    wire.send(first or b"x")
    before = most_memory(gate)
    # Some of these are ended, of others nothing more is read.
    assert offer_to_the_silent(gate, origin, ada, wire) < MANY // 4 * len(PIECE)
    assert most_memory(gate) - before < GROWTH
    wire.close()


def test_what_is_sent_behind_a_refused_connect(gate, origin):
    wire = Wire(gate.port)
    assert b" 407 " in wire.connect("localhost", origin.port)
    ended_early(gate, wire)
    wire.close()
