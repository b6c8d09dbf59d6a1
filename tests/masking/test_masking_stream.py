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

from sluicegate.codings import decode
from sluicegate.errors import Refusal
from sluicegate.exchange import Exposure, Obligation, Watch
from sluicegate.mask_method import Manner
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
}
ROW = {"id": 12345678901234567890123, "ssn": "123-45-6789", "email": "a@example.org", "in": {"ssn": "987-65-4321"}}
BODIES = {
    "application/x-ndjson": b"".join(json.dumps({**ROW, "n": n}).encode() + b"\n" for n in range(3)),
    "text/event-stream": b"".join(b"id: %d\r\ndata: %s\r\n\r\n" % (n, json.dumps(ROW).encode()) for n in range(3)),
}


def opened(media: str, coding: str = "", plan: Plan | None = PLAN, watch: Watch | None = None) -> Passing | None:
    fields = ((b"content-type", media.encode()), *(((b"content-encoding", coding.encode()),) if coding else ()))
    return open_stream(fields, 200, plan, (coding,) if coding else (), watch)


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
        assert decode(passed(stream, [wire[:place], wire[place:]]), coding, 1 << 20) == expected, place
        assert stream is not None and stream.exposure == exposure


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("media", BODIES)
def test_byte_by_byte_gives_the_same(media: str, coding: str) -> None:
    wire = CODINGS[coding](BODIES[media])
    pieces = [wire[at : at + 1] for at in range(len(wire))]
    assert decode(passed(opened(media, coding), pieces), coding, 1 << 20) == whole(media, BODIES[media])[0]


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


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_body_that_is_cut_is_never_complete(coding: str) -> None:
    wire = CODINGS[coding](BODIES["application/x-ndjson"])
    member = len(CODINGS[coding](BODIES["application/x-ndjson"][:9])) if coding == "br" else None
    for place in range(len(wire)):
        stream = opened("application/x-ndjson", coding)
        assert stream is not None
        try:
            stream.feed(wire[:place])
            stream.end()
        except Refusal:
            continue
        # Behind a whole member or frame nobody can tell that another one was to come.
        assert member is None and coding in ("gzip", "zstd") and place > 0
        assert decode(wire[:place], coding, 1 << 20) == BODIES["application/x-ndjson"][:9]


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_bomb_is_stopped_while_it_grows(coding: str) -> None:
    zeros = {"gzip": lambda: gzip.compress(bytes(64 << 20)), "br": lambda: brotli.compress(bytes(64 << 20), quality=3)}
    wire = zstandard.compress(bytes(64 << 20)) if coding == "zstd" else zeros[coding]()
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
        ("application/json; charset=utf-16", ""),
        ("application/json-seq", ""),
        ("application/vnd.apache.parquet", ""),
        ("application/x-ndjson; charset=utf-16", ""),
        ("application/x-ndjson", "gzip, br"),
        ("application/x-ndjson", "rot13"),
    ],
)
def test_what_cannot_pass_is_waited_for(media: str, coding: str) -> None:
    assert opened(media, coding) is None


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\x1e"])
def test_marks_are_left_to_those_who_see_all(mark: bytes) -> None:
    stream = opened("application/x-ndjson")
    assert stream is not None
    with pytest.raises(Refusal, match="mark"):
        stream.feed(mark + BODIES["application/x-ndjson"])


@pytest.mark.parametrize("media", [*BODIES, "application/json", "text/csv", "application/vnd.apache.arrow.stream"])
def test_masks_that_only_report_are_left_to_those_who_see_all(media: str) -> None:
    report = Plan((Obligation("ids", "redact", frozenset({"ssn"}), manner=Manner(on_match="report")),), METHODS)
    assert opened(media, "", report) is None


@pytest.mark.parametrize(
    ("media", "obligation"),
    [
        ("text/plain", Obligation("ids", "redact", frozenset({"ssn"}))),
        ("text/csv", Obligation("both", "redact", frozenset({"ssn"}), detect=frozenset({"email"}))),
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
