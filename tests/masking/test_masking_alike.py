"""Rows that are masked in their text: what leaves is what the walk would have let out, byte by byte where nothing is
owed, and rows that are not certain are left to the walk.
"""

from __future__ import annotations

import json
import re
from typing import Any
from unittest.mock import patch

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Obligation
from sluicegate.mask_method import Manner
from sluicegate.masking import alike, json_text
from sluicegate.masking.body import Masked, Reply, mask
from sluicegate.masking.grammar import ANY, BYTES, PLAIN
from sluicegate.masking.json_body import Unfit, parse
from sluicegate.masking.methods import Forbidden, Methods
from sluicegate.masking.nested import BEGINNINGS, strip
from sluicegate.masking.rules import Plan

METHODS = Methods(b"k" * 32)
SECRET = "123-45-6789"
NAMED = (Obligation("names", "redact", frozenset({"ssn", "mail"})),)
PLANS = [
    Plan(NAMED, METHODS),
    Plan((Obligation("one", "redact", frozenset({"ssn"})),), METHODS),
    Plan((Obligation("path", "null", path="$.rows[*].ssn"),), METHODS),
    Plan((Obligation("apart", "redact", frozenset({"ssn", "note"})),), METHODS),
    Plan((Obligation("two", "null", frozenset({"ssn"})), Obligation("b", "redact", frozenset({"note"}))), METHODS),
    Plan((Obligation("path", "redact", path="$[*].ssn"), Obligation("b", "hmac", frozenset({"mail"}))), METHODS),
    Plan((Obligation("anywhere", "last4", path="$..ssn"),), METHODS),
    Plan((Obligation("typed", "hmac", frozenset({"id", "ssn"}), manner=Manner(typed=True)),), METHODS),
    Plan((Obligation("all", "redact", frozenset({"i*", "s*", "m*", "n*"})),), METHODS),
    Plan((Obligation("gone", "drop", frozenset({"ssn"})),), METHODS),
    Plan((Obligation("whole", "redact", path="$.rows"),), METHODS),
    Plan((Obligation("third", "redact", path="$.rows[2].ssn"),), METHODS),
]
KINDS = {"json": b"application/json", "lines": b"application/x-ndjson"}


def masked(text: bytes, plan: Plan, kind: str = "json", least: int = 0) -> Masked:
    with patch.object(alike, "LEAST", least):
        return mask(Reply("GET", 200, ((b"content-type", KINDS[kind]),), text), plan, (), 1 << 24)


def walked(text: bytes, plan: Plan, kind: str = "json") -> Masked:
    return masked(text, plan, kind, 1 << 30)


def in_text(text: bytes, plan: Plan = PLANS[0]) -> json_text.Document | None:
    with patch.object(alike, "LEAST", 0):
        return json_text.mask_text(text, plan)


def said(text: bytes) -> Any:
    return json.loads(text, parse_float=str, parse_int=str)


def rows(count: int = 5, **more: Any) -> list[dict[str, Any]]:
    return [{"id": n, "ssn": SECRET, "mail": f"{n}@example.org", "note": "a, b", **more} for n in range(count)]


STYLES: list[dict[str, Any]] = [
    {"separators": (",", ":")},
    {},
    {"indent": 2},
    {"separators": (" , ", " : "), "ensure_ascii": False},
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.masks[0])
@pytest.mark.parametrize("style", STYLES, ids=str)
@pytest.mark.parametrize(
    "around", [lambda r: r, lambda r: {"rows": r}, lambda r: {"n": 1, "d": {"rows": r}, "z": [{}]}]
)
def test_the_short_way_says_what_the_long_way_says(plan: Plan, style: dict[str, Any], around: Any) -> None:
    text = json.dumps(around(rows()), **style).encode()
    short, long = masked(text, plan), walked(text, plan)
    assert said(short.body) == said(long.body)
    assert short.exposure == long.exposure


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_rows_that_are_written_alike_go_the_short_way(style: dict[str, Any]) -> None:
    text = json.dumps({"rows": rows()}, **style).encode()
    found = in_text(text)
    assert found is not None
    assert SECRET.encode() not in found.text
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows())
    with patch("sluicegate.masking.lines._walked", side_effect=AssertionError):
        assert SECRET.encode() not in masked(lines, PLANS[0], "lines").body


@pytest.mark.parametrize("block", [1, 40, 1000])
def test_blocks_of_any_size_give_the_same(block: int) -> None:
    for plan in PLANS:
        for text in (json.dumps({"rows": rows(20)}).encode(), json.dumps(rows(20)).encode()):
            usual = masked(text, plan)
            with patch.object(alike, "_BLOCK", block):
                assert masked(text, plan) == usual


@pytest.mark.parametrize("value", ['"note":', ', "note": ', '", "note": "', "{", "", None, 7, True])
def test_columns_that_stand_apart_are_masked_in_every_row(value: Any) -> None:
    body = json.dumps({"rows": rows(30, mail=value, note=f"{SECRET} {value}", last=value)}).encode()
    for plan in PLANS[3:5]:
        short, long = masked(body, plan), walked(body, plan)
        assert said(short.body) == said(long.body) and short.exposure == long.exposure
        assert SECRET.encode() not in short.body


def test_what_owes_nothing_keeps_its_bytes() -> None:
    values = [
        b"12345678901234567890123",
        b"1.10",
        b"-0.0",
        b"1e5",
        b'"\\u00e9\\/"',
        b'"\xc3\xa9 \\" ,"',
        b'""',
        b"null",
    ]
    for value in values:
        row = b'{"id":%s,"ssn":"%s"}' % (value, SECRET.encode())
        found = in_text(b'{"rows":[%s,%s]}' % (row, row))
        assert found is not None, value
        new = b'{"id":%s,"ssn":"[redacted]"}' % value
        assert found.text == b'{"rows":[%s,%s]}' % (new, new)


TRICKS = [
    rb'{"id":9,"\u0073sn":"S","mail":"m","note":"n"}',
    rb'{"id":9,"SSN":"S","mail":"m","note":"n"}',
    rb'{"id":9,"ssn" :"S","mail":"m","note":"n"}',
    rb'{"id":9, "ssn":"S","mail":"m","note":"n"}',
    rb'{"ssn":"S","id":9,"mail":"m","note":"n"}',
    rb'{"id":9,"ssn":"x","ssn":"S","mail":"m","note":"n"}',
    rb'{"id":9,"ssn":"x","mail":"m","note":"n","ssn":"S"}',
    rb'{"id":9,"ssn":{"ssn":"S"},"mail":"m","note":"n"}',
    rb'{"id":9,"ssn":["S"],"mail":"m","note":"n"}',
    rb'{"id":9,"ssn":"x","mail":"m","note":{"ssn":"S"}}',
    rb'{"id":9,"ssn":"x","mail":"m","note":[{"ssn":"S"}]}',
    rb'{"id":9,"ssn":"x","mail":"m","note":"{\"ssn\":\"S\"}"}',
    rb'{"id":9,"ssn":"x","mail":"m","note":" {\"ssn\":\"S\"}"}',
    rb'{"id":9,"ssn":"x","mail":"m","note":"\n\t {\"ssn\":\"S\"}"}',
    rb'{"id":9,"ssn":"x","mail":"m","note":"\u007b\"ssn\":\"S\"}"}',
    rb'{"id":9,"ssn":"x","mail":"m","note":"\ufeff{\"ssn\":\"S\"}"}',
    b'{"id":9,"ssn":"x","mail":"m","note":"\xef\xbb\xbf{\\"ssn\\":\\"S\\"}"}',
    b'{"id":9,"ssn":"x","mail":"m","note":"\xe2\x80\x8b{\\"ssn\\":\\"S\\"}"}',
    b'{"id":9,"ssn":"x","mail":"m","note":"\xe2\x81\xa0[{\\"ssn\\":\\"S\\"}]"}',
    rb'{"id":9,"ssn":"x","mail":"m","note":"\"{\\\"ssn\\\":\\\"S\\\"}\""}',
    b'{"id":9,"\xc5\xbfsn":"S","mail":"m","note":"n"}',
    rb'{"id":9,"ssn":"S","mail":"m"}',
    rb'{"id":9,"ssn":"S","mail":"m","note":"n","more":1}',
]


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.decode())
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_row_that_is_written_in_another_way_hides_nothing(trick: bytes, place: int) -> None:
    trick = trick.replace(b'"S"', b'"987-65-4321"').replace(rb"\"S\"", rb"\"987-65-4321\"")
    trick = trick.replace(rb"\\\"S\\\"", rb"\\\"987-65-4321\\\"")
    assert b"987-65" in trick
    texts = [json.dumps(row, separators=(",", ":")).encode() for row in rows(4)]
    texts.insert(place, trick)
    for kind, text in (("json", b'{"rows":[' + b",".join(texts) + b"]}"), ("lines", b"\n".join(texts))):
        got = masked(text, PLANS[0], kind)
        assert b"987-65" not in got.body, got.body
        assert got == walked(text, PLANS[0], kind)


QUOTES = [
    r"\"ssn\":",
    r",\"ssn\":\"x\",\"mail\":",
    "},{",
    r"},{\"id\":7,\"ssn\":\"",
    r"\\",
    r"\\\"",
    r"a\",\"mail\":\"b",
    ": x",
    ":",
    "\\u0022ssn\\u0022:",
]


@pytest.mark.parametrize("quote", QUOTES)
@pytest.mark.parametrize("key", ["id", "ssn", "mail", "note"])
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.masks[0])
def test_values_that_look_like_what_is_between_values_move_nothing(quote: str, key: str, plan: Plan) -> None:
    value = f'"z{quote}"' if quote[0] != ":" else f'"{quote}"'
    for style in ((",", ":"), (", ", ": ")):
        texts = [json.dumps(row, separators=style) for row in rows()]
        for place in (0, 2, 4):
            said_before = json.loads(texts[place])[key]
            texts[place] = texts[place].replace(json.dumps(said_before), value, 1)
        text = f"[{','.join(texts)}]".encode()
        short, long = masked(text, plan), walked(text, plan)
        assert said(short.body) == said(long.body)
        assert short.exposure == long.exposure


BROKEN = [
    rb'{"id":01,"ssn":"S","mail":"m","note":"n"}',
    rb'{"id":1.,"ssn":"S","mail":"m","note":"n"}',
    rb'{"id":NaN,"ssn":"S","mail":"m","note":"n"}',
    rb'{"id":+1,"ssn":"S","mail":"m","note":"n"}',
    rb'{"id":1,"ssn":"\x","mail":"m","note":"n"}',
    rb'{"id":1,"ssn":"\u12","mail":"m","note":"n"}',
    b'{"id":1,"ssn":"\n","mail":"m","note":"n"}',
    b'{"id":1,"ssn":"S","mail":"m","note":"\x80"}',
    b'{"id":1,"ssn":"\xff","mail":"m","note":"n"}',
    b'{"id":1,"ssn":"S","mail":"m","note":"\xed\xa0\x80"}',
    b'{"id":1,"ssn":"S","mail":"m","note":"\xc0\xaf"}',
    rb'{"id":1,"ssn":"S","mail":"m","note":"\ud800"}',
    rb'{"id":1,"ssn":"S","mail":"m","note":"n",}',
    rb'{"id":1,"ssn":"S","mail":"m","note":"n"',
    rb'{"id":1,"ssn":"S","mail":"m","note":"n"}}',
    rb'{"id":1,"ssn":"S","mail":"m","note":"n"}]',
    rb'{"id":1,"ssn":"S","mail":"m","note":"n"} x',
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.decode("latin-1"))
@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("front", [b'{"rows":[', b"["])
def test_what_is_no_json_is_refused_as_before(broken: bytes, place: int, front: bytes) -> None:
    texts = [json.dumps(row, separators=(",", ":")).encode() for row in rows(4)]
    texts.insert(place, broken)
    text = front + b",".join(texts) + (b"]}" if b"{" in front else b"]")
    with pytest.raises(Refusal):
        walked(text, PLANS[0])
    with pytest.raises(Refusal):
        masked(text, PLANS[0])


AROUND = [
    b'%s,{"a":1}',
    b'{"x":"[%s]"}',
    b'{"rows":[%s],"rows":[{"ssn":"987-65-4321"}]}',
    b'{"columns":[%s],"rows":[[1,"987-65-4321","m","n"]]}',
    b'{"schema":{"fields":[%s]},"rows":[[1,"987-65-4321","m","n"]]}',
    b'{"a":[%s],"columns":["id","ssn"],"rows":[[1,"987-65-4321"]]}',
    b'{"a":[%s],"columns":["id","ssn"],"rows":[{"f":[{"v":"987-65-4321"}]}]}',
    b'{"a":[%s],"b":"{\\"columns\\":[\\"ssn\\"],\\"rows\\":[[\\"987-65-4321\\"]]}"}',
    b'{"a":[%s],"b":"[[\\"987-65-4321\\"]]","c":"ssn"}',
    b'{"ssn":[%s]}',
    b'{"ssn":{"a":[%s]}}',
    b'{"a":[[%s]]}',
    b'{"a":[%s],"b":{"ssn":"987-65-4321"}}',
    b'{"a":[%s]}{"ssn":"987-65-4321"}',
    b'{"b":"[{\\"ssn\\":\\"987-65-4321\\"}]","a":[%s]}',
    b'{"b":"\\"","a":[%s],"c":"\\\\"}',
    b"[[],%s]",
    b'{"a":[{"ssn":"987-65-4321"},{"ssn":"987-65-4321"}],"b":[%s]}',
]


@pytest.mark.parametrize("around", AROUND, ids=lambda around: around.decode())
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.masks[0])
def test_what_is_around_the_rows_is_masked_as_before(around: bytes, plan: Plan) -> None:
    text = around % b",".join(json.dumps(row).encode() for row in rows(6))
    try:
        long: Masked | str = walked(text, plan)
    except Refusal as refusal:
        long = refusal.detail
    try:
        short: Masked | str = masked(text, plan)
    except Refusal as refusal:
        short = refusal.detail
    if isinstance(long, str) or isinstance(short, str):
        assert long == short
    else:
        assert said(long.body) == said(short.body)
        assert long.exposure == short.exposure


def test_a_number_like_ours_in_the_body_is_nothing_special() -> None:
    for mark in (1 << 61, 1 << 61 | 5):
        text = json.dumps({"a": [mark], "rows": rows(), "b": f"[{mark}]"}).encode()
        with patch("secrets.randbits", return_value=mark):
            assert said(masked(text, PLANS[0]).body) == said(walked(text, PLANS[0]).body)


def test_a_mask_that_refuses_does() -> None:
    plan = Plan((Obligation("no", "redact", frozenset({"ssn"}), manner=Manner(on_match="refuse")),), METHODS)
    with pytest.raises(Forbidden):
        in_text(json.dumps(rows()).encode(), plan)
    with pytest.raises(Refusal, match="no"):
        masked(json.dumps(rows()).encode(), plan)


def test_one_row_and_short_texts_are_walked() -> None:
    assert in_text(json.dumps(rows(1)).encode()) is None
    assert in_text(b"[]") is None
    assert json_text.mask_text(json.dumps(rows()).encode(), PLANS[0]) is None


def test_a_wide_row_is_walked_rather_than_compiled() -> None:
    wide = [{f"c{n}": n for n in range(200)}] * 3
    assert in_text(json.dumps(wide).encode()) is None


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["{", "[", '"', " {}", "\n[1]", ",", "}", '},{"ssn":', '"ssn":', "\\", "\ufeff{", "x: y", ":"]),
)
VALUES = st.one_of(
    SCALARS, st.dictionaries(st.sampled_from(["ssn", "x"]), SCALARS, max_size=2), st.lists(SCALARS, max_size=2)
)
KEYS = st.lists(
    st.one_of(
        st.sampled_from(["id", "ssn", "SSN", "mail", "n", ":", ",", "a b", "é", 's"n']), st.text(min_size=1, max_size=3)
    ),
    min_size=1,
    max_size=4,
    unique=True,
)


@st.composite
def _documents(draw: st.DrawFn) -> bytes:
    keys, rare = draw(KEYS), draw(st.booleans())
    kinds = draw(st.lists(SCALARS if rare else VALUES, min_size=len(keys) * 3, max_size=len(keys) * 3))
    made = [dict(zip(keys, kinds[at * len(keys) :], strict=False)) for at in range(3)]
    style = draw(st.sampled_from(STYLES))
    around = draw(st.sampled_from(["[]", "{}", "deep"]))
    document = made if around == "[]" else {"rows": made} if around == "{}" else {"x": 1, "d": [{"rows": made}]}
    text = json.dumps(document, **style).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 2))):  # somebody edits it
        at = draw(st.integers(0, len(text)))
        text = (
            text[:at]
            + draw(st.sampled_from([b"", b'"', b",", b" ", b"\\", b"{", b"]", b"0", b"ssn", b"\xff"]))
            + text[at + 1 :]
        )
    return text


@given(text=_documents(), plan=st.sampled_from(PLANS))
def test_generated_documents_leave_as_the_walk_lets_them(text: bytes, plan: Plan) -> None:
    try:
        long: Masked | None = walked(text, plan)
    except Refusal:
        long = None
    try:
        short: Masked | None = masked(text, plan)
    except Refusal:
        short = None
    assert (long is None) == (short is None)
    if long is not None and short is not None:
        assert said(short.body) == said(long.body)
        assert short.exposure == long.exposure


@given(
    value=st.one_of(
        st.text().map(json.dumps),
        st.text().map(lambda text: json.dumps(text, ensure_ascii=False)),
        st.from_regex(r'"[\\ud89a-f{\[ "nt0-9]{0,8}"', fullmatch=True),
        st.from_regex(r"[-+0-9.eE]{1,6}", fullmatch=True),
        st.from_regex(r"[a-z]{4,5}", fullmatch=True),
    )
)
def test_the_grammar_takes_no_value_that_the_parser_does_not_take(value: str) -> None:
    try:
        data = value.encode()
    except UnicodeEncodeError:
        return  # bytes that are no UTF-8 are looked at by themselves
    try:
        parsed = parse(data)
        valid = not isinstance(parsed, dict | list)
    except Unfit:
        parsed, valid = None, False
    anything, plain = (re2.compile(b"(?:" + part + b")", BYTES) for part in (ANY, PLAIN))
    if anything.fullmatch(data):
        assert valid
    elif valid:
        assert re.search(r"\\u[dD][89a-fA-F]", value)
    if plain.fullmatch(data):
        assert anything.fullmatch(data)
        assert not isinstance(parsed, str) or strip(parsed)[:1] not in BEGINNINGS
