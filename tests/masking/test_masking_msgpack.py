"""MessagePack that passes in pieces leaves as the whole body would, byte for byte, or is refused."""

from __future__ import annotations

import json
import struct
import tracemalloc
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Exposure, Obligation
from sluicegate.mask_method import Manner
from sluicegate.masking import document_passing, msgpack_passing, records
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.stream import Passing, open_stream

METHODS = Methods(b"k" * 32)
MEDIA = "application/msgpack"
SSN, MAIL = "536-90-4399", "ada.lovelace@example.org"
ALL = frozenset(("email", "national-id", "card", "private-key", "phone", "jwt"))
PLANS = {
    "names": Plan(
        (Obligation("ids", "last4", frozenset({"ssn"})), Obligation("mail", "null", frozenset({"email"}))), METHODS
    ),
    "paths": Plan(
        (
            Obligation("ids", "last4", path="$..ssn"),
            Obligation("few", "redact", path="$.rows[1:6:2].note"),
            Obligation("some", "null", path="$[0:3].email"),
        ),
        METHODS,
    ),
    "looks": Plan((Obligation("all", "redact", detect=ALL),), METHODS),
    "both": Plan((Obligation("all", "hmac", detect=ALL), Obligation("ids", "last4", frozenset({"id"}))), METHODS),
    "taken out": Plan((Obligation("ids", "drop", frozenset({"ssn"})),), METHODS),
    "numbers": Plan((Obligation("n", "number", frozenset({"n", "id"}), manner=Manner(step="2.5")),), METHODS),
}
ROW = {"id": 1, "ssn": SSN, "email": MAIL, "n": 1.25, "in": {"ssn": [SSN], "b": b"\xff\0"}}
TEXT = [{"id": n, "text": text} for n, text in enumerate(("call 536-90", "-4399 now", f"or {MAIL}", "4111 1111", "x"))]
DOCUMENTS: dict[str, list[Any]] = {
    "array": [[ROW, {**ROW, "id": 2}, {}, {**ROW, "id": 3}]],
    "rows": [{"n": 9, "rows": [ROW] * 4, "next": None, "total": 4}],
    "late": [{"rows": [ROW] * 3, "ssn": SSN}],
    "early": [{"ssn": SSN, "rows": [ROW] * 3}],
    "deep": [{"result": {"status": "ok", "chunk": {"data_array": [ROW] * 3, "row_count": 3}}, "more": [1, {}, "x"]}],
    "columns": [{"columns": ["id", "ssn"], "rows": [[1, SSN], [2, SSN], [3, SSN]], "n": 3}],
    "map": [{str(number): ROW for number in range(20)}],
    "long": [{"rows": [{"id": n, "ssn": SSN} for n in range(300)]}],
    "texts": [{"notes": [each["text"] for each in TEXT], "numbers": [1, -2.5, 2**63, True, None]}],
    "cut": [TEXT],
    "in text": [[{"text": json.dumps({"ssn": SSN, "a": [1]})}] * 3],
    "keys": [{MAIL: 1, "b@example.org": [{MAIL: 2, "c@example.org": 3}]}],
    "several": [ROW, {**ROW, "id": 2}, {"rows": [ROW]}],
    "several, cut": TEXT,
    "moments": [[{"at": datetime(2026, 1, 31, tzinfo=UTC), "ssn": SSN}] * 3],
    "empty": [{"rows": [], "other": {}, "last": []}],
    "values": [[1, 2.5, None, "x", b"\xff", {}, {"a": []}]],
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(records, "FIRST", 4)
    monkeypatch.setattr(document_passing, "OPENS", 0)
    monkeypatch.setattr(document_passing, "ROW_OPENS", 60)
    monkeypatch.setattr(msgpack_passing, "HELD", 60)


def body_of(documents: list[Any]) -> bytes:
    return b"".join(map(msgspec.msgpack.encode, documents))


def opened(plan: Plan) -> Passing:
    stream = open_stream(((b"content-type", MEDIA.encode()),), 200, plan, (), None)
    assert stream is not None
    return stream


def passed(pieces: list[bytes], plan: Plan) -> tuple[bytes, Passing]:
    stream = opened(plan)
    out = [out for piece in pieces for out in stream.feed(piece)]
    return b"".join([*out, *stream.end()]), stream


def whole(body: bytes, plan: Plan) -> tuple[bytes, Exposure]:
    found = mask(Reply("GET", 200, ((b"content-type", MEDIA.encode()),), body), plan, (), 1 << 22)
    return found.body, found.exposure


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    return [body[one:other] for one, other in pairwise([0, *sorted(min(at, len(body)) for at in cuts), len(body)])]


STRANGE = {
    ("late", "taken out"),  # its map has begun to leave with as many members as it said
    ("several", "looks"),
    ("several", "both"),  # where the first of several was opened, nobody could look at its borders
    ("several, cut", "looks"),
    ("several, cut", "both"),
}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_split_position_gives_the_same(name: str, plan: str) -> None:
    body = body_of(DOCUMENTS[name])
    expected, exposure = whole(body, PLANS[plan])
    step = 1 if len(body) < 1500 else 29
    ended = 0
    for place in range(0, len(body) + 1, step):
        try:
            got, stream = passed([body[:place], body[place:]], PLANS[plan])
        except Refusal:
            assert (name, plan) in STRANGE, place
            ended += 1
            continue
        assert got == expected, place
        assert stream.exposure.masks.keys() == exposure.masks.keys()
        if name != "several" and (name, plan) != ("columns", "looks"):
            assert stream.exposure.columns == exposure.columns or plan == "paths", place
    assert bool(ended) == ((name, plan) in STRANGE)
    if (name, plan) not in STRANGE:
        assert passed([body[at : at + 1] for at in range(len(body))], PLANS[plan])[0] == expected


@pytest.mark.parametrize("name", ["array", "rows", "early", "columns", "long"])
def test_what_is_said_of_it_is_the_same(name: str) -> None:
    body = body_of(DOCUMENTS[name])
    expected = whole(body, PLANS["names"])
    got, stream = passed(cut(body, [20, 90]), PLANS["names"])
    assert (got, stream.exposure) == expected and SSN.encode() not in got


_NAMES = st.sampled_from(["ssn", "email", "rows", "data", "columns", "a", "id", "n"])
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | _NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(_VALUES, min_size=1, max_size=3), st.lists(st.integers(0, 200), max_size=5), st.sampled_from([*PLANS]))
def test_any_documents_cut_anywhere_are_masked_alike_or_refused(documents, cuts, plan) -> None:
    body = body_of(documents)
    try:
        got = passed(cut(body, cuts), PLANS[plan])[0]
    except Refusal:
        return
    assert got == whole(body, PLANS[plan])[0]


_ROWS = st.lists(st.dictionaries(st.sampled_from(["ssn", "email", "id", "note"]), st.text(max_size=6) | st.integers(0)))


@given(_ROWS, st.lists(st.integers(0, 200), max_size=5), st.booleans())
def test_plain_rows_always_pass(rows, cuts, top) -> None:
    try:
        body = body_of([rows if top else {"rows": rows, "n": 1}])
    except OverflowError:
        return
    assert passed(cut(body, cuts), PLANS["names"])[0] == whole(body, PLANS["names"])[0]


@given(st.lists(st.dictionaries(st.sampled_from(["ssn", "email", "id"]), st.text(max_size=6)), min_size=1), st.data())
def test_small_documents_always_pass_one_behind_the_other(documents, data) -> None:
    body = body_of(documents)
    ends, at = [], 0
    for document in documents:
        at += len(msgspec.msgpack.encode(document))
        ends.append(at)
    first = data.draw(st.integers(ends[0], len(body)))  # of the first that is not here nobody knows how large it is
    got, stream = passed(cut(body, [first, *data.draw(st.lists(st.integers(first, len(body))))]), PLANS["names"])
    assert (got, stream.exposure) == whole(body, PLANS["names"])


_BYTES = st.binary(max_size=40) | st.lists(
    st.sampled_from(
        [b"\x81", b"\x91", b"\xa3ssn", b"\xdd\0\0\0\2", b"\xdf\0\0\0\1", b"\xc0", b"\1", b"\xc4\1x", b"\xc1"]
    )
).map(b"".join)


@given(_BYTES, st.lists(st.integers(0, 40)), st.sampled_from(["names", "looks"]))
def test_what_is_no_messagepack_never_ends_well(body: bytes, cuts: list[int], plan: str) -> None:
    try:
        whole(body, PLANS[plan])
    except Refusal:
        with pytest.raises(Refusal):
            passed(cut(body, cuts), PLANS[plan])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_cut_is_never_complete(name: str) -> None:
    body = body_of(DOCUMENTS[name])
    ends = {len(body_of(DOCUMENTS[name][:count])) for count in range(len(DOCUMENTS[name]))}
    for place in range(1, len(body), 1 if len(body) < 1500 else 29):
        if place in ends:
            continue  # behind a whole document nobody can tell that another one was to come
        with pytest.raises(Refusal):
            passed([body[: place // 2], body[place // 2 : place]], PLANS["names"])


EXT = msgspec.msgpack.Ext(5, SSN.encode())


@pytest.mark.parametrize(
    "value",
    [
        [{1: SSN}] * 3,
        [{"a": json.dumps({"ssn": SSN}).encode()}] * 3,
        [{"a": EXT}] * 3,
        {"a": EXT, "rows": [1] * 80},
        {1: SSN, "rows": [1] * 80},
        {"a": [[SSN]], "b": "x" * 80, "c": "ssn"},
        {"rows": [{"v": SSN}] * 9, "columns": ["ssn"]},
    ],
)
def test_what_nobody_can_look_into_never_leaves(value: Any) -> None:
    body = body_of([value])
    for place in range(len(body) + 1):
        stream, left = opened(PLANS["names"]), b""
        with pytest.raises(Refusal):
            for piece in (body[:place], body[place:]):
                left += b"".join(stream.feed(piece))
            left += b"".join(stream.end())
        assert SSN.encode() not in left, place


def test_a_masked_value_may_hold_anything() -> None:
    plan = Plan((Obligation("ids", "redact", frozenset({"ssn"})),), METHODS)
    body = body_of([[{"ssn": EXT}, {"ssn": b"{}"}] * 9])
    for place in range(len(body) + 1):
        got = passed([body[:place], body[place:]], plan)[0]
        assert msgspec.msgpack.decode(got) == [{"ssn": "[redacted]"}] * 18


def test_members_that_come_twice_end_the_response() -> None:
    member = msgspec.msgpack.encode({"ssn": [SSN] * 9})[1:]
    body = b"\x82" + member * 2
    assert SSN.encode() not in whole(body, PLANS["names"])[0]
    with pytest.raises(Refusal, match="twice"):
        passed([body[: len(member) + 5], body[len(member) + 5 :]], PLANS["names"])


@pytest.mark.parametrize("behind", [b"\1", b"\xa1x", b"\xc0"])
def test_only_maps_and_arrays_stand_one_behind_the_other(behind: bytes) -> None:
    for documents in ([ROW], [ROW, ROW], [[ROW] * 9]):
        body = body_of(documents) + behind
        with pytest.raises(Refusal):
            whole(body, PLANS["looks"])
        for place in range(len(body) + 1):
            with pytest.raises(Refusal):
                passed([body[:place], body[place:]], PLANS["looks"])


CLAIMED = struct.pack(">I", 2**32 - 1)


@pytest.mark.parametrize("inside", ["rows", "members", "nothing"])
@pytest.mark.parametrize(
    "front", [b"\xdd", b"\xdf", b"\x81\xa4rows\xdd", b"\x81\xa4rows\xdf", b"\x91\xdf", b"\x91\xdb", b"\xdd\0\0\1\0\xdf"]
)
def test_memory_does_not_follow_a_length_that_is_claimed(front: bytes, inside: str) -> None:
    rows = [msgspec.msgpack.encode({"id": n, "ssn": SSN}) for n in range(100)]
    stream, left = opened(PLANS["names"]), 0
    tracemalloc.start()
    with pytest.raises(Refusal):
        stream.feed(front + CLAIMED)
        for n in range(50):
            named = [b"\xa8%08d" % (n * 100 + m) + row for m, row in enumerate(rows)]
            left += sum(map(len, stream.feed(b"".join({"rows": rows, "members": named, "nothing": []}[inside]))))
        stream.end()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert left >= 90_000 or inside != {0xDD: "rows", 0xDF: "members"}.get(front[-1])
    with pytest.raises(Refusal):
        whole(front + CLAIMED + b"\xa1x" * 40, PLANS["names"])


@pytest.mark.parametrize("deep", [300, 2000, 200_000])
@pytest.mark.parametrize("front", [b"\x91", b"\x81\xa1a"])
def test_deep_nesting_is_refused(deep: int, front: bytes) -> None:
    body = front * deep + b"\1"
    for plan in PLANS.values():
        with pytest.raises(Refusal, match="deep"):
            whole(body, plan)
        with pytest.raises(Refusal, match=r"deep|arrays of arrays"):
            passed(cut(body, list(range(0, 900, 30))), plan)


def test_a_value_that_is_too_long_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(document_passing, "LONGEST", 1000)
    for body in (
        b"\x91\xda\x20\0" + b"x" * 2000,
        b"\x81\xa3ssn\xdc\x20\0" + b"\1" * 2000,
        b"\x81\xda\x20\0" + b"x" * 2000,
    ):
        with pytest.raises(Refusal, match="too long"):
            passed(cut(body, list(range(0, len(body), 50))), PLANS["names"])


def test_a_value_that_refuses_refuses_in_passing_too() -> None:
    plan = Plan((Obligation("ids", "redact", frozenset({"ssn"}), manner=Manner(on_match="refuse")),), METHODS)
    body = body_of([[{"id": 1}] * 30 + [{"ssn": SSN}]])
    with pytest.raises(Refusal) as caught:
        passed(cut(body, [70, 100]), plan)
    assert caught.value.code == "withheld"


@pytest.mark.parametrize("method", ["redact", "last4", "first", "hmac", "fpe", "null", "drop"])
def test_an_extension_type_is_masked_like_its_bytes(method: Any) -> None:
    plan = Plan((Obligation("m", method, frozenset({"ssn"})),), Methods(b"k" * 32))
    said = ((b"content-type", b"application/msgpack"),)
    left = []
    for value in (msgspec.msgpack.Ext(5, SSN.encode()), SSN.encode()):
        body = msgspec.msgpack.encode([{"ssn": value, "a": 1}])
        left.append(mask(Reply("GET", 200, said, body), plan, (), 1 << 20).body)
        assert SSN.encode() not in left[-1]
    assert left[0] == left[1]
