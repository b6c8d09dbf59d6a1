"""Masked in passing is masked: whatever the cuts, what leaves is what leaves when the body is here as a whole."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.codings import NAMES, decode
from sluicegate.errors import Refusal
from sluicegate.exchange import Exposure, Obligation, Watch
from sluicegate.mask_method import Manner
from sluicegate.masking import records, reports
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.records import LONGEST
from sluicegate.masking.rules import Plan
from sluicegate.masking.stream import Passing, open_stream

METHODS = Methods(b"k" * 32)
PLAN = Plan((Obligation("ids", "last4", frozenset({"ssn"})), Obligation("mail", "drop", path="$..email")), METHODS)
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:]),
    "br": brotli.compress,
    "zstd": lambda body: zstandard.compress(body[:9]) + zstandard.compress(body[9:]),
    "deflate": zlib.compress,
    "deflate ": lambda body: zlib.compress(body, wbits=-15),
    "br, gzip": lambda body: gzip.compress(brotli.compress(body)),
    "zstd, deflate": lambda body: zlib.compress(zstandard.compress(body[:9]) + zstandard.compress(body[9:])),
}
LOOKED = Plan((Obligation("ids", "redact", frozenset({"ssn"})),), METHODS)
"""As a mask that only reports looks."""
ROW = {"id": 12345678901234567890123, "ssn": "123-45-6789", "email": "a@example.org", "in": {"ssn": "987-65-4321"}}
BODIES = {
    "application/x-ndjson": b"".join(json.dumps({**ROW, "n": n}).encode() + b"\n" for n in range(3)),
    "application/json-seq": b"".join(b"\x1e%s\n" % json.dumps({**ROW, "n": n}).encode() for n in range(3)),
    "text/event-stream": b"".join(b"id: %d\r\ndata: %s\r\n\r\n" % (n, json.dumps(ROW).encode()) for n in range(3)),
}


def opened(media: str, coding: str = "", plan: Plan | None = PLAN, watch: Watch | None = None) -> Passing | None:
    fields = ((b"content-type", media.encode()), *(((b"content-encoding", coding.encode()),) if coding else ()))
    return open_stream(fields, 200, plan, (coding,) if coding in NAMES else (), watch)


def left(coding: str) -> str:
    """The coding in which it leaves."""
    return coding if coding in NAMES else ""


def passed(stream: Passing | None, pieces: list[bytes]) -> bytes:
    assert stream is not None
    out = [piece for data in pieces for piece in stream.feed(data)]
    assert b"" not in out  # in HTTP/1.1 an empty piece would be the end
    return b"".join([*out, *stream.end()])


def whole(media: str, body: bytes) -> tuple[bytes, Exposure]:
    found = mask(Reply("GET", 200, ((b"content-type", media.encode()),), body), PLAN, (), 1 << 20)
    return found.body, found.exposure


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("media", BODIES)
def test_every_split_position_gives_the_same(media: str, coding: str) -> None:
    wire = CODINGS[coding](BODIES[media])
    expected, exposure = whole(media, BODIES[media])
    for place in range(len(wire) + 1):
        stream = opened(media, coding)
        assert decode(passed(stream, [wire[:place], wire[place:]]), left(coding), 1 << 20) == expected, place
        assert stream is not None and stream.exposure == exposure


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("media", BODIES)
def test_byte_by_byte_gives_the_same(media: str, coding: str) -> None:
    wire = CODINGS[coding](BODIES[media])
    pieces = [wire[at : at + 1] for at in range(len(wire))]
    assert decode(passed(opened(media, coding), pieces), left(coding), 1 << 20) == whole(media, BODIES[media])[0]


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["ssn", "email", "x"]), inner),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.sampled_from(["ssn", "email", "a"]), _VALUES), min_size=1, max_size=5), st.data())
def test_any_rows_cut_anywhere_are_masked_alike_or_not_at_all(rows: list[object], data: st.DataObject) -> None:
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=4)))
    pieces = [body[one:other] for one, other in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    try:
        got = passed(opened("application/x-ndjson"), pieces)
    except Refusal:
        return  # arrays of arrays: another line might name their columns
    assert got == whole("application/x-ndjson", body)[0]


def test_arrays_of_arrays_never_pass_whatever_line_names_their_columns() -> None:
    stream = opened("application/x-ndjson")
    assert stream is not None
    with pytest.raises(Refusal, match="arrays of arrays"):
        stream.feed(b'{"rows": [["123-45-6789"]]}\n')
    with pytest.raises(RuntimeError):  # what has failed gives nothing more
        stream.feed(b'{"columns": ["ssn"]}\n')


@pytest.mark.parametrize("coding", list(CODINGS)[1:])
def test_a_body_that_is_cut_is_never_complete(coding: str) -> None:
    wire = CODINGS[coding](BODIES["application/x-ndjson"])
    for place in range(len(wire)):
        stream = opened("application/x-ndjson", coding)
        assert stream is not None
        try:
            stream.feed(wire[:place])
            stream.end()
        except Refusal:
            continue
        # Behind a whole member or frame nobody can tell that another one was to come.
        assert coding in ("gzip", "zstd") and place > 0
        assert decode(wire[:place], coding, 1 << 20) == BODIES["application/x-ndjson"][:9]


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate", "gzip, gzip"])
def test_a_bomb_is_stopped_while_it_grows(coding: str) -> None:
    zeros = {"gzip": lambda: gzip.compress(bytes(64 << 20)), "br": lambda: brotli.compress(bytes(64 << 20), quality=3)}
    zeros["zstd"] = lambda: zstandard.compress(bytes(64 << 20))
    zeros["deflate"] = lambda: zlib.compress(bytes(64 << 20))
    zeros["gzip, gzip"] = lambda: gzip.compress(gzip.compress(bytes(64 << 20)))
    wire = zeros[coding]()
    stream = opened("application/octet-stream", coding, None)
    assert stream is not None
    with pytest.raises(Refusal, match="grows too much"):
        stream.feed(wire)


def test_a_record_without_an_end_is_refused() -> None:
    stream = opened("application/x-ndjson")
    assert stream is not None
    stream.feed(b'{"a": "')
    with pytest.raises(Refusal, match="too long"):
        stream.feed(b"x" * LONGEST)


@pytest.mark.parametrize(
    ("media", "coding"),
    [
        ("application/json; charset=utf-7", ""),
        ("application/vnd.apache.parquet", ""),
        ("application/x-ndjson; charset=several", ""),
        ("application/x-ndjson", "gzip, br, gzip"),
        ("application/x-ndjson", "rot13"),
    ],
)
def test_what_cannot_pass_is_waited_for(media: str, coding: str) -> None:
    assert opened(media, coding) is None


def test_separators_are_left_to_those_who_see_all() -> None:
    stream = opened("application/x-ndjson")
    assert stream is not None
    with pytest.raises(Refusal, match="does not begin as its type says"):
        stream.feed(b"\x1e" + BODIES["application/x-ndjson"])


@pytest.mark.parametrize(
    "body",
    [
        b'{"ssn": 1}\n',
        b'\n\x1e{"a": 1}\n',
        b'\x1e{"a": 1}\n{"a": 2}\n',
        b"\x1e\x1e{}\n",
        b'\x1e{"a": "x',
        b'\x1e{"a": \x1e 1}',
    ],
)
def test_what_is_no_sequence_never_ends_well(body: bytes) -> None:
    for place in range(len(body) + 1):
        with pytest.raises(Refusal):
            passed(opened("application/json-seq"), [body[:place], body[place:]])
    with pytest.raises(Refusal):
        whole("application/json-seq", body)


CHARSETS = {
    "utf-8-sig": ("", "utf-8-sig"),
    "mark": ("", "utf-16"),
    "utf-16": ("utf-16", "utf-16-be"),
    "utf-16le": ("utf-16le", "utf-16-le"),
    "utf-32, mark": ("utf-32", "utf-32"),
    "utf-32be": ("utf-32be", "utf-32-be"),
    "latin1": ("iso-8859-1", "latin-1"),
    "windows": ("windows-1252", "cp1252"),
}
TEXTS = {
    "application/x-ndjson": "".join(json.dumps({**ROW, "n": "Lübeck"}, ensure_ascii=False) + "\n" for _ in range(3)),
    "text/event-stream": f"data: {json.dumps({**ROW, 'n': 'Lübeck'}, ensure_ascii=False)}\n\n" * 2,
    "application/json": json.dumps({"rows": [{**ROW, "n": "Lübeck"}] * 2}, ensure_ascii=False),
    "text/csv": "ssn,email,n\n123-45-6789,a@example.org,Lübeck\n",
}


@pytest.mark.parametrize("size", [0, 4], ids=["whole", "apart"])
@pytest.mark.parametrize("name", CHARSETS)
@pytest.mark.parametrize("media", TEXTS)
def test_every_character_set_cut_anywhere(monkeypatch, media: str, name: str, size: int) -> None:
    monkeypatch.setattr(records, "FIRST", size or 1 << 20)
    charset, codec = CHARSETS[name]
    said = f"{media}; charset={charset}" if charset else media
    body = TEXTS[media].encode(codec)
    expected, exposure = whole(said, body)
    assert b"123-45-" not in expected and "Lübeck".encode() in expected
    for place in range(0, len(body) + 1, 1 if len(body) < 800 else 7):
        stream = opened(said)
        assert passed(stream, [body[:place], body[place:]]) == expected, place
        assert stream is not None and stream.exposure == exposure
        assert not charset or (b"content-type", f"{media}; charset=utf-8".encode()) in stream.fields
    assert passed(opened(said), [body[at : at + 1] for at in range(len(body))]) == expected


@pytest.mark.parametrize("codec", ["utf-16", "utf-32"])
@pytest.mark.parametrize("media", TEXTS)
def test_a_wide_text_that_is_cut_in_a_letter_never_ends_well(media: str, codec: str) -> None:
    stream = opened(media)
    assert stream is not None
    with pytest.raises(Refusal):
        passed(stream, [TEXTS[media].encode(codec)[:-1]])


@pytest.mark.parametrize(("charset", "mark"), [("utf-16be", b"\xff\xfe"), ("utf-8", b"\xff\xfe"), ("", b"\xff\xff")])
def test_a_mark_that_its_charset_denies_is_refused(charset: str, mark: bytes) -> None:
    stream = opened(f"application/x-ndjson; charset={charset}" if charset else "application/x-ndjson")
    assert stream is not None
    with pytest.raises(Refusal):
        passed(stream, [mark + BODIES["application/x-ndjson"]])


REPORT = Obligation("ids", "redact", frozenset({"ssn"}), manner=Manner(on_match="report"))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("media", [*BODIES, "application/json", "text/csv"])
def test_masks_that_only_report_look_at_what_passes_and_change_nothing(media: str, coding: str) -> None:
    body = BODIES.get(media) or TEXTS[media].encode()
    wire = CODINGS[coding](body)
    expected = reports.findings(Reply("GET", 200, ((b"content-type", media.encode()),), body), LOOKED, 1 << 20, None)
    assert expected and expected[0].evidence["mask"] == "ids"
    for place in range(0, len(wire) + 1, 7):
        stream = opened(media, coding, Plan((REPORT,), METHODS))
        assert decode(passed(stream, [wire[:place], wire[place:]]), left(coding), 1 << 20) == body
        assert stream is not None and stream.findings() == expected
        assert not stream.findings() and not stream.exposure.masks


@pytest.mark.parametrize("media", [*BODIES, "application/json", "text/csv"])
def test_one_mask_reports_and_another_masks_in_passing(media: str) -> None:
    body = BODIES.get(media) or TEXTS[media].encode()
    mail = Obligation("mail", "redact", frozenset({"email"}))
    stream = opened(media, "", Plan((REPORT, mail), METHODS))
    got = passed(stream, [body[at : at + 50] for at in range(0, len(body), 50)])
    assert b"example.org" not in got and b"123-45-6789" in got
    assert stream is not None and stream.exposure.masks.keys() == {"mail"}
    assert [finding.evidence["mask"] for finding in stream.findings()] == ["ids"]


def test_what_cannot_be_looked_at_passes_and_says_so() -> None:
    plan = Plan((REPORT,), METHODS)
    stream = opened("application/json", "", plan)
    assert passed(stream, [b'{"ssn": ', b"nothing"]) == b'{"ssn": nothing'
    assert stream is not None and "could not be looked at" in stream.findings()[0].detail
    assert opened("application/vnd.apache.parquet", "", plan) is None  # what is kept whole is looked at
    sized = ((b"content-type", b"application/vnd.apache.parquet"), (b"content-length", b"99999999"))
    stream = open_stream(sized, 200, plan, (), None)
    assert passed(stream, [b"PAR1"]) == b"PAR1"
    assert stream is not None and "too large" in stream.findings()[0].detail


@pytest.mark.parametrize(
    ("media", "obligation"),
    [
        ("text/plain", Obligation("ids", "redact", frozenset({"ssn"}))),
        ("text/plain", Obligation("keys", "null", detect=frozenset({"private-key"}))),
        ("application/json", Obligation("all", "redact", path="$")),
    ],
)
def test_what_needs_all_of_it_is_waited_for(media: str, obligation: Obligation) -> None:
    assert opened(media, "", Plan((obligation,), METHODS)) is None


def test_what_is_watched_for_is_seen_across_every_cut() -> None:
    secret = b"the-service-secret"

    def look(piece: bytes) -> None:
        if secret in piece:
            raise Refusal(502, "credential-echoed", "Answer holds a credential", "It does.")

    body = b"x" * 50 + secret + b"y" * 50
    for place in range(len(body) + 1):
        stream = opened("application/octet-stream", "", None, Watch(look, len(secret) - 1))
        assert stream is not None
        left = b""
        with pytest.raises(Refusal):
            for piece in (body[:place], body[place:]):
                left += b"".join(stream.feed(piece))
            stream.end()
        assert left.strip(b"x") == b"", place


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_what_owes_nothing_is_unchanged(body: bytes, cuts: list[int]) -> None:
    places = sorted(min(cut, len(body)) for cut in cuts)
    pieces = [body[one:other] for one, other in zip([0, *places], [*places, len(body)], strict=True)]
    watch = Watch(lambda piece: None, 7)
    assert passed(opened("application/octet-stream", "", None, watch), pieces) == body
    packed = zlib.compress(body, wbits=31)
    assert decode(passed(opened("text/plain", "gzip", None), [packed[:5], packed[5:]]), "gzip", 1 << 20) == body
