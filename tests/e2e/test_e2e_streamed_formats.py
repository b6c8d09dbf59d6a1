"""Rows in every format that passes piece by piece: larger than what is kept, masked, and cut where they fail."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable
from itertools import batched
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import msgspec
import pyarrow as pa
import pytest

from tests.e2e.pouring import CHUNK, CHUNKED, SSN, pour, read
from tests.e2e.tunnels import over_http2
from tests.origin import Origin, Poured

LATE = b"987-65-4321"
DETECTING = """
[[masks]]
id = "looks"
detect = ["email", "national-id", "private-key"]
method = "redact"
"""
COUNT = 9000


class Format(NamedTuple):
    """A body, what it is read back with, and what stands in it late that cannot be masked."""

    media: str
    body: bytes
    rows: Callable[[bytes], list[dict]]
    broken: bytes


def row(number: int) -> dict:
    return {"id": number, "ssn": SSN, "note": hashlib.sha256(b"%d" % number).hexdigest()}


def named(columns: list[str], rows: list[list], total: int) -> list[dict]:
    return [dict(zip(columns, each, strict=True)) for each in rows]


ROWS = [row(number) for number in range(COUNT)]
TEXT = json.dumps(ROWS).encode()
COLUMNS = {"columns": list(row(0)), "rows": [list(each.values()) for each in ROWS], "total": COUNT}


def sheet(quoting: int) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(row(0)), lineterminator="\n", quoting=quoting)
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue()


def batches() -> bytes:
    sink, table = pa.BufferOutputStream(), pa.Table.from_pylist(ROWS)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)
    return bytes(sink.getvalue())


def markup() -> bytes:
    return b"<rows>%b\n</rows>" % b"".join(
        b'\n<row id="%d"><ssn>%b</ssn><note>%b</note></row>' % (each["id"], each["ssn"].encode(), each["note"].encode())
        for each in ROWS
    )


def marked(body: bytes) -> list[dict]:
    return [
        {"id": int(each.attrib["id"]), **{child.tag: child.text for child in each}}
        for each in ElementTree.fromstring(body)
    ]


def paired(body: bytes) -> list[dict]:
    rows = batched(parse_qsl(body.decode(), strict_parsing=True), 3)
    return [{**each, "id": int(each["id"])} for each in map(dict, rows)]


PACKED = msgspec.msgpack.encode(ROWS)


def unpacked(body: bytes) -> list[dict]:
    """Documents one behind the other, of which each is a row."""
    begin = msgspec.msgpack.encode(ROWS)[:3]
    return msgspec.msgpack.decode(begin + body)


PARTS = b"".join(
    b"--b\r\ncontent-type: application/x-ndjson\r\n\r\n%b\r\n"
    % b"".join(json.dumps(each).encode() + b"\n" for each in some)
    for some in batched(ROWS, 50)
)


def parted(body: bytes) -> list[dict]:
    parts = body.split(b"--b\r\n")[1:]
    return [json.loads(line) for part in parts for line in part.splitlines() if line.startswith(b"{")]


SHEET, BATCHES, MARKUP = sheet(csv.QUOTE_MINIMAL), batches(), markup()
FORM = urlencode([pair for each in ROWS for pair in each.items()]).encode()
FORMATS = {
    "json array": Format("application/json", TEXT, json.loads, TEXT[:-1] + b', {"ssn": "%b", oops}]' % LATE),
    "json rows": Format(
        "application/json; charset=utf-8",
        b'{"rows": %b, "next": null}' % TEXT,
        lambda body: json.loads(body)["rows"],
        b'{"rows": %b, "rows": [{"ssn": "%b"}]}' % (TEXT, LATE),
    ),
    "json columns": Format(
        "application/vnd.rows+json",
        json.dumps(COLUMNS, indent=1).encode(),
        lambda body: named(**json.loads(body)),
        json.dumps(COLUMNS).encode()[:-1] + b', "names": ["ssn", "id", "%b"]}' % LATE,
    ),
    "csv": Format(
        "text/csv",
        SHEET.encode(),
        lambda body: [{**each, "id": int(each["id"])} for each in csv.DictReader(io.StringIO(body.decode()))],
        SHEET.encode() + b'"1","%b","x"\n' % LATE,
    ),
    "csv, quoted": Format(
        "text/csv; header=present",
        sheet(csv.QUOTE_ALL).encode(),
        lambda body: [{**each, "id": int(each["id"])} for each in csv.DictReader(io.StringIO(body.decode()))],
        sheet(csv.QUOTE_ALL).encode() + b'"1","%b"x,""\n' % LATE,
    ),
    "tsv": Format(
        "text/tab-separated-values",
        SHEET.replace(",", "\t").encode(),
        lambda body: [
            {**each, "id": int(each["id"])} for each in csv.DictReader(io.StringIO(body.decode()), delimiter="\t")
        ],
        SHEET.replace(",", "\t").encode() + b"1\t%b\n" % LATE,
    ),
    "arrow": Format(
        "application/vnd.apache.arrow.stream",
        BATCHES,
        lambda body: pa.ipc.open_stream(body).read_all().to_pylist(),
        BATCHES[:-8] + b"\xff\xff\xff\xff\x10\0\0\0%b" % LATE + bytes(20),
    ),
    "xml": Format("application/xml", MARKUP, marked, MARKUP[:-7] + b"<row><ssn>%b</row></rows>" % LATE),
    "form": Format("application/x-www-form-urlencoded", FORM, paired, FORM + b"&ssn=%b&note=%%ff" % LATE),
    "parts": Format(
        "multipart/mixed; boundary=b",
        b"before\r\n%b--b--\r\n" % PARTS,
        parted,
        PARTS + b'--b\r\ncontent-type: application/json\r\n\r\n{"ssn": "%b", oops\r\n--b--' % LATE,
    ),
    "messagepack rows": Format(
        "application/msgpack",
        b"\x82\xa4rows%b\xa4next\xc0" % PACKED,
        lambda body: msgspec.msgpack.decode(body)["rows"],
        b"\x82\xa4rows%b\xa4rows\x91\x81\xa3ssn\xab%b" % (PACKED, LATE),
    ),
    "messagepack, several": Format(
        "application/x-msgpack", PACKED[3:], unpacked, PACKED[3:] + b"\x81\xa3ssn\xab%b\xc1" % LATE
    ),
}


@pytest.fixture(scope="module")
def origin(certs):
    server = Origin(certs.service)
    yield server
    server.close()


@pytest.fixture(scope="module")
def gate(gateway, origin, tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    with gateway(folder, [f"localhost:{origin.port}"], gateway="max_body_bytes = 262144") as running:
        yield running


@pytest.fixture(scope="module")
def looking(gateway, origin, tmp_path_factory):
    """A gateway whose masks are detectors."""
    folder = tmp_path_factory.mktemp("looking")
    limit = "max_body_bytes = 262144"
    with gateway(folder, [f"localhost:{origin.port}"], gateway=limit, more=DETECTING) as running:
        yield running


def cut(body: bytes, size: int = 7001) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def get(gate, origin, token, version):
    if version == "2":
        status, fields, got, _, whole = over_http2(gate, origin.port, token, CHUNK)
        return status, fields, got, whole
    return read(gate, origin, token)


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("name", FORMATS)
def test_rows_that_are_more_than_is_kept_pass_masked(gate, origin, provider, name, coding, version):
    found = FORMATS[name]
    wire = gzip.compress(found.body) if coding else found.body
    pour(origin, found.media, cut(wire), more=CHUNKED + (f"content-encoding: {coding}\r\n" if coding else ""))
    status, fields, got, whole = get(gate, origin, provider.token("ada"), version)
    assert (status, whole) == (200, True)
    got = gzip.decompress(got) if fields.get("content-encoding") == "gzip" else got
    assert SSN.encode() not in got
    assert [(each["id"], each["ssn"], each["note"]) for each in found.rows(got)] == [
        (each["id"], "****6789", each["note"]) for each in ROWS
    ]


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("name", FORMATS)
def test_what_fails_late_is_never_complete(gate, origin, provider, name, version):
    pour(origin, FORMATS[name].media, cut(FORMATS[name].broken))
    status, _, got, whole = get(gate, origin, provider.token("ada"), version)
    assert status == 200 and not whole
    assert LATE not in got and SSN.encode() not in got


@pytest.mark.parametrize("name", FORMATS)
def test_a_service_that_ends_early_is_never_complete(gate, origin, provider, name):
    found = FORMATS[name]
    pour(
        origin,
        found.media,
        cut(found.body[:300_000]),
        end=b"0\r\n\r\n" if name.startswith(("json", "arrow", "xml", "parts", "messagepack rows")) else b"",
    )
    status, _, got, whole = get(gate, origin, provider.token("ada"), "1.1")
    assert status == 200 and not whole and SSN.encode() not in got


MAIL = "ada.lovelace@example.org"
SAID = [{"n": n, "text": f"call 536-90-4399 or write to {MAIL}, my number"} for n in range(6000)]
SEEN = {
    "text": ("text/plain", "".join(f"{each['n']} {each['text']}\n" for each in SAID)),
    "csv without columns": ("text/csv", "".join(f"{each['n']},{each['text']}\n" for each in SAID)),
    "lines": ("application/x-ndjson", "".join(json.dumps(each) + "\n" for each in SAID)),
    "events": ("text/event-stream", "".join(f"data: {json.dumps(each)}\n\n" for each in SAID)),
    "array": ("application/json", json.dumps(SAID)),
    "xml": (
        "text/xml",
        f"<r>{''.join(f'<p n={quoteattr(str(each["n"]))}>{each["text"]}</p>' for each in SAID)}</r>",
    ),
    "form": (
        "application/x-www-form-urlencoded",
        urlencode([(key, value) for each in SAID for key, value in each.items()]),
    ),
}


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("name", SEEN)
def test_values_that_are_found_by_their_looks_do_not_pass(looking, origin, provider, name, version):
    media, text = SEEN[name]
    pour(origin, media, cut(text.encode(), 6997))
    status, _, got, whole = get(looking, origin, provider.token("frank", groups=["fraud"]), version)
    assert (status, whole) == (200, True)
    assert b"lovelace" not in got and b"536-90" not in got and b"90-4399" not in got
    assert unquote_to_bytes(got).count(b"[redacted]") == 2 * len(SAID) and b"5999" in got


def test_a_private_key_that_never_ends_does_not_pass(looking, origin, provider):
    body = SEEN["text"][1].encode() + b"-----BEGIN PRIVATE KEY-----\n" + b"MIIEowIBAAKCAQEA\n" * 400_000
    pour(origin, "text/plain", cut(body, 60_000))
    status, _, got, whole = get(looking, origin, provider.token("frank", groups=["fraud"]), "1.1")
    assert status == 200 and not whole and b"MIIE" not in got and b"lovelace" not in got


@pytest.mark.parametrize("name", FORMATS)
def test_what_fails_early_is_refused(gate, origin, provider, name):
    found = FORMATS[name]
    first = (
        PARTS[:44] + b"{"
        if name == "parts"
        else b"\xc1"
        if "msgpack" in found.media
        else b"x&"
        if name == "form"
        else b'"x"y,'
    )
    body = found.body[:3000] + LATE + found.body[3100:] if name == "arrow" else first + LATE + b"\n" + found.body
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {found.media}\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    def respond(request):
        raise Poured([head, *cut(body)])

    origin.respond = respond
    status, _, got, whole = get(gate, origin, provider.token("ada"), "1.1")
    if name == "arrow":  # what was put in is a value, or no text: it is masked, or nothing leaves
        assert status in (200, 502) and LATE not in got
    else:
        assert (status, whole) == (502, True) and b"unmaskable" in got and LATE not in got
