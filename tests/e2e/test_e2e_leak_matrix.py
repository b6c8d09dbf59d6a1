"""Format x framing x HTTP version x split position through a running gateway: no planted value is ever on the wire.

A sample of the splits; `make leak-matrix` takes all of them.
"""

from __future__ import annotations

import json
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


PIECES = """
[[masks]]
id = "pieces"
detect = ["email", "national-id", "card", "iban", "phone"]
method = "redact"
borders = true
"""


@pytest.fixture(scope="module")
def pieces_gate(gateway, origin, tmp_path_factory):
    with gateway(tmp_path_factory.mktemp("pieces"), [f"localhost:{origin.port}"], more=PIECES) as running:
        yield running


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


def get(gate, origin, token, version, path=CHUNK, slow=None):
    if version == "2":
        return over_http2(gate, origin.port, token, path, slow)
    with tunnel(gate, origin.port, token, slow) as wire:
        return wire.fetch("GET", path, Accept_Encoding="identity")


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("name", LONG)
def test_no_planted_value_is_on_the_wire_to_a_client_that_reads_slowly(gate, origin, provider, name, version):
    document = LONG[name]
    for framing in ("chunks", "close") if FULL else ("chunks",):
        origin.respond = lambda request, f=framing: answer(document.media, "", document.body, f, 40_000)
        got = get(gate, origin, provider.token("ada"), version, slow=1500)
        assert got.status == 200 and got.whole, got.wire[:500]
        assert not leaked(got.wire), framing


VALUES = {
    "ssn": ("my SSN is ", "536-90-4399"),
    "card": ("paid with ", "4111 1111 1111 1111"),
    "iban": ("sent to ", "DE89 3704 0044 0532 0130 00"),
    "phone": ("call ", "+49 151 12345678"),
    "mail": ("it is ", "ada.lovelace99@example.org"),
}
CHUNKS = {
    "object": ("application/json", lambda text: json.dumps({"id": 1, "text": text})),
    "rows": ("application/json", lambda text: json.dumps([{"text": text, "token_count": 12}])),
    "lines": ("application/x-ndjson", lambda text: json.dumps({"text": text}) + "\n"),
}


@pytest.mark.parametrize("overlap", [0, 9])
@pytest.mark.parametrize("shape", CHUNKS)
@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_is_cut_by_the_border_of_two_responses_is_in_neither(
    pieces_gate, origin, provider, name, shape, overlap
):
    before, value = VALUES[name]
    text = f"Once upon a time, {before}{value} and that was it for now."
    media, write = CHUNKS[shape]
    begins = text.index(value)
    letters = "".join(filter(str.isalnum, value))
    pieces = {letters[at : at + 4] for at in range(len(letters) - 3)}
    pieces = {each for each in pieces if any(map(str.isdigit, each)) or each in "lovelace"}
    for place in range(begins + 1, begins + len(value), 1 if FULL else 5):
        halves = {b"/chunks/3 ": text[:place], b"/chunks/4 ": text[max(0, place - overlap) :]}

        def respond(request, halves=halves):
            half = next(half for path, half in halves.items() if path in request)
            return answer(media, "", write(half).encode(), "length", 0)

        origin.respond = respond
        for chunk in ("3", "4"):
            got = get(pieces_gate, origin, provider.token("ada"), "1.1", f"/datasets/customers/chunks/{chunk}")
            assert got.status == 200, got.wire
            shown = "".join(filter(str.isalnum, got.body.decode()))
            assert not [piece for piece in pieces if piece in shown], (place, chunk, got.body)
