"""Responses that are larger than what is kept, or have no end: masked in passing, bounded, and never cut unseen."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading

import pytest
from mitmproxy.io import FlowReader

from tests.e2e.investigating import replay
from tests.e2e.pouring import CHUNK, CHUNKED, SSN, chunk, head, lines, pour, read
from tests.e2e.tunnels import over_http2, tunnel
from tests.origin import Origin, Poured


@pytest.fixture(scope="module")
def origin(certs):
    server = Origin(certs.service)
    yield server
    server.close()


@pytest.fixture(scope="module")
def gate(gateway, origin, tmp_path_factory):
    folder = tmp_path_factory.mktemp("streams")
    with gateway(folder, [f"localhost:{origin.port}"], gateway="max_body_bytes = 262144") as running:
        yield running


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_lines_that_are_more_than_is_kept_pass_masked(gate, origin, provider, version, coding):
    body = lines(20_000)
    wire = gzip.compress(body) + gzip.compress(lines(1, 20_000)) if coding else body + lines(1, 20_000)
    size = 7000
    pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
    pour(origin, "application/x-ndjson", pieces, more=CHUNKED + (f"content-encoding: {coding}\r\n" if coding else ""))
    if version == "2":
        status, _, got, _, whole = over_http2(gate, origin.port, provider.token("ada"), CHUNK)
    else:
        status, fields, got, whole = read(gate, origin, provider.token("ada"))
        assert fields.get("content-encoding", "") == coding and "etag" not in fields
        got = gzip.decompress(got) if coding else got
    assert (status, whole) == (200, True)
    rows = [json.loads(line) for line in got.splitlines()]
    assert [row["id"] for row in rows] == list(range(20_001))
    assert {row["ssn"] for row in rows} == {"****6789"}


def test_an_event_arrives_before_the_next_one_is_sent(gate, origin, provider):
    arrived = threading.Event()
    events = [b"data: " + json.dumps({"id": n, "ssn": SSN}).encode() + b"\n\n" for n in range(2)]

    def pieces():
        yield head("text/event-stream")
        yield chunk(events[0])
        assert arrived.wait(60)
        yield chunk(events[1]) + b"0\r\n\r\n"

    def respond(request):
        raise Poured(pieces())

    origin.respond = respond
    with tunnel(gate, origin.port, provider.token("ada")) as wire:
        wire.send(wire.request("GET", CHUNK))
        assert b" 200 " in wire.head()
        seen = b""
        while b'"id":0' not in seen:
            seen += wire.socket.recv(65536)
        assert b'"id":1' not in seen
        arrived.set()
        while not seen.endswith(b"0\r\n\r\n"):
            seen += wire.socket.recv(65536)
    assert b'"id":1' in seen and SSN.encode() not in seen and seen.count(b"****6789") == 2


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("broken", ["not JSON", "service gone", "too long"])
def test_what_fails_late_cannot_be_taken_for_complete(gate, origin, provider, version, broken):
    tail = {"not JSON": b'{"ssn": "987-65-4321", oops}\n', "service gone": b"", "too long": b'"' + b"x" * (5 << 20)}
    end = b"" if broken == "service gone" else b"0\r\n\r\n"
    pieces = [lines(4000), tail[broken], lines(2000)]
    pour(origin, "application/x-ndjson", [piece for piece in pieces if piece], end=end)
    if version == "2":
        status, _, got, _, whole = over_http2(gate, origin.port, provider.token("ada"), CHUNK)
    else:
        status, _, got, whole = read(gate, origin, provider.token("ada"))
    assert status == 200 and not whole
    assert b"987-65-4321" not in got and SSN.encode() not in got


def test_what_fails_early_is_refused(gate, origin, provider):
    pour(origin, "application/x-ndjson", [b'{"ssn": "987-65-4321", oops}\n' + lines(1500)])
    status, fields, got, whole = read(gate, origin, provider.token("ada"))
    assert (status, whole) == (502, True) and "unmaskable" in got.decode() and b"987-65" not in got


def test_what_owes_nothing_passes_as_it_came(gate, origin, provider):
    body = bytes(range(256)) * 8000

    def respond(request):
        raise Poured([head("application/octet-stream", f"content-length: {len(body)}\r\n"), body])

    origin.respond = respond
    status, fields, got, whole = read(gate, origin, provider.token("frank", groups=["fraud"]))
    assert (status, whole, got == body) == (200, True, True)


@pytest.mark.parametrize("cut", [1, 9, 17])
def test_the_services_secret_does_not_pass_in_two_pieces(gate, origin, provider, cut):
    secret = b"the-service-secret"
    pour(origin, "application/octet-stream", [b"x" * 400_000 + secret[:cut], secret[cut:] + b"y" * 400_000])
    status, _, got, whole = read(gate, origin, provider.token("frank", groups=["fraud"]))
    assert status == 200 and not whole and got.strip(b"x") in (b"", secret[:0])


def test_a_format_that_cannot_pass_is_refused_beyond_the_limit(gate, origin, provider):
    pour(origin, "application/vnd.apache.parquet", [b"PAR1" + SSN.encode() * 60_000])
    status, _, got, whole = read(gate, origin, provider.token("ada"))
    assert (status, whole) == (502, True) and b"response-too-large" in got


def test_what_passed_is_on_the_record_with_its_digest(gate, origin, provider):
    for count, kept in ((900, True), (9000, False)):
        pour(origin, "application/x-ndjson", [lines(count)])
        _, _, got, _ = read(gate, origin, provider.token("ada"))
        files = sorted((gate.state / "recordings").rglob("*.flows"))
        flow = [flow for file in files for flow in FlowReader(file.open("rb")).stream()][-1]
        said = flow.metadata["sluicegate"]
        assert said["exposure"]["rows"] == count and said["exposure"]["columns"]["ssn"] == "masked"
        size, digest, whole = said["delivered"]
        assert whole is kept
        assert flow.response.raw_content is None or hashlib.sha256(flow.response.raw_content).hexdigest() == digest
        assert size == len(got) and hashlib.sha256(got).hexdigest() == digest
    # Verification gives 5: what was written in the last second stands behind the newest signed head.
    for command, codes in (("verify", (0, 5)), ("list", (0,)), ("exposure --who ada", (0,)), (f"show {flow.id}", (0,))):
        done = replay(gate, *command.split())
        assert done.returncode in codes, done.stdout + done.stderr
