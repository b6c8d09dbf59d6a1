"""Formats around and beside JSON: what is masked in them, and what is refused."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import brotli
import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Obligation
from sluicegate.masking.body import Masked, Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan

METHODS = Methods(b"k" * 32)
SSN, MAIL = "536-90-4399", "ada@example.org"
OWED = (Obligation("ids", "last4", frozenset({"ssn"})),)
LOOKING = (Obligation("mail", "redact", detect=frozenset({"email", "private-key"})),)
JSON = json.dumps({"rows": [{"id": 1, "ssn": SSN}]}).encode()


def masked(body: bytes, media: str, *owed: Obligation, coding: str = "") -> Masked:
    headers = ((b"content-type", media.encode()), *(((b"content-encoding", coding.encode()),) if coding else ()))
    found = mask(Reply("GET", 200, headers, body), Plan(owed or OWED, METHODS), ("gzip",), 1 << 20)
    assert SSN.encode() not in found.body and b"536" not in found.body
    return found


def refused(body: bytes, media: str, *owed: Obligation, coding: str = "") -> str:
    with pytest.raises(Refusal) as caught:
        masked(body, media, *owed, coding=coding)
    assert SSN not in repr(caught.value) and MAIL not in repr(caught.value)
    assert caught.value.rules == tuple(owed_.mask for owed_ in (owed or OWED))
    return caught.value.detail


# -- codings ------------------------------------------------------------------------------------------------------

PACK = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("outer", [*PACK, ""])
@pytest.mark.parametrize("inner", PACK)
def test_codings_on_top_of_each_other(inner: str, outer: str) -> None:
    body = PACK[inner](JSON)
    found = masked(PACK[outer](body) if outer else body, "application/json", coding=f"{inner}, {outer}".strip(", "))
    plain = gzip.decompress(found.body) if (b"content-encoding", b"gzip") in found.headers else found.body
    assert json.loads(plain) == {"rows": [{"id": 1, "ssn": "****4399"}]}


def test_deflate_without_its_head_and_three_codings() -> None:
    raw = zlib.compressobj(wbits=-15)
    masked(raw.compress(JSON) + raw.flush(), "application/json", coding="deflate")
    refused(gzip.compress(gzip.compress(gzip.compress(JSON))), "application/json", coding="gzip, gzip, gzip")
    refused(zlib.compress(JSON) + JSON, "application/json", coding="deflate")
    refused(zlib.compress(JSON)[:-5], "application/json", coding="deflate")
    refused(gzip.compress(zlib.compress(b"x" * (2 << 20))), "application/json", coding="deflate, gzip")


# -- character sets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "charset"),
    [
        ("utf-8-sig", ""), ("utf-8-sig", "utf-8"), ("utf-16", ""), ("utf-16", "utf-16"), ("utf-16-le", "utf-16le"),
        ("utf-16-be", "utf-16be"), ("utf-16-be", "utf-16"), ("utf-32", ""), ("utf-32", "utf-32"), ("utf-32-be", "utf-32be"),
        ("latin-1", "ISO-8859-1"), ("cp1252", "windows-1252"),
    ],
)  # fmt: skip
def test_character_sets(codec: str, charset: str) -> None:
    body = json.dumps({"ssn": SSN, "name": "Jürgen"}, ensure_ascii=False).encode(codec)
    found = masked(body, "application/json" + (f"; charset={charset}" if charset else ""))
    assert json.loads(found.body) == {"ssn": "****4399", "name": "Jürgen"}
    said = dict(found.headers)[b"content-type"].decode()
    assert said in ("application/json", "application/json; charset=utf-8")


@pytest.mark.parametrize(
    ("codec", "charset"),
    [("utf-16-le", ""), ("utf-16", "utf-8"), ("utf-16-le", "utf-16"), ("utf-8", "utf-16"), ("utf-8", "utf-7"),
     ("utf-32", "utf-16le"), ("latin-1", ""), ("utf-8", "shift_jis")],
)  # fmt: skip
def test_character_sets_that_do_not_fit_are_refused(codec: str, charset: str) -> None:
    body = json.dumps({"ssn": SSN, "name": "Jürgen"}, ensure_ascii=False).encode(codec)
    refused(body, "application/json" + (f"; charset={charset}" if charset else ""))


def test_csv_in_utf_16() -> None:
    assert masked(f"id,ssn\n1,{SSN}\n".encode("utf-16"), "text/csv").body == b"id,ssn\n1,****4399\n"


# -- events -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_events(end: str) -> None:
    lines = [
        ": a comment with " + SSN,
        "event: row",
        "id: 7",
        'data: {"ssn":',
        f'data: "{SSN}"}}',
        "",
        "data: [DONE]",
        "",
    ]
    body = end.join([*lines, "unknown: " + SSN, 'data:{"a":1}', ""]).encode()
    assert masked(body, "text/event-stream").body == (
        b'event: row\nid: 7\ndata: {"ssn":"****4399"}\n\ndata: [DONE]\n\ndata: {"a":1}\n\n'
    )


@pytest.mark.parametrize("data", [f"data: {SSN}", f'data: {{"ssn":"{SSN}"', f"id: my {SSN}\ndata: 1", "data: \xff"])
def test_events_that_cannot_be_masked(data: str) -> None:
    refused(data.encode("latin-1") + b"\n\n", "text/event-stream")


def test_values_cut_by_the_border_of_two_events() -> None:
    body = b'data: {"delta":"write to ada@ex"}\n\ndata: {"delta":"ample.org today"}\n\n'
    found = masked(body, "text/event-stream", *LOOKING).body
    assert found == b'data: {"delta":"write to [redacted]"}\n\ndata: {"delta":"[redacted] today"}\n\n'


# -- lines --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("between", ["", " ", "\n", "\r\n\t", "\n\n"])
def test_concatenated_json(between: str) -> None:
    body = between.join([f'{{"ssn":"{SSN}","n":1.50}}', '[{"a":"}{"}]', "{}"]).encode()
    found = masked(body, "application/x-json-stream").body
    assert found.split() == [b'{"ssn":"****4399","n":1.50}', b'[{"a":"}{"}]', b"{}"]
    refused(body + b'"', "application/x-json-stream")


@pytest.mark.parametrize("body", [b'{"id":1} 123-45-6789', b"123-45-6789\n", b'{"id":"a b c"}\n1.5-2\n', b"1 2"])
def test_numbers_that_run_into_each_other_are_no_lines_of_json(body: bytes) -> None:
    refused(body, "application/x-ndjson")


def test_numbers_with_a_line_each_are() -> None:
    assert masked(b"1\n\n2.50\n-3\n", "application/x-ndjson").body.split() == [b"1", b"2.50", b"-3"]


# -- forms and parts ----------------------------------------------------------------------------------------------


def test_forms() -> None:
    body = f"id=1&SSN={SSN}&x=%7B%22ssn%22%3A%22{SSN}%22%7D&e=".encode()
    found = masked(body, "application/x-www-form-urlencoded").body
    assert parse_qsl(found.decode(), keep_blank_values=True) == [
        ("id", "1"), ("SSN", "****4399"), ("x", '{"ssn":"****4399"}'), ("e", ""),
    ]  # fmt: skip
    refused(b"a", "application/x-www-form-urlencoded")
    refused(b"ssn=%ff", "application/x-www-form-urlencoded")
    assert b"ada" not in masked(b"q=ada%40example.org", "application/x-www-form-urlencoded", *LOOKING).body


def part(body: bytes, *fields: str) -> bytes:
    return b"--bOUnd\r\n" + "".join(field + "\r\n" for field in fields).encode() + b"\r\n" + body + b"\r\n"


FIELD = 'content-disposition: form-data; name="ssn"'
TYPE = 'multipart/form-data; boundary="bOUnd"'
LINES = b'{"ssn":"%s"}\n{"ssn":"%s"}\n' % (SSN.encode(), SSN.encode())


def test_parts_are_masked_as_bodies_of_their_own() -> None:
    body = b"preamble " + SSN.encode() + b"\r\n" + part(SSN.encode(), FIELD)
    body += part(
        LINES,
        'content-disposition: form-data; name="f"; filename="x"',
        "content-type: application/x-ndjson",
        "x-y: " + SSN,
    )
    found = masked(body + b"--bOUnd--\r\n", TYPE).body
    assert found == (
        b'--bOUnd\r\ncontent-disposition: form-data; name="ssn"\r\n\r\n****4399\r\n'
        b'--bOUnd\r\ncontent-disposition: form-data; name="f"; filename="x"\r\ncontent-type: application/x-ndjson\r\n\r\n'
        b'{"ssn":"****4399"}\n{"ssn":"****4399"}\n\r\n--bOUnd--\r\n'
    )


@pytest.mark.parametrize(
    "body",
    [
        part(JSON, "content-type: application/json"),
        part(JSON, "content-type: application/json") + b"--bOUnd--\r\n" + SSN.encode(),
        part(JSON, "content-type: image/png") + b"--bOUnd--",
        part(SSN.encode(), "content-disposition: form-data; name*=utf-8''ssn") + b"--bOUnd--",
        part(SSN.encode(), "content-disposition: form-data; name=a; name*=utf-8''ssn") + b"--bOUnd--",
        part(JSON, "content-type: application/json", "content-transfer-encoding: base64") + b"--bOUnd--",
        part(SSN.encode(), FIELD, "content-type: text/plain") + b"--bOUnd--",
        part(SSN.encode()) + b"--bOUnd--",
        part(SSN.encode(), "content-type text") + b"--bOUnd--",
        b"--bOUndx\r\n\r\n" + SSN.encode() + b"\r\n--bOUnd--",
        b"",
        SSN.encode(),
    ],
)
def test_parts_that_cannot_be_masked(body: bytes) -> None:
    if body:
        refused(body, TYPE)
    refused(body + b"x", "multipart/mixed")


# -- MessagePack --------------------------------------------------------------------------------------------------


def test_messagepack() -> None:
    value = {"rows": [{"ssn": SSN, "n": 1.5, "b": b"\xff\x00", "i": 2**63}] * 3, "t": json.dumps({"ssn": SSN})}
    found = msgspec.msgpack.decode(masked(msgspec.msgpack.encode(value), "application/msgpack").body)
    assert found["rows"][0] == {"ssn": "****4399", "n": 1.5, "b": b"\xff\x00", "i": 2**63}
    assert found["t"] == '{"ssn":"****4399"}'


@pytest.mark.parametrize(
    "value",
    [{1: SSN}, {"a": json.dumps({"ssn": SSN}).encode()}, {"a": msgspec.msgpack.Ext(1, SSN.encode())}, [[[SSN]]]],
)
def test_messagepack_that_cannot_be_masked(value: Any) -> None:
    if value != [[[SSN]]]:
        refused(msgspec.msgpack.encode(value), "application/msgpack")
    refused(msgspec.msgpack.encode({"ssn": SSN})[:-1], "application/msgpack")
    refused(msgspec.msgpack.encode({"ssn": SSN}) + b"x", "application/msgpack")


# -- XML ----------------------------------------------------------------------------------------------------------


def test_xml() -> None:
    body = f"""<?xml version="1.0"?><!-- {SSN} --><?p {SSN}?>
    <r xmlns:a="urn:a"><row id="1" SSN="{SSN}"><a:ssn>5<b>36</b>-90-4399</a:ssn><n>x &amp; &lt;y&gt;</n>
    <t>{{"ssn":"{SSN}"}}</t><c><![CDATA[<&>]]></c></row></r>""".encode()
    found = masked(body, "application/xml").body
    (row,) = ElementTree.fromstring(found)
    assert row.attrib == {"id": "1", "SSN": "****4399"}
    assert [child.text for child in row] == ["****4399", "x & <y>", '{"ssn":"****4399"}', "<&>"]
    assert masked(body.decode().replace("?>", ' encoding="utf-16"?>', 1).encode("utf-16"), "text/xml").body


@pytest.mark.parametrize(
    "body",
    [
        f'<!DOCTYPE r [<!ENTITY e "{SSN}">]><r>&e;</r>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1/x"><r/>',
        f"<r><ssn>{SSN}</r>",
        f"<r>{SSN}",
        "<a>" * 500 + SSN + "</a>" * 500,
        f"<r/>{SSN}",
    ],
)
def test_xml_that_cannot_be_masked(body: str) -> None:
    refused(body.encode(), "application/xml")


def test_detectors_look_into_xml() -> None:
    body = f'<r a="{MAIL}"><p>write to {MAIL}</p><p>or ada@ex</p><p>ample.org</p></r>'.encode()
    found = masked(body, "image/svg+xml" if False else "text/xml", *LOOKING).body
    assert b"ada" not in found and b"ample" not in found and b"write to [redacted]" in found


# -- plain text ---------------------------------------------------------------------------------------------------


def test_text_is_looked_at_and_refused_where_columns_are_owed() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIE\nabc\n-----END PRIVATE KEY-----"
    body = f"From: {MAIL}\n{key}\n{'x' * 9000} {MAIL} end\n".encode()
    found = masked(body, "text/plain; charset=utf-8", *LOOKING).body
    assert found == b"From: [redacted]\n[redacted]\n" + b"x" * 9000 + b" [redacted] end\n"
    refused(body, "text/plain")
    refused(body, "text/plain", *OWED, *LOOKING)
    refused(body, "text/html", *LOOKING)
    refused(b"\xff\xfe\xfd", "text/plain", *LOOKING)
    assert masked(f"a;b\n{MAIL};2\n".encode(), "text/csv", *LOOKING).body == b"a;b\n[redacted];2\n"


@given(st.text(alphabet="ab @.\n\r\x0b\x1c\u2028é", max_size=60))
def test_text_with_nothing_in_it_stays(text: str) -> None:
    if "@" not in text:
        assert masked(text.encode() or b"x", "text/plain", *LOOKING).body == (text.encode() or b"x")


TYPES = ["application/json", "application/x-ndjson", "text/event-stream", "application/x-www-form-urlencoded", "application/xml",
         "application/msgpack", "multipart/mixed; boundary=b", "text/plain", "text/csv"]  # fmt: skip


@given(st.binary(max_size=80), st.sampled_from(TYPES), st.sampled_from([OWED, LOOKING]))
def test_hostile_bytes_are_masked_or_refused(body: bytes, media: str, owed: tuple[Obligation, ...]) -> None:
    try:
        mask(Reply("GET", 200, ((b"content-type", media.encode()),), body), Plan(owed, METHODS), (), 1 << 20)
    except Refusal as refusal:
        assert refusal.code == "unmaskable"
