"""Formats, codings and framings through a real gateway: not one byte of a masked value is on the client's socket."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import brotli
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.e2e.tunnels import tunnel
from tests.origin import Origin

CHUNK = "/datasets/customers/chunks/3"
SSN = "123-45-6789"
MAIL = "jane@example.org"
TABLE = pa.table({"id": [1, 2], "ssn": [SSN, SSN], "email": [MAIL, MAIL], "note": ["a", "b"]})


def stream() -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, TABLE.schema) as writer:
        writer.write(TABLE)
    return sink.getvalue().to_pybytes()


def file() -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, TABLE.schema) as writer:
        writer.write(TABLE)
    return sink.getvalue().to_pybytes()


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(TABLE, sink, compression="none")
    return sink.getvalue()


def separated(delimiter: str, quoting: Any) -> bytes:
    sink = io.StringIO()
    writer = csv.writer(sink, delimiter=delimiter, quoting=quoting)
    writer.writerow(TABLE.column_names)
    writer.writerows(row.values() for row in TABLE.to_pylist())
    return sink.getvalue().encode()


def from_csv(delimiter: str) -> Callable[[bytes], list[dict[str, Any]]]:
    return lambda body: [
        {**row, "id": int(row["id"])} for row in csv.DictReader(io.StringIO(body.decode()), delimiter=delimiter)
    ]


ROWS = TABLE.to_pylist()
FORMATS: dict[str, tuple[bytes, Callable[[bytes], list[dict[str, Any]]]]] = {
    "application/json": (json.dumps({"rows": ROWS}).encode(), lambda body: json.loads(body)["rows"]),
    "application/x-ndjson": (
        b"".join(json.dumps(row).encode() + b"\n" for row in ROWS),
        lambda body: [json.loads(line) for line in body.splitlines()],
    ),
    "application/json-seq": (
        b"".join(b"\x1e" + json.dumps(row).encode() + b"\n" for row in ROWS),
        lambda body: [json.loads(line) for line in body.split(b"\x1e")[1:]],
    ),
    "text/csv": (separated(",", csv.QUOTE_MINIMAL), from_csv(",")),
    "text/csv; charset=utf-8": (separated(";", csv.QUOTE_ALL), from_csv(";")),
    "text/tab-separated-values": (separated("\t", csv.QUOTE_MINIMAL), from_csv("\t")),
    "application/vnd.apache.arrow.stream": (stream(), lambda body: pa.ipc.open_stream(body).read_all().to_pylist()),
    "application/vnd.apache.arrow.file": (file(), lambda body: pa.ipc.open_file(body).read_all().to_pylist()),
    "application/vnd.apache.parquet": (parquet(), lambda body: pq.read_table(pa.BufferReader(body)).to_pylist()),
    "binary/octet-stream": (parquet(), lambda body: pq.read_table(pa.BufferReader(body)).to_pylist()),
}
CODERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda body: body,
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
DECODERS: dict[str, Callable[[bytes], bytes]] = {
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


@pytest.fixture(scope="module")
def gate(gateway, origin, tmp_path_factory):
    with gateway(tmp_path_factory.mktemp("gate"), [f"localhost:{origin.port}"]) as running:
        yield running


def response(body: bytes, kind: str, coding: str, framing: str) -> bytes:
    head = f'HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\netag: "{SSN}"\r\ncontent-md5: {SSN}\r\n'
    head += f"content-encoding: {coding}\r\n" if coding else ""
    if framing == "length":
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    size = 1 if framing == "bytes" else 7
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return f"{head}transfer-encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("coding", CODERS)
def test_no_masked_value_is_on_the_wire(gate, origin, provider, kind, coding):
    body, read = FORMATS[kind]
    for framing in ("length", "chunks", "bytes"):
        origin.respond = lambda request, framing=framing: response(CODERS[coding](body), kind, coding, framing)
        with tunnel(gate, origin.port, provider.token("ada")) as wire:
            got = wire.fetch("GET", CHUNK, Accept_Encoding=coding or "identity")
        assert got.status == 200, got
        decoded = DECODERS[got.headers.get("content-encoding", "")](got.body)
        assert SSN.encode() not in got.wire + decoded and MAIL.encode() not in got.wire + decoded
        rows = read(decoded)
        assert [(row["id"], row["note"], row["ssn"]) for row in rows] == [(1, "a", "****6789"), (2, "b", "****6789")]
        assert "etag" not in got.headers and "content-md5" not in got.headers


@pytest.mark.parametrize("kind", [*FORMATS, "image/png", "text/plain"])
def test_a_type_that_lies_is_refused(gate, origin, provider, kind):
    """Each body under each other type, cut, and with a second one behind it."""
    for other, (body, _) in FORMATS.items():
        if other == kind:
            continue
        origin.respond = lambda request, body=body: response(body, kind, "", "length")
        with tunnel(gate, origin.port, provider.token("ada")) as wire:
            got = wire.fetch("GET", CHUNK, Accept_Encoding="identity")
        assert SSN.encode() not in got.wire and MAIL.encode() not in got.wire
        assert got.status in (200, 502)
