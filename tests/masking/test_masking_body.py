"""One response has three outcomes. Everything that a service, or somebody behind it, may send to get a fourth."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Delivery, Obligation
from sluicegate.masking.body import Masked, Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan

SECRET = "123-45-6789"
LIMIT = 1 << 20
PLAN = Plan(
    (Obligation("ids", "redact", frozenset({"ssn"})), Obligation("mail", "hmac", frozenset({"email"}))),
    Methods(b"k" * 32),
)
DOCUMENT = {"dataset": "customers", "rows": [{"id": 1, "ssn": SECRET, "email": "a@b.c"}, {"id": 2, "ssn": SECRET}]}
BODY = json.dumps(DOCUMENT).encode()
CODERS: dict[str, Any] = {
    "": lambda b: b,
    "identity": lambda b: b,
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
DECODERS: dict[str, Any] = {
    "": lambda b: b,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda b: zstandard.ZstdDecompressor().decompressobj().decompress(b),
}


def run(
    body: bytes | None = BODY,
    *,
    status: int = 200,
    kind: str | None = "application/json",
    coding: str = "",
    accepts: tuple[str, ...] = (),
    method: str = "GET",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    plan: Plan = PLAN,
    limit: int = LIMIT,
) -> Masked:
    fields = headers
    if kind is not None:
        fields += ((b"Content-Type", kind.encode()),)
    if coding:
        fields += ((b"Content-Encoding", coding.encode()),)
    return mask(Reply(method, status, fields, body), plan, accepts, limit)


def refused(body: bytes | None = BODY, **how: Any) -> str:
    with pytest.raises(Refusal) as caught:
        run(body, **how)
    refusal = caught.value
    assert (refusal.status, refusal.code, refusal.rules) == (502, "unmaskable", ("ids", "mail"))
    assert SECRET not in refusal.detail
    return refusal.detail


def field(masked: Masked, name: bytes) -> list[bytes]:
    return [value for key, value in masked.headers if key.lower() == name]


# -- codings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("accepts", [(), ("gzip",), ("zstd", "br", "gzip")])
def test_every_coding_is_read_and_written_as_the_client_can(coding: str, accepts: tuple[str, ...]) -> None:
    out = run(CODERS[coding](BODY), coding=coding, accepts=accepts)
    wanted = coding if coding in accepts else ""
    assert field(out, b"content-encoding") == ([wanted.encode()] if wanted else [])
    assert field(out, b"content-length") == [str(len(out.body)).encode()]
    assert SECRET.encode() not in out.body
    plain = json.loads(DECODERS[wanted](out.body))
    assert [row["ssn"] for row in plain["rows"]] == ["[redacted]"] * 2
    assert plain["rows"][0]["email"].startswith("h1.")


def test_a_second_gzip_member_is_not_a_hiding_place() -> None:
    refused(gzip.compress(b"{}") + gzip.compress(BODY), coding="gzip")
    out = run(gzip.compress(BODY[:40]) + gzip.compress(BODY[40:]), coding="gzip")
    assert SECRET.encode() not in out.body


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_cut_or_extended_bodies_are_refused(coding: str) -> None:
    whole = CODERS[coding](BODY)
    refused(whole[:-1], coding=coding)
    refused(whole[: len(whole) // 2], coding=coding)
    refused(whole + b"x", coding=coding)
    refused(BODY, coding=coding)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_bombs_are_refused(coding: str) -> None:
    bomb = CODERS[coding](b'{"a":"' + b"0" * (8 << 20) + b'"}')
    assert len(bomb) < 20_000
    assert "too large" in refused(bomb, coding=coding)


@pytest.mark.parametrize(
    "coding",
    ["hex", "base64", "rot13", "compress", "gzip, gzip", "gzip,br", "x-gzip", "gzip, deflate, gzip", "utf-16", "foo"],
)
def test_codings_that_nobody_vouches_for_are_refused(coding: str) -> None:
    refused(zlib.compress(BODY), coding=coding)
    refused(BODY, coding=coding)


def test_two_lines_of_content_encoding_count_as_one() -> None:
    refused(gzip.compress(BODY), coding="gzip", headers=((b"content-encoding", b"gzip"),))


# -- types --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/vnd.rows+json",
        'application/problem+json; charset="utf-8"; profile=x',
        "application/json;",
    ],
)
def test_json_types(kind: str) -> None:
    assert SECRET.encode() not in run(kind=kind).body


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "image/png",
        "text/plain",
        "text/html",
        "application/json-seq",
        "application/octet-stream",
        "multipart/byteranges; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/json, text/html",
        "json",
    ],
)
def test_other_types_are_refused_even_with_json_in_them(kind: str | None) -> None:
    refused(kind=kind)


def test_two_content_types_are_refused() -> None:
    refused(headers=((b"content-type", b"text/html"),))


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" * 2 + BODY,
        BODY.decode().encode("utf-16")[:-1],
        BODY.decode().encode("utf-16-le"),
        BODY.decode().encode("utf-32")[:-1],
        BODY[:-1],
        BODY + b"}",
        BODY + BODY,
        BODY + b"\n" + BODY,
        b"\x00" + BODY,
        BODY + b"\x00",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b"{'a':1}",
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xc0\xaf"}',
        b'{"a":1,}',
        b'{"a":01}',
        b'{"a":"\n"}',
        b" ",
        b"<html>123-45-6789</html>",
        b"123-45-6789",
        b"\x89PNG\r\n\x1a\n" + BODY,
        gzip.compress(BODY),
    ],
)
def test_bytes_that_are_no_json_are_refused_whatever_the_type_says(body: bytes) -> None:
    refused(body)


@pytest.mark.parametrize("depth", [201, 1000, 5000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_is_refused(depth: int, opening: bytes, closing: bytes) -> None:
    assert "too deeply" in refused(opening * depth + b"1" + closing * depth, limit=1 << 22)


def test_nesting_up_to_the_bound_is_masked() -> None:
    body = b'{"a":' * 199 + b'{"ssn":"123-45-6789"}' + b"}" * 199
    assert SECRET.encode() not in run(body).body


@pytest.mark.parametrize(
    "key", ["ssn", "SSN", "\\u0073sn", "\\u0053\\u0053N", "ｓｓｎ", "s\u200bsn", "ssn ", "\\ufeffssn", "s\\u0000sn"]
)
@pytest.mark.parametrize("value", ['"123-45-6789"', '["123-45-6789"]', '{"v":"123-45-6789"}', '"\\u0031\\u003223-45"'])
def test_keys_in_disguise(key: str, value: str) -> None:
    out = run(f'{{"rows":[{{"{key}":{value}}}]}}'.encode())
    assert "[redacted]" in out.body.decode()
    assert b"45" not in out.body


# -- statuses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 400, 404, 500, 503])
def test_error_bodies_go_through_the_same_engine(status: int) -> None:
    assert SECRET.encode() not in run(status=status).body
    assert str(status) in refused(f"Traceback: {SECRET}".encode(), status=status, kind="text/plain")


@pytest.mark.parametrize(("status", "method"), [(204, "GET"), (304, "GET"), (200, "HEAD"), (206 - 2, "POST")])
def test_no_body_is_proven_to_owe_nothing(status: int, method: str) -> None:
    out = run(
        b"", status=status, method=method, kind="text/csv", headers=((b"Content-Length", b"1234"), (b"ETag", b"x"))
    )
    assert out.body == b""
    assert field(out, b"content-length") == []
    assert field(out, b"etag") == []


def test_an_empty_redirect_passes() -> None:
    out = run(b"", status=302, kind=None, headers=((b"Location", b"/datasets/customers?columns=id"),))
    assert field(out, b"location") == [b"/datasets/customers?columns=id"]
    assert field(out, b"content-length") == [b"0"]


@pytest.mark.parametrize(
    "location", [b"/x?ssn=123", b"/x?a=1&SSN=1", b"/x?%73sn=1", b"/x#ssn=1", b"/x?a;ssn=1", b"http://[x?ssn=1"]
)
def test_a_redirect_with_a_masked_column_is_refused(location: bytes) -> None:
    assert "redirect" in refused(b"", status=302, kind=None, headers=((b"Location", location),))


@pytest.mark.parametrize("status", [206, 226, 101, 100, 103])
def test_parts_and_upgrades_are_refused(status: int) -> None:
    refused(status=status)
    refused(b"", status=status)


def test_parts_with_another_status_are_refused() -> None:
    refused(headers=((b"Content-Range", b"bytes 0-1/9"),))


def test_a_body_that_went_past_us_is_refused() -> None:
    refused(None)


def test_a_body_over_the_limit_is_refused() -> None:
    assert "too large" in refused(limit=20)


# -- fields -------------------------------------------------------------------------------------------------------


def test_fields_that_speak_of_the_original_are_taken_out() -> None:
    gone = [
        b"Content-MD5", b"Digest", b"Content-Digest", b"Repr-Digest", b"ETag", b"Last-Modified", b"Accept-Ranges",
        b"X-Amz-Checksum-SHA256", b"x-amz-checksum-crc64nvme", b"x-amz-crc32", b"Signature", b"Signature-Input",
        b"X-Hub-Signature-256", b"Trailer", b"Transfer-Encoding", b"Content-Length", b"Expires", b"Link",
    ]  # fmt: skip
    kept = ((b"Server", b"x"), (b"X-Request-Id", b"\xff1"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"))
    out = run(headers=(*((name, b"1") for name in gone), (b"Cache-Control", b"public, max-age=9"), *kept))
    left = [name for name, _ in out.headers]
    assert not {name.lower() for name in gone} - {b"content-length"} & {name.lower() for name in left}
    assert tuple(pair for pair in out.headers if pair in kept) == kept
    assert field(out, b"cache-control") == [b"private, no-store"]
    assert field(out, b"x-content-type-options") == [b"nosniff"]
    assert field(out, b"content-length") == [str(len(out.body)).encode()]


# -- exposure -----------------------------------------------------------------------------------------------------


def test_exposure_counts_and_names_and_holds_no_values() -> None:
    out = run()
    assert out.exposure.rows == 2
    assert out.exposure.columns == {"id": "clear", "ssn": "masked", "email": "masked"}
    assert out.exposure.masks == {"ids": 2, "mail": 1}
    assert SECRET not in repr(out.exposure)


def test_exposure_of_positional_rows_and_of_values_outside_rows() -> None:
    out = run(b'{"columns":["id","SSN"],"rows":[[1,"x"],[2,"y"],[3,"z"]]}')
    assert (out.exposure.rows, out.exposure.columns) == (3, {"id": "clear", "SSN": "masked"})
    out = run(b'{"id":1,"profile":{"email":"a@b.c"}}')
    assert (out.exposure.rows, out.exposure.columns, out.exposure.masks) == (0, {"email": "masked"}, {"mail": 1})


def test_a_column_that_is_masked_in_some_rows_only_counts_as_clear() -> None:
    first = Plan((Obligation("ids", "redact", path="$.rows[0].ssn"),), Methods(b"k" * 32))
    every = Plan((Obligation("ids", "redact", path="$.rows[*].ssn"),), Methods(b"k" * 32))
    assert run(plan=first).exposure.columns["ssn"] == "clear"
    assert run(plan=every).exposure.columns["ssn"] == "masked"


# -- anything -----------------------------------------------------------------------------------------------------

junk = st.binary(max_size=60) | st.builds(
    lambda at, byte: BODY[:at] + bytes([byte]) + BODY[at + 1 :], st.integers(0, len(BODY) - 1), st.integers(0, 255)
)


@given(junk)
def test_any_bytes_are_masked_or_refused(body: bytes) -> None:
    try:
        out = run(body)
    except Refusal:
        return
    if out.body:
        json.loads(out.body)
    # Where a byte of a key was changed, the key is another one; elsewhere no planted value is left.
    if body.count(b'"ssn"') == 2 and body.count(b"rows") == 1:
        assert SECRET.encode() not in out.body


def test_what_is_known_to_hold_no_rows_leaves_as_it_came():
    reply = Reply("GET", 200, ((b"content-type", b"application/x-unknown"),), b"\x81\xa3ssn\xa11")
    assert mask(reply, PLAN, (), 1000, Delivery(bare=True)).body == reply.body
    with pytest.raises(Refusal):
        mask(reply, PLAN, (), 1000, Delivery())
