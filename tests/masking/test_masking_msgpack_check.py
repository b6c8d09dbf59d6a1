"""What bytes, extension types and fractions of MessagePack may hide: it is masked or refused, whole and in pieces."""

from __future__ import annotations

import json
import struct
from types import SimpleNamespace
from typing import Any

import msgpack
import msgspec
import pytest

from sluicegate.errors import Refusal
from sluicegate.exchange import Obligation
from sluicegate.masking import document_passing, msgpack_ends, msgpack_passing, records
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.stream import open_stream

METHODS = Methods(b"k" * 32)
FIELDS = ((b"content-type", b"application/msgpack"),)
SSN, MAIL, CARD = "536-90-4399", "ada.lovelace@example.org", 4111111111111111
NAMED = Obligation("ids", "redact", frozenset({"ssn"}))
PATH = Obligation("ids", "redact", path="$.ssn")
ELEMENT = Obligation("one", "redact", path="$.rows[1]")
LOOKS = Obligation("all", "redact", detect=frozenset({"email", "national-id", "card"}))
PACK = msgspec.msgpack.encode


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(records, "FIRST", 4)
    monkeypatch.setattr(document_passing, "OPENS", 0)
    monkeypatch.setattr(document_passing, "ROW_OPENS", 0)
    monkeypatch.setattr(msgpack_passing, "HELD", 60)


def leaves(value: Any, *owed: Obligation) -> Any:
    plan, body = Plan(owed, METHODS), PACK(value)
    found = mask(Reply("GET", 200, FIELDS, body), plan, (), 1 << 22).body
    for place in range(1, len(body)):
        stream = open_stream(FIELDS, 200, plan, (), None)
        assert stream is not None
        assert b"".join([*stream.feed(body[:place]), *stream.feed(body[place:]), *stream.end()]) == found, place
    return msgspec.msgpack.decode(found)


def refused(value: Any, *owed: Obligation, hidden: bytes = SSN.encode()) -> None:
    plan, body = Plan(owed, METHODS), PACK(value)
    with pytest.raises(Refusal):
        mask(Reply("GET", 200, FIELDS, body), plan, (), 1 << 22)
    for place in range(1, len(body)):
        stream, left = open_stream(FIELDS, 200, plan, (), None), b""
        assert stream is not None
        with pytest.raises(Refusal):
            for piece in (body[:place], body[place:]):
                for out in stream.feed(piece):
                    left += out
            stream.end()
        assert hidden not in left


LATIN = json.dumps({"ssn": SSN, "city": "Lübeck"}, ensure_ascii=False).encode("latin-1")


@pytest.mark.parametrize(
    "held",
    [LATIN, b" \t" + LATIN, json.dumps({"ssn": SSN}).encode("utf-16"), json.dumps([SSN]).encode("utf-16-be"), b"ssn"],
)
def test_bytes_with_a_document_or_a_name_are_refused(held: bytes) -> None:
    refused({"a": held, "b": 1}, NAMED)
    refused({"rows": [{"a": held}]}, NAMED)


def test_names_of_columns_may_not_be_bytes() -> None:
    refused({"columns": [b"id", b"SSN"], "rows": [[1, SSN], [2, SSN]]}, NAMED)


@pytest.mark.parametrize("inner", [{"ssn": SSN}, [{"ssn": SSN}], {"columns": ["ssn"], "rows": [[SSN]]}])
def test_messagepack_in_bytes_is_refused_where_it_owes(inner: Any) -> None:
    refused({"a": PACK(inner)}, NAMED)
    refused([PACK(inner)], Obligation("ids", "redact", path="$..ssn"), NAMED)
    assert leaves({"a": PACK({"id": 1})}, NAMED) == {"a": PACK({"id": 1})}


@pytest.mark.parametrize(
    "held",
    [
        b"\xff\x00" + SSN.encode() + b"\xfe",
        "\ufffd ５３６-９０-４３９９".encode(),
        SSN.encode("utf-16"),
        SSN.encode("utf-16-be"),
        b"\x80\x01" + MAIL.encode(),
    ],
)
def test_detectors_see_texts_among_other_bytes(held: bytes) -> None:
    refused({"a": held, "b": 1}, LOOKS, hidden=held)


@pytest.mark.parametrize(
    "held",
    [b"", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", struct.pack("<4f", 0.1, 0.2, 0.3, 0.4), b'[\xff\x01"', b"\x93\x01"],
)
def test_other_bytes_pass(held: bytes) -> None:
    assert leaves({"a": held, "all": [held]}, NAMED, LOOKS) == {"a": held, "all": [held]}


@pytest.mark.parametrize("held", [SSN.encode(), msgspec.msgpack.Ext(5, SSN.encode()), b'{"a": 1}'])
def test_what_a_path_does_not_reach_is_looked_at(held: Any) -> None:
    # The path `$.ssn` is that of the document's own member, and not of one further down.
    refused({"b": {"ssn": held}}, PATH, LOOKS)
    refused({"rows": [{"ssn": held}], "n": 1}, PATH, LOOKS)
    assert leaves({"ssn": held, "n": 1}, PATH, LOOKS) == {"ssn": "[redacted]", "n": 1}


def test_a_path_that_counts_elements_counts_bytes_too() -> None:
    assert leaves({"rows": [1, b"{", 2]}, ELEMENT) == {"rows": [1, "[redacted]", 2]}
    refused({"rows": [b"{", 1, 2]}, ELEMENT, hidden=b"{")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [("a", float(CARD), "[redacted]"), ("a", -float(CARD), "-[redacted]"), ("ssn", 536904399.0, "[redacted]")],
)
def test_detectors_see_whole_numbers_that_are_floats(name: str, value: float, shown: str) -> None:
    assert leaves({name: value, "n": 1.5}, LOOKS) == {name: shown, "n": 1.5}
    assert leaves([{name: value}], LOOKS) == [{name: shown}]
    assert leaves({name: [value]}, LOOKS) == {name: [shown]}


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1.5, 1e300, 0.0, -0.0])
def test_other_floats_pass(value: float) -> None:
    assert PACK(leaves({"a": value}, LOOKS)) == PACK({"a": value})


@pytest.mark.parametrize(
    "value", [{"n": 1, "a": "x" * 9000}, [{"a": "x" * 9000}], {"n": 1, "a": {"b": {"c": "x" * 9000}}}]
)
def test_what_waits_for_its_end_is_not_read_again_with_every_piece(monkeypatch, value: Any) -> None:
    fed = 0

    class Counting:
        def __init__(self, **how: int) -> None:
            self._real = msgpack.Unpacker(**how)

        def feed(self, data: bytes) -> None:
            nonlocal fed
            fed += len(data)
            self._real.feed(data)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    monkeypatch.setattr(msgpack_ends, "msgpack", SimpleNamespace(Unpacker=Counting, **vars(msgpack.exceptions)))
    plan, body = Plan((NAMED,), METHODS), PACK(value)
    stream = open_stream(FIELDS, 200, plan, (), None)
    assert stream is not None
    out = [out for at in range(0, len(body), 10) for out in stream.feed(body[at : at + 10])]
    assert b"".join([*out, *stream.end()]) == body
    assert fed < 12 * len(body)
