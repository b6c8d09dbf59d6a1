"""CSV, text, Arrow, and what detectors look into: in pieces they leave as they would whole, or not at all."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Exposure, Obligation
from sluicegate.masking import arrow_passing, csv_passing, document_passing, plain_text, records
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.stream import Passing, open_stream

METHODS = Methods(b"k" * 32)
SSN, MAIL = "536-90-4399", "ada.lovelace@example.org"
NAMES = Plan(
    (Obligation("ids", "last4", frozenset({"ssn"})), Obligation("mail", "null", frozenset({"email"}))), METHODS
)
PATHS = Plan((Obligation("ids", "last4", path="$..ssn"), Obligation("mail", "hmac", path="$.rows[*].email")), METHODS)
ALL = frozenset(("email", "national-id", "card", "private-key", "phone", "jwt"))
LOOKS = Plan((Obligation("all", "redact", detect=ALL),), METHODS)
BOTH = Plan((Obligation("all", "hmac", detect=ALL), Obligation("ids", "last4", frozenset({"id"}))), METHODS)
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK==\n-----END RSA PRIVATE KEY-----"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(records, "FIRST", 4)
    monkeypatch.setattr(document_passing, "OPENS", 0)
    monkeypatch.setattr(document_passing, "ROW_OPENS", 200)


def passed(media: str, pieces: list[bytes], plan: Plan) -> tuple[bytes, Passing]:
    stream = open_stream(((b"content-type", media.encode()),), 200, plan, (), None)
    assert stream is not None
    out = [out for piece in pieces for out in stream.feed(piece)]
    return b"".join([*out, *stream.end()]), stream


def whole(media: str, body: bytes, plan: Plan) -> tuple[bytes, Exposure]:
    found = mask(Reply("GET", 200, ((b"content-type", media.encode()),), body), plan, (), 1 << 22)
    return found.body, found.exposure


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    return [body[one:other] for one, other in pairwise([0, *sorted(min(at, len(body)) for at in cuts), len(body)])]


CSV = {
    "plain": f"id,ssn,email\n1,{SSN},{MAIL}\n2,,x@y.org\n3,{SSN},\n",
    "no end": f"id;ssn\n1;{SSN}\n2;{SSN}",
    "crlf": f"id,ssn,n\r\n1,{SSN},007\r\n2,{SSN},1e5\r\n",
    "quoted": f'"id","ssn","note"\n"1","{SSN}","a, ""b""\nc,{1}"\n2,"{SSN}",\n',
    "quoted crlf": f'"id";"ssn"\r\n"1";"{SSN}"\r\n"a\n\nb";"{SSN}"\r\n',
    "mark": f"\ufeffid,ssn\n1,{SSN}\n",
    "one column": f"ssn\n{SSN}\n{SSN}\n",
    "header alone": "id,ssn\n",
    "json inside": f'"id",x,ssn\n1,"{{""ssn"": ""{SSN}"", ""a"": [1]}}",2\n',
}


@pytest.mark.parametrize("plan", [NAMES, PATHS], ids=["names", "paths"])
@pytest.mark.parametrize("name", CSV)
def test_csv_cut_anywhere(name: str, plan: Plan) -> None:
    for media, sign in (("text/csv", None), ("text/tab-separated-values", "\t")):
        text = CSV[name] if sign is None else CSV[name].replace(",", sign).replace(";", sign)
        if sign is not None and name.startswith(("quoted", "json")):
            continue
        body = text.encode()
        expected, exposure = whole(media, body, plan)
        assert SSN.encode() not in expected
        for place in range(len(body) + 1):
            got, stream = passed(media, [body[:place], body[place:]], plan)
            assert got == expected and stream.exposure == exposure, place
        assert passed(media, [body[at : at + 1] for at in range(len(body))], plan)[0] == expected


_CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@given(
    st.lists(st.lists(_CELLS, min_size=3, max_size=3), min_size=1, max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.lists(st.integers(0, 200), max_size=5),
)
def test_any_csv_cut_anywhere_is_masked_alike_or_not_at_all(rows, delimiter, ending, always, cuts) -> None:
    out = io.StringIO()
    writer = csv.writer(
        out, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL if always else csv.QUOTE_MINIMAL
    )
    writer.writerows([["id", "ssn", "note"], *rows])
    body = out.getvalue().encode()
    try:
        got = passed("text/csv", cut(body, cuts), NAMES)[0]
    except Refusal:
        return
    assert got == whole("text/csv", body, NAMES)[0]


@given(st.binary(max_size=60) | st.text('id,ssn\n\r"; \t', max_size=40).map(str.encode), st.lists(st.integers(0, 60)))
def test_what_is_no_csv_never_ends_well(body: bytes, cuts: list[int]) -> None:
    try:
        whole("text/csv", b"id,ssn\n" + body, NAMES)
    except Refusal:
        with pytest.raises(Refusal):
            passed("text/csv", cut(b"id,ssn\n" + body, cuts), NAMES)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (f'9,"{SSN}"\n', "no quotes"),
        (f"9,{SSN}\r\n", "several ways"),
        (f"9,{SSN},1\n", "readable as CSV"),
        ("9\n", "readable as CSV"),
        (f"\n9,{SSN}\n", "empty lines"),
        (f"9,{SSN}\0\n", "zero bytes"),
        ("9," + "x" * 3000, "too long"),
    ],
)
def test_csv_that_is_written_otherwise_later_ends_there(monkeypatch, row: str, why: str) -> None:
    monkeypatch.setattr(csv_passing, "LONGEST_ROW", 2000)
    stream = open_stream(((b"content-type", b"text/csv"),), 200, NAMES, (), None)
    assert stream is not None
    left = b"".join(stream.feed(b"id,ssn\n" + f"1,{SSN}\n".encode() * 5))
    assert left.count(b"****4399") == 5
    with pytest.raises(Refusal, match=why):
        left += b"".join(stream.feed(row.encode()))
    assert SSN.encode() not in left


def test_csv_whose_first_row_names_nothing_never_begins() -> None:
    for body in (f"1,{SSN}\n2,{SSN}\n", "\n\n", f'"id","s"sn"\n1,{SSN}\n'):
        for place in range(len(body)):
            with pytest.raises(Refusal):
                passed("text/csv", [body[:place].encode(), body[place:].encode()], NAMES)


TEXTS = {
    "lines": f"call {SSN[:7]}\n{SSN[7:]} now\nwrite to {MAIL} today\n\nor to {MAIL[:9]}\n{MAIL[9:]}\n",
    "no end": f"my number is {SSN}",
    "long": "x " * 2040 + f"{MAIL} and {SSN} " + "y " * 3000 + MAIL,
    "key": f"a\nb {KEY} c {MAIL}\n{KEY}{KEY}\nend\n",
    "half a key": f"a {MAIL}\nb -----BEGIN PRIVATE KEY-----\nMIIE\nmore\n",
    "other letters": f"Grüße\nan {MAIL}\r\n\r\n🙂 {SSN}\n",
}


@pytest.mark.parametrize("media", ["text/plain", "text/csv"])
@pytest.mark.parametrize("name", TEXTS)
def test_text_cut_anywhere(name: str, media: str) -> None:
    body = TEXTS[name].encode()
    expected, exposure = whole(media, body, LOOKS)
    assert exposure.masks and MAIL.encode() not in expected and SSN.encode() not in expected
    for place in range(0, len(body) + 1, 1 if len(body) < 1000 else 211):
        got, stream = passed(media, [body[:place], body[place:]], LOOKS)
        assert got == expected and stream.exposure == exposure, place
    assert passed(media, [body[at : at + 7] for at in range(0, len(body), 7)], LOOKS)[0] == expected


_WORDS = st.sampled_from(
    [
        SSN,
        MAIL,
        KEY,
        SSN[:6],
        SSN[6:],
        "call",
        " ",
        " ",
        "\n",
        "\n",
        "4111 1111 1111",
        " 1111",
        "é",
        "+49 151",
        " 12345678",
        KEY[:40],
    ]
)


@given(st.lists(_WORDS, max_size=12).map("".join), st.lists(st.integers(0, 300), max_size=5))
def test_any_text_cut_anywhere(text: str, cuts: list[int]) -> None:
    body = text.encode()
    if body:
        assert passed("text/plain", cut(body, cuts), LOOKS)[0] == whole("text/plain", body, LOOKS)[0]


def test_a_key_or_a_line_without_an_end_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(plain_text, "LONGEST", 1000)
    for body in (b"-----BEGIN PRIVATE KEY-----\n" + b"MIIE\n" * 400, b"x" * 2000):
        left = b""
        stream = open_stream(((b"content-type", b"text/plain"),), 200, LOOKS, (), None)
        with pytest.raises(Refusal, match="too long"):
            for at in range(0, len(body), 100):
                left += b"".join(stream.feed(body[at : at + 100]))
        assert not left


ROWS = [
    {"id": 1, "text": f"my mail is {MAIL}", "x": [{"y": SSN}]},
    {"id": 2, "text": "number 536-90"},
    {"id": 3, "text": "-4399 it is", "card": 4111111111111111},
    {"id": 4, "text": "reach me at ada.lovelace"},
    {"id": 5, "text": "@example.org or so", MAIL: 1},
    {"id": 6, "text": json.dumps({"a": MAIL})},
]
DOCUMENTS = {
    "lines": ("application/x-ndjson", "".join(json.dumps(row) + "\n" for row in ROWS)),
    "lines, no end": ("application/x-ndjson", "\n".join(json.dumps(row) for row in ROWS)),
    "events": ("text/event-stream", "".join(f"id: {row['id']}\ndata: {json.dumps(row)}\n\n" for row in ROWS)),
    "events, words": (
        "text/event-stream",
        f"event: x\n\ndata: {json.dumps(ROWS[0])}\n\ndata: {json.dumps(ROWS[1])}\n\ndata: [DONE]\n\n",
    ),
    "sequence": ("application/json-seq", "".join(f"\x1e{json.dumps(row)}\n" for row in ROWS)),
    "array": ("application/json", json.dumps(ROWS)),
    "rows": (
        "application/json",
        json.dumps({"rows": ROWS, "note": f"{SSN}", "more": [ROWS[1]["text"], ROWS[2]["text"]]}),
    ),
    "texts": ("application/json", json.dumps([ROWS[1]["text"], ROWS[2]["text"], "x", MAIL])),
    "phones": ("application/json", json.dumps({"phone": [2025550143, 2025550144], "id": [2025550143]})),
    "keys": ("application/json", json.dumps({MAIL: 1, "b@example.org": [{MAIL: 2, "c@example.org": 3}]})),
}


_PARTS = st.lists(st.sampled_from([SSN[:5], SSN[5:], SSN, "my", " ", "a@exam", "ple.org", "12"]), max_size=5).map(
    "".join
)


SHEETS = {
    "cut": (
        "text/csv",
        '"id",note,x\n1,"my number 536-90",a\n2,"-4399 it is",b\n3,"reach ada.lovelace",\n4,@example.org c,d\n',
    ),
    "no end": ("text/csv", f"id;note\n1;my {MAIL}\n2;{MAIL}"),
    "crlf": ("text/csv", f"id,note\r\n1,my {MAIL}\r\n2,no 536-90\r\n3,-4399 it is\r\n"),
    "tsv": ("text/tab-separated-values", f"id\tnote\n1\tmy {MAIL}\n2\t\n3\tno 536-90\n4\t-4399 it is\n"),
    "in words": ("text/csv", f"id,ssn,customer phone\n1,{SSN.replace('-', '')},2025550143\n2,,\n"),
    "in a name": ("text/csv", f"id,{MAIL}\n1,2\n"),
    "json": ("text/csv", f'"id",note\n1,"{{""a"": ""{MAIL}"", ""id"": 12345}}"\n'),
}


@pytest.mark.parametrize("name", SHEETS)
def test_rows_with_columns_and_detectors_cut_anywhere(name: str) -> None:
    media, text = SHEETS[name]
    body = text.encode()
    expected, exposure = whole(media, body, BOTH)
    assert exposure.masks.keys() == {"all", "ids"} or name in ("tsv", "no end")
    for shown in (b"lovelace", b"536-90", b"-4399", b"536904399", b"2025550143", b"12345"):
        assert shown not in expected
    for place in range(len(body) + 1):
        got, stream = passed(media, [body[:place], body[place:]], BOTH)
        assert got == expected, place
        assert stream.exposure == exposure
    assert passed(media, [body[at : at + 1] for at in range(len(body))], BOTH)[0] == expected


@given(
    st.lists(st.tuples(_PARTS, _PARTS), min_size=1, max_size=6),
    st.lists(st.integers(0, 200), max_size=5),
)
def test_any_sheet_with_values_cut_by_rows_and_rows_cut_by_pieces(rows, cuts) -> None:
    rows[0] = (rows[0][0], f"{rows[0][1]} ")  # whether a column holds what may be cut is known from its first rows
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("id", "a", "b"), *((n, f"{one} ", other) for n, (one, other) in enumerate(rows))])
    body = out.getvalue().encode()
    assert passed("text/csv", cut(body, cuts), BOTH)[0] == whole("text/csv", body, BOTH)[0]


@pytest.mark.parametrize("plan", [LOOKS, BOTH], ids=["looks", "both"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_with_detectors_cut_anywhere(name: str, plan: Plan) -> None:
    media, text = DOCUMENTS[name]
    body = text.encode()
    expected, exposure = whole(media, body, plan)
    assert exposure.masks and b"lovelace" not in expected and b"-4399" not in expected
    for place in range(len(body) + 1):
        got, stream = passed(media, [body[:place], body[place:]], plan)
        assert got == expected, place
        assert stream.exposure.masks.keys() == exposure.masks.keys()
    assert passed(media, [body[at : at + 1] for at in range(len(body))], plan)[0] == expected


@given(
    st.lists(st.fixed_dictionaries({"t": _PARTS, "id": st.integers(0, 9)}), min_size=1, max_size=6),
    st.lists(st.integers(0, 300), max_size=5),
    st.sampled_from(["lines", "events", "array"]),
)
def test_values_cut_by_rows_and_rows_cut_by_pieces(rows, cuts, kind) -> None:
    if not any(" " in row["t"] for row in rows[:1]):
        rows[0]["t"] += " "  # texts with blanks are what is cut; whether a column holds such is known from its first
    if kind == "array":
        media, body = "application/json", json.dumps(rows)
    elif kind == "lines":
        media, body = "application/x-ndjson", "".join(json.dumps(row) + "\n" for row in rows)
    else:
        media, body = "text/event-stream", "".join(f"data: {json.dumps(row)}\n\n" for row in rows)
    assert passed(media, cut(body.encode(), cuts), LOOKS)[0] == whole(media, body.encode(), LOOKS)[0]


def test_an_event_that_ends_the_stream_lets_the_last_one_go() -> None:
    stream = open_stream(((b"content-type", b"text/event-stream"),), 200, LOOKS, (), None)
    assert stream is not None
    assert stream.feed(b'data: {"a": "536-90"}\n\n') == []
    out = stream.feed(b"data: [DONE]\n\n")
    assert b"".join(out) == b'data: {"a":"536-90"}\n\ndata: [DONE]\n\n' and stream.end() == []


SCHEMA = pa.schema(
    [("id", pa.int64()), ("ssn", pa.string()), ("kind", pa.dictionary(pa.int8(), pa.string())), ("email", pa.string())],
    metadata={b"made": b"here"},
)


def arrow(batches: list[list], *, compression: str | None = None, end: bool = True) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        for batch in batches:
            ids = pa.array(batch, pa.int64())
            kinds = pa.array([f"k{len(batch)}{n % 3}" for n in batch]).dictionary_encode()
            kinds = pa.DictionaryArray.from_arrays(kinds.indices.cast(pa.int8()), kinds.dictionary)
            texts = [pa.array([value] * len(batch), pa.string()) for value in (SSN, MAIL)]
            writer.write_batch(pa.RecordBatch.from_arrays([ids, texts[0], kinds, texts[1]], schema=SCHEMA))
    return bytes(sink.getvalue()) if end else bytes(sink.getvalue())[:-8]


ARROW = "application/vnd.apache.arrow.stream"
STREAMS = {
    "batches": arrow([[1, 2, 3], [4], [5, 6, 7, 8]]),
    "compressed": arrow([[1, 2, 3], [4, 5]], compression="zstd"),
    "empty": arrow([]),
    "empty batch": arrow([[], [1]]),
    "zeros behind": arrow([[1, 2]]) + bytes(16),
}


@pytest.mark.parametrize("plan", [NAMES, LOOKS], ids=["names", "looks"])
@pytest.mark.parametrize("name", STREAMS)
def test_arrow_cut_anywhere(name: str, plan: Plan) -> None:
    body = STREAMS[name]
    expected, exposure = whole(ARROW, body, plan)
    assert SSN.encode() not in expected and MAIL.encode() not in expected
    for place in range(0, len(body) + 1, 7):
        got, stream = passed(ARROW, [body[:place], body[place:]], plan)
        assert got == expected and stream.exposure == exposure, place
    assert passed(ARROW, [body[at : at + 1] for at in range(len(body))], plan)[0] == expected


def test_arrow_that_is_cut_or_broken_never_ends_well() -> None:
    body = STREAMS["batches"]
    for place in range(0, len(body), 5):
        try:
            got = passed(ARROW, [body[:place]], NAMES)[0]
        except Refusal:
            continue
        assert got == whole(ARROW, body[:place], NAMES)[0], place  # at the end of a message nobody can tell
    for place in range(0, len(body), 11):
        for value in (0, 255, body[place] ^ 1):
            broken = body[:place] + bytes([value]) + body[place + 1 :]
            try:
                got = passed(ARROW, cut(broken, [place]), NAMES)[0]
            except Refusal:
                continue
            assert SSN.encode() not in got and MAIL.encode() not in got


def test_arrow_that_is_too_large_is_refused_before_it_is_read(monkeypatch) -> None:
    monkeypatch.setattr(arrow_passing, "LARGEST", 3000)
    zeros = arrow([list(range(5000))], compression="zstd")
    for body in (arrow([list(range(2000))]), zeros):
        with pytest.raises(Refusal, match="too large"):
            passed(ARROW, [body], NAMES)
    file = b"ARROW1\0\0" + body
    with pytest.raises(Refusal, match="file"):
        passed(ARROW, [file], NAMES)
