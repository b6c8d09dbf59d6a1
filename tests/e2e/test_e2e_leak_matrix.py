"""Format x framing x HTTP version x split position through a running gateway: no planted value is ever on the wire.

A sample of the splits; `make leak-matrix` takes all of them.
"""

from __future__ import annotations

import contextlib
import json
import os
from functools import partial

import pytest

from sluicegate.pipeline.passing import HOLD, HOLD_CODED
from tests.e2e.lanes import Lane, ask_all, by_case
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


UNSEARCHED = """
[detection]
taint = []
"""
"""Taint reads what was delivered, in another process. With all splits it would take as long as the rest together."""

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
    with gateway(
        tmp_path_factory.mktemp("matrix"), [f"localhost:{origin.port}"], more="" if not FULL else UNSEARCHED
    ) as running:
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


def rows(documents):
    """Documents and codings: all of them, or of each two."""
    every = list(CODINGS)
    return [
        (name, coding)
        for name in documents
        for coding in (every if FULL else ("identity", every[1 + len(name) % (len(every) - 1)]))
    ]


def spaced(body):
    """Blanks between the parts of JSON are the only thing in which rows that were decoded differ from others."""
    return body.replace(b": ", b":").replace(b", ", b",")


def look(gate, origin, provider, document, coding, framing, version, places):
    """Ask for a document cut at each place: nothing planted comes, and wherever it was cut the same comes."""
    field, pack = CODINGS[coding]
    body, bodies, judged = pack(document.body), set(), set()
    origin.respond = by_case({place: partial(answer, document.media, field, body, framing, place) for place in places})

    def judge(place, got):
        found = [*leaked(got.wire), *leaked(got.body)]
        assert not found, f"cut at {place}"
        assert got.status == 200 and got.whole and got.body, (place, got.wire[:500])
        assert "content-encoding" not in got.headers, (place, got.headers)
        bodies.add(spaced(got.body))
        assert len(bodies) == 1, (place, "says something else than the others")
        judged.add(place)

    rest = ask_all(gate, origin, provider.token("ada"), CHUNK, version, places, judge)
    found = leaked(rest)
    assert not found, "between the answers"
    assert judged == set(places)


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize(("name", "coding"), rows(DOCUMENTS))
def test_no_planted_value_is_on_the_wire(gate, origin, provider, name, coding, framing, version):
    document = DOCUMENTS[name]
    length = len(CODINGS[coding][1](document.body))
    places = range(1, length) if FULL else (length // 3,)
    look(gate, origin, provider, document, coding, framing, version, places if framing == "chunks" else (0,))


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("framing", ["chunks", "close"])
@pytest.mark.parametrize(("name", "coding"), rows(LONG))
def test_no_planted_value_is_on_the_wire_of_what_passes_in_pieces(
    gate, origin, provider, name, coding, framing, version
):
    document = LONG[name]
    length = len(CODINGS[coding][1](document.body))
    first = length * 9 // 10
    assert first > (HOLD_CODED if CODINGS[coding][0] else HOLD), "it is held whole"
    places = range(first, first + 150) if FULL and framing == "chunks" else (first,)
    look(gate, origin, provider, document, coding, framing, version, places)


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
    with contextlib.closing(Lane(pieces_gate, origin.port, provider.token("ada"))) as lane:
        for place in range(begins + 1, begins + len(value), 1 if FULL else 5):
            halves = {b"/chunks/3 ": text[:place], b"/chunks/4 ": text[max(0, place - overlap) :]}

            def respond(request, halves=halves):
                half = next(half for path, half in halves.items() if path in request)
                return answer(media, "", write(half).encode(), "length", 0)

            origin.respond = respond
            for chunk in ("3", "4"):
                got = lane.ask(f"/datasets/customers/chunks/{chunk}")
                assert got.status == 200, got.wire
                shown = "".join(filter(str.isalnum, got.body.decode()))
                assert not [piece for piece in pieces if piece in shown], (place, chunk, got.body)
