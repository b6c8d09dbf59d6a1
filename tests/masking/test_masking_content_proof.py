"""The look at a document as it is written: what it calls clean is clean, and what is clean is mostly seen as that."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluicegate.exchange import Obligation
from sluicegate.mask_method import Manner
from sluicegate.masking import alike, body, content_walk
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.content import Content
from sluicegate.masking.content_proof import clean, clean_text
from sluicegate.masking.content_walk import mask_content_of
from sluicegate.masking.detectors.table import FINDERS
from sluicegate.masking.json_body import parse
from sluicegate.masking.json_text import mask_text
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan

METHODS = Methods(b"k" * 32)
ALL: Any = frozenset(FINDERS)
PLAN = Plan((Obligation("m", "redact", manner=Manner(), detect=ALL),), METHODS)
VALUES = (
    *("ada@example.org", "to=ada%40example.org", "jörg@bücher.example"),
    *("+49 151 12345678", "(030) 901820 55", "mobile 212-555-0188", "+49.151.12345678"),
    *("4111 1111 1111 1111", "378282246310005", "DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"),
    *("536-90-4399", "ssn 536904399", "54362315K", "RSSMRA85T10A562S", "X-5253868-R", "11010519491231002X"),
    *("dni 54362315-k", "RUT 12.531.909-2", "AB 12 34 56 C", "ABCPA1234C", "131052-308T", "131052A308T"),
    *("nir 2 95 10 99 126 111 93", "nir 295102A12611122", "personnr 880320+0016", "pps 6433435F", "pps 6433435OA"),
    *("ghp_0123456789abcdefghijABCDEFGHIJ456789", "AKIAQYLPMN5HHHFPZAM2", "postgres://ada:s3cr3tpw@db.example/x"),
    *('password = "q8f3Kx92mPz7Lw1T"', "token: q8f3Kx92mPz7Lw1T"),
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    *("4111 1111\n1111 1111", "DE89 3704\r\n0044 0532 0130 00", "536-90-\n4399", "+49 151\n12345678"),
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
)
CODED = (
    base64.b64encode(b"ada@example.org").decode(),
    b"ada@example.org".hex(),
    "\t0x" + b"536-90-4399".hex() + "\n",
    base64.b64encode(b"call +49 151 12345678").decode() + "\n",
    b"ada@example.org".hex(" "),
    "data:text/plain;base64," + base64.b64encode(b"ada@example.org").decode(),
    "ada&#64;example.org",
    "see " + base64.b64encode(b"ada@example.org").decode() + " there",
    "id=" + base64.urlsafe_b64encode(b"ssn 536-90-4399, ??>").decode().rstrip("=") + ";",
    "/files/2026/" + base64.b64encode(b"ada@example.org").decode(),
    "dump: " + b"ada@example.org".hex() + ".",
    *("4111111111111111.0", "4.111111111111111E15", "41111111111111110e-1"),
    *(" 4111111111111111.0\n", "+4.111111111111111e15", "cards 378282246310005.0, 4111111111111111.00."),
    *(
        "4111\ufe0f1111\u034f11111111",
        "536\u221290\u22124399",
        "ad\x00a@exam\x7fple.org",
        "4111\b1111\u00851111\u31641111",
    ),
    "ada＠example.org",
    "ssn 536\u201390\u20134399",
)
SIGNS = (
    "",
    " ",
    '"',
    '":',
    '":-',
    '\\":',
    ":",
    ",",
    "[",
    "{",
    "]",
    "}",
    "-",
    ".",
    "1.",
    '":0.',
    "e-",
    "\n",
    "\x01",
    "é",
    "x",
    "12",
    "\u00a0",
)
SIGN = st.sampled_from(SIGNS)
VALUE = st.sampled_from((*VALUES, *CODED, "plain", "0.14285714285714285", "2026-01-02 03:04:05", "desk-12"))
CUT = st.builds(lambda value, at: value[: len(value) * at // 8], VALUE, st.integers(0, 8))
REST = st.builds(lambda value, at: value[len(value) * at // 8 :], VALUE, st.integers(0, 8))
TEXT = st.lists(st.one_of(SIGN, VALUE, CUT, REST), max_size=4).map("".join)
NUMBER = st.one_of(
    st.integers(-(10**20), 10**20),
    st.sampled_from(
        (
            536904399,
            4915112345678,
            4111111111111111,
            4111111111111111.0,
            4.111111111111111e16,
            536904399.5,
            0.14285714285714285,
            1e-7,
            3132333435363738,
        )
    ),
)
KEY = st.one_of(st.sampled_from(("id", "phone", "ssn", "token", "rows", "a:b", 'q"', "")), TEXT)
DOCUMENT = st.recursive(
    st.one_of(TEXT, NUMBER, st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEY, inner, max_size=4)),
    max_leaves=12,
)


def content_of(plan: Plan) -> Content:
    assert plan.content is not None
    return plan.content


def walked(document: Any) -> tuple[Any, bool]:
    """The document as the look at each value leaves it, and whether that found anything."""
    counts: Any = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content_walk, "clean", lambda *_: False)
        found = mask_content_of(document, content_of(PLAN), counts)
    return found, bool(counts)


@settings(max_examples=1500, deadline=None)
@given(DOCUMENT)
@example({"a": '":4915112345678 x'})
@example({"a": 'x\\":-536904399,'})
@example({"note": ["a text SSN 536", "-90-4399 and more"]})
@example([{"n": "a SSN 536"}, {"n": "-90-4399 b"}])
@example({"phone": 4915112345678})
@example({"phone": [4915112345678]})
@example({"t": {"4111111111111111": 1}})
@example({"a": "[4111111111111111]"})
@example({"phone": 4915112345678.0})
@example({"phone": [1.5, 4915112345678.0, 2e300]})
@example({"customer_reference_number_of_the_row": 1, "a": "x customer_reference_number"})
@example({"a": 'token":"q8f3Kx92mPz7Lw1T'})
def test_what_is_called_clean_has_nothing_in_it(document: Any) -> None:
    decoded = parse(json.dumps(document).encode())
    if clean(decoded, content_of(PLAN), None):
        found, any_found = walked(copy.deepcopy(decoded))
        assert not any_found and found == decoded


@pytest.mark.parametrize("value", (*VALUES, *CODED))
@pytest.mark.parametrize(
    ("before", "behind"),
    [("", ""), (" ", " "), ("(", ")"), ('"', '"'), ('":', ","), ('\\":', "}"), ("é", "é"), ("\n", "\n")],
)
def test_nothing_that_is_found_is_called_clean(value: str, before: str, behind: str) -> None:
    found = 0
    for document in ({"k": before + value + behind}, [before + value + behind], {before + value + behind: 1}):
        _, any_found = walked(parse(json.dumps(document).encode()))
        assert not (any_found and clean(parse(json.dumps(document).encode()), content_of(PLAN), None)), document
        found += any_found
    assert found or before + behind, "the test looks for nothing"


def row(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "city": "Lübeck",
        "created": "2026-01-02T03:04:05.678901Z",
        "score": number / 7,
        "loss": -number / 7e6,
        "token": f"desk-{number}",
        "uuid": f"{number:08x}-e89b-42d3-a456-426614174000",
        "epoch": 1767322845678,
        "note": "nothing in particular, a few words of text",
        **more,
    }


def test_usual_rows_are_seen_to_be_clean() -> None:
    rows = [row(number) for number in range(300)]
    assert clean(parse(json.dumps({"rows": rows, "next": None}).encode()), content_of(PLAN), None)
    assert clean(parse(json.dumps([*rows, {"x": [rows[:2]], "quote": 'a "word"'}]).encode()), content_of(PLAN), None)
    written = json.dumps({"rows": rows, "n": 1}, separators=(",", ":"), ensure_ascii=False).encode()
    found = mask_text(written, PLAN)
    assert found is not None and clean_text(found, content_of(PLAN))


def masked(data: bytes, plan: Plan) -> Any:
    return mask(Reply("GET", 200, ((b"content-type", b"application/json"),), data), plan, (), 1 << 24)


MIXED = Plan(
    (Obligation("c", "hmac", frozenset(("city",))), Obligation("m", "redact", manner=Manner(), detect=ALL)), METHODS
)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 39), st.sampled_from(("note", "token", "score", "city")), st.one_of(TEXT, NUMBER)),
        max_size=3,
    ),
    st.booleans(),
    st.booleans(),
    st.sampled_from((PLAN, MIXED)),
)
def test_rows_that_are_masked_in_their_text_fare_like_others(
    planted: Any, spaced: bool, escaped: bool, plan: Plan
) -> None:
    rows = [row(number) for number in range(40)]
    for place, key, value in planted:
        rows[place][key] = value
    signs = (", ", ": ") if spaced else (",", ":")
    data = json.dumps({"rows": rows}, separators=signs, ensure_ascii=escaped).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike, "LEAST", 1 << 10)  # so few rows are decoded otherwise
        assert mask_text(data, plan) is not None or planted
        quick = masked(data, plan)
        patch.setattr(body, "clean_text", lambda *_: False)
        patch.setattr(content_walk, "clean", lambda *_: False)
        slow = masked(data, plan)
    assert json.loads(quick.body) == json.loads(slow.body)
    assert quick.exposure == slow.exposure
