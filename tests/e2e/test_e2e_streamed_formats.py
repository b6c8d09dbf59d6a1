"""Rows in every format that passes piece by piece: larger than what is kept, masked, and cut where they fail."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.e2e.pouring import CHUNK, CHUNKED, SSN, pour, read
from tests.e2e.tunnels import over_http2
from tests.origin import Origin

LATE = b"987-65-4321"
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


def cut(body: bytes, size: int = 7001) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def get(gate, origin, provider, version):
    if version == "2":
        status, fields, got, _, whole = over_http2(gate, origin.port, provider.token("ada"), CHUNK)
        return status, fields, got, whole
    return read(gate, origin, provider.token("ada"))


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("name", FORMATS)
def test_rows_that_are_more_than_is_kept_pass_masked(gate, origin, provider, name, coding, version):
    found = FORMATS[name]
    wire = gzip.compress(found.body) if coding else found.body
    pour(origin, found.media, cut(wire), more=CHUNKED + (f"content-encoding: {coding}\r\n" if coding else ""))
    status, fields, got, whole = get(gate, origin, provider, version)
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
    status, _, got, whole = get(gate, origin, provider, version)
    assert status == 200 and not whole
    assert LATE not in got and SSN.encode() not in got


@pytest.mark.parametrize("name", FORMATS)
def test_a_service_that_ends_early_is_never_complete(gate, origin, provider, name):
    found = FORMATS[name]
    pour(origin, found.media, cut(found.body[:300_000]), end=b"0\r\n\r\n" if name.startswith("json") else b"")
    status, _, got, whole = get(gate, origin, provider, "1.1")
    assert status == 200 and not whole and SSN.encode() not in got
