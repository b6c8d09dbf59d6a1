"""Multipart bodies that pass in pieces leave as the whole body would, byte for byte, or are refused."""

from __future__ import annotations

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Exposure, Obligation
from sluicegate.mask_method import Manner
from sluicegate.masking import multipart_passing
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.stream import Passing, open_stream

METHODS = Methods(b"k" * 32)
SSN, MAIL = "536-90-4399", "ada.lovelace@example.org"
NAMES = Plan((Obligation("ids", "last4", frozenset({"ssn"})),), METHODS)
PATHS = Plan((Obligation("ids", "redact", path="$..ssn"), Obligation("mail", "drop", path="$..email")), METHODS)
LOOKS = Plan((Obligation("all", "redact", detect=frozenset({"email", "national-id"})),), METHODS)
PLANS = {"names": NAMES, "paths": PATHS, "looks": LOOKS}
TYPE = 'multipart/mixed; boundary="b-1"'
ROW = {"id": 1, "ssn": SSN, "email": MAIL}


def part(body: bytes, *fields: str, line: bytes = b"--b-1") -> bytes:
    return line + b"\r\n" + "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n" + body + b"\r\n"


FIELD = part(SSN.encode(), 'content-disposition: form-data; name="ssn"', "x-more: " + SSN)
PLAIN = part(b"x\n--b-\r\n-b-1", 'content-disposition: form-data; name="id"')
JSON = part(json.dumps({"rows": [ROW]}).encode(), "content-type: application/json")
LINES = part(f"{json.dumps(ROW)}\n".encode() * 2, "Content-Type: application/x-ndjson")
CSV = part(f"id,ssn,email\n1,{SSN},{MAIL}\n".encode(), "content-type: text/csv; header=present")
PACKED = part(msgspec.msgpack.encode([ROW]), "content-type: application/msgpack", "content-id: 7")
INNER = part(
    part(json.dumps(ROW).encode(), "content-type: application/json", line=b"--c") + b"--c--",
    "content-type: multipart/mixed; boundary=c",
)
END = b"--b-1--\r\n"
BODIES = {
    "all": FIELD + PLAIN + JSON + LINES + CSV + PACKED + INNER + END,
    "before and behind": b"preamble " + SSN.encode() + b"\r\n" + FIELD + JSON + b"--b-1-- \r\n \r\n",
    "no end of a line": FIELD + b"--b-1--",
    "nothing": b"--b-1--",
    "no heads": b"--b-1\r\n\r\n" + b"\r\n--b-1\r\n\r\n\r\n" + END,
}


def passed(pieces: list[bytes], plan: Plan, media: str = TYPE) -> tuple[bytes, Passing]:
    stream = open_stream(((b"content-type", media.encode()),), 200, plan, (), None)
    assert stream is not None
    out = [out for piece in pieces for out in stream.feed(piece)]
    return b"".join([*out, *stream.end()]), stream


def whole(body: bytes, plan: Plan, media: str = TYPE) -> tuple[bytes, Exposure]:
    found = mask(Reply("GET", 200, ((b"content-type", media.encode()),), body), plan, (), 1 << 22)
    return found.body, found.exposure


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    return [body[one:other] for one, other in pairwise([0, *sorted(min(at, len(body)) for at in cuts), len(body)])]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", BODIES)
def test_every_split_position_gives_the_same(name: str, plan: str) -> None:
    if name == "no heads" and plan != "looks":
        pytest.skip("text without a name, where columns are owed")
    body = BODIES[name]
    expected = whole(body, PLANS[plan])
    assert SSN.encode() not in expected[0]
    for place in range(0, len(body) + 1, 1 if len(body) < 500 else 3):
        got, stream = passed([body[:place], body[place:]], PLANS[plan])
        assert (got, stream.exposure) == expected, place
    assert passed([body[at : at + 1] for at in range(len(body))], PLANS[plan])[0] == expected[0]


_PARTS = st.lists(st.sampled_from([FIELD, PLAIN, JSON, LINES, CSV, PACKED, INNER]), max_size=5)
_WILD = st.lists(
    st.sampled_from(
        [
            FIELD,
            JSON,
            END,
            b"--b-1",
            b"\r\n--b-1",
            b"\n--b-1\n",
            b"\r\n",
            b"\r",
            b"\n",
            b"--",
            b"-",
            b" ",
            b"x: y",
            b"b-1",
        ]
    ),
    max_size=9,
)


@given(_PARTS, st.binary(max_size=9), st.lists(st.integers(0, 900), max_size=6), st.sampled_from([*PLANS]))
def test_any_parts_cut_anywhere(parts, front, cuts, plan) -> None:
    body = front + b"\r\n" + b"".join(parts) + END
    got, stream = passed(cut(body, cuts), PLANS[plan])
    assert (got, stream.exposure) == whole(body, PLANS[plan])


@given(_WILD.map(b"".join), st.lists(st.integers(0, 200), max_size=6), st.sampled_from([*PLANS]))
def test_what_is_judged_whole_is_judged_alike_in_pieces(body: bytes, cuts: list[int], plan: str) -> None:
    try:
        expected = whole(body, PLANS[plan])[0]
    except Refusal:
        with pytest.raises(Refusal):
            passed(cut(body, cuts), PLANS[plan])
        return
    assert passed(cut(body, cuts), PLANS[plan])[0] == expected


def test_what_is_cut_is_never_complete() -> None:
    body = BODIES["all"]
    for place in range(1, len(body) - 2, 3):
        with pytest.raises(Refusal):
            passed([body[: place // 2], body[place // 2 : place]], NAMES)


def test_a_part_leaves_when_it_is_whole() -> None:
    stream = open_stream(((b"content-type", TYPE.encode()),), 200, NAMES, (), None)
    assert stream is not None
    for _ in range(12_000):  # an endless response has more parts than one that is kept
        assert b"".join(stream.feed(FIELD)).count(b"****4399") == 1 or not _
    assert b"".join(stream.feed(END)).count(b"****4399") == 1


def test_a_part_that_is_too_long_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(multipart_passing, "LONGEST", 1000)
    with pytest.raises(Refusal, match="too long"):
        passed(cut(part(b"x" * 3000, "content-type: text/plain"), list(range(0, 3000, 100))), LOOKS)
    assert passed([b"x" * 5000, b"\r\n", FIELD, END], NAMES)[0] == whole(FIELD + END, NAMES)[0]


@pytest.mark.parametrize("media", ["multipart/mixed", "multipart/mixed; boundary=a; boundary=b"])
def test_a_type_without_one_boundary(media: str) -> None:
    with pytest.raises(Refusal, match="boundary"):
        passed([BODIES["all"]], NAMES, media)
    report = Plan((Obligation("ids", "redact", frozenset({"ssn"}), manner=Manner(on_match="report")),), METHODS)
    got, stream = passed([BODIES["all"]], report, media)
    assert got == BODIES["all"] and "could not be looked at" in stream.findings()[0].detail


def test_byte_ranges_never_pass() -> None:
    fields = ((b"content-type", b"multipart/byteranges; boundary=b-1"),)
    assert open_stream(fields, 200, NAMES, (), None) is None
