"""Format x framing x HTTP version x split position through a running gateway: no planted value is ever on the wire.

A sample of the splits; `make leak-matrix` takes all of them.
"""

from __future__ import annotations

import os

import pytest

from tests.e2e.tunnels import over_http2, tunnel
from tests.masking.leak_matrix.planted import CODINGS, DOCUMENTS, LONG, leaked
from tests.origin import Cut, Origin

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
                got = over_http2(gate, origin.port, provider.token("ada"), CHUNK)
            else:
                with tunnel(gate, origin.port, provider.token("ada")) as wire:
                    got = wire.fetch("GET", CHUNK, Accept_Encoding="identity")
            assert got.status == 200, got.wire
            assert not leaked(got.wire), (coding, place)


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("framing", ["chunks", "close"])
@pytest.mark.parametrize("name", LONG)
def test_no_planted_value_is_on_the_wire_of_what_passes_in_pieces(gate, origin, provider, name, framing, version):
    document = LONG[name]
    for coding in CODINGS if FULL else ("identity", list(CODINGS)[1 + len(name) % (len(CODINGS) - 1)]):
        field, pack = CODINGS[coding]
        body = pack(document.body)
        first = len(body) * 9 // 10
        places = range(first, first + 150) if FULL and framing == "chunks" else (first,)
        for place in places:
            origin.respond = lambda request, b=body, f=field, p=place: answer(document.media, f, b, framing, p)
            if version == "2":
                got = over_http2(gate, origin.port, provider.token("ada"), CHUNK)
            else:
                with tunnel(gate, origin.port, provider.token("ada")) as wire:
                    got = wire.fetch("GET", CHUNK, Accept_Encoding="identity")
            assert got.status == 200 and got.whole, got.wire[:500]
            assert not leaked(got.wire), (coding, place)
