"""Detectors at work in whole bodies: what is left, where it is looked for, and what stays as it was."""

from __future__ import annotations

import base64
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Refusal
from sluicegate.exchange import Obligation
from sluicegate.mask_method import Manner
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.methods import REDACTED, Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.stream import open_stream

METHODS = Methods(b"k" * 32)
MAIL, SSN = "ada@example.org", "536-90-4399"
ALL = frozenset(("email", "phone", "card", "iban", "national-id", "secret", "jwt", "private-key"))


def owe(method: Any = "redact", *detect: str, id: str = "m", **manner: Any) -> Obligation:
    return Obligation(id, method, manner=Manner(**manner), detect=frozenset(detect) or ALL)  # type: ignore[arg-type]


def body_of(data: bytes, media: str, *owed: Obligation, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Any:
    reply = Reply("GET", 200, ((b"content-type", media.encode()), *headers), data)
    return mask(reply, Plan(owed or (owe(),), METHODS), (), 1 << 22)


def document(value: Any, *owed: Obligation) -> Any:
    return json.loads(body_of(json.dumps(value).encode(), "application/json", *owed).body)


def test_values_are_masked_in_their_place_and_the_rest_stays() -> None:
    assert document({"note": f"write to {MAIL}, or call"}) == {"note": f"write to {REDACTED}, or call"}
    assert document({"n": f"{MAIL} {SSN}"}, owe("last4", "email"), owe("redact", "national-id")) == {
        "n": f"****.org {REDACTED}"
    }
    assert document({"note": f"x {MAIL}"}, owe("null", "email")) == {"note": None}
    found = document([f"a {MAIL}", f"{MAIL} b"], owe("hmac", "email"))
    assert found[0][2:] == found[1][:-2] and found[0].startswith("a h1.")


@pytest.mark.parametrize(
    "value",
    [
        f"x {MAIL}",
        [[[MAIL]]],
        {"a": {"b": [{"c": MAIL}]}},
        {MAIL: 1},
        {"x": {MAIL: {"y": MAIL}}},
        json.dumps({"a": MAIL}),
        '{"a": "ada\\u0040example.org"}',
        {"a": json.dumps([json.dumps({"b": MAIL})])},
        {"a": base64.b64encode(f"mail: {MAIL}".encode()).decode()},
        {"a": MAIL.encode().hex()},
        {"a": MAIL.encode().hex(" ")},
        {"a": MAIL.encode().hex(":")},
        {"a": "data:text/plain;charset=utf-8;base64," + base64.b64encode(MAIL.encode()).decode()},
        {"a": "ada%40example.org"},
        {"blob": base64.b64encode(json.dumps({"m": MAIL}).encode()).decode()},
        ["write to ada@exam", "ple.org today"],
        [{"text": "mail ada@"}, {"text": "example.org, thanks"}],
        {"chunks": [{"id": 1, "text": "SSN 536"}, {"id": 2, "text": "-90-4399 and so on"}]},
    ],
)
def test_no_way_of_writing_it_gets_through(value: Any) -> None:
    text = json.dumps(document(value))
    for form in (
        MAIL,
        "536",
        "4399",
        "example.org",
        MAIL.encode().hex(),
        MAIL.encode().hex(" "),
        MAIL.encode().hex(":"),
        base64.b64encode(MAIL.encode()).decode()[:18],
    ):
        assert form not in text
    assert "edacted" in text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("my ssn ５３６-９０-４３９９ ok", "my ssn [redacted] ok"),
        ("ssn ٥٣٦-٩٠-٤٣٩٩", "ssn [redacted]"),
        ("ssn 536\u201390\u20134399 \u2026", "ssn [redacted] ..."),
        ("ssn 536\u00ad-90-4399", "ssn [redacted]"),
        ("ada.love\u200blace@exam\u200bple.org!", "[redacted]!"),
        ("b@example.org, ada.lovelace＠example.org ü", "[redacted], [redacted] ü"),
        ("ada.lovelace&#64;example.org", "[redacted]"),
        ("Größe … 5 µm", "Größe … 5 µm"),  # what holds nothing leaves in its own letters
        ("b@example.org und Größe … 5 µm", "[redacted] und Größe … 5 µm"),
    ],
)
def test_values_in_other_letters_than_ascii(text: str, left: str) -> None:
    plan = Plan((Obligation("all", "redact", detect=frozenset(("email", "national-id"))),), Methods(b"k" * 32))
    said = ((b"content-type", b"application/json"),)
    found = mask(Reply("GET", 200, said, json.dumps({"a": text}).encode()), plan, (), 1 << 20)
    assert json.loads(found.body) == {"a": left}


CODED = base64.b64encode(b"ada@example.org").decode()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"his address: {CODED}, and no other", "his address: [redacted], and no other"),
        (f"{CODED} {CODED}", "[redacted] [redacted]"),
        (f"b@example.org has {CODED}", "[redacted] has [redacted]"),
        (f"at /files/2026/{CODED}?", "at [redacted]?"),
        ("dump " + b"ada@example.org".hex() + ".", "dump [redacted]."),
        ("e30.eyJtYWlsIjoiYWRhQGV4YW1wbGUub3JnIn0.c2lnbmF0dXJl", "e30.[redacted].c2lnbmF0dXJl"),
        ("4111111111111111.0", "[redacted]"),
        ("4.111111111111111E+15", "[redacted]"),
        ("no state-of-the-art/abbreviations-here, 0123456789abcdef0123", None),
    ],
)
def test_what_is_encoded_in_a_longer_text_goes(text: str, left: str | None) -> None:
    assert document({"a": text}) == {"a": left or text}


@pytest.mark.parametrize(
    "number", ["4111111111111111.0", "4.111111111111111e15", "4111111111111111.00", "411111111111111100E-2"]
)
def test_a_number_may_be_written_as_a_fraction(number: str) -> None:
    said = ((b"content-type", b"application/json"),)
    for text in (f'{{"pan":{number}}}', f'{{"pan": [0.5, {number}]}}', f'[{{"a": 1, "pan": {number}}}]'):
        found = mask(Reply("GET", 200, said, text.encode()), Plan((owe(),), Methods(b"k" * 32)), (), 1 << 20)
        assert number.encode() not in found.body and b"[redacted]" in found.body
    for other in ("1767322845.5", "4111111111111111.5", "1e400", "1e-400", "4111111111111111e30", "0.0", "1.0e3"):
        assert (
            mask(
                Reply("GET", 200, said, f'{{"n":{other}}}'.encode()), Plan((owe(),), Methods(b"k" * 32)), (), 1 << 20
            ).body
            == f'{{"n":{other}}}'.encode()
        )


def test_keys_that_become_alike_stay_apart() -> None:
    found = document({"ada@example.org": 1, "bob@example.org": 2, "[redacted]": 3})
    assert sorted(found.values()) == [1, 2, 3]


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (f'[{{"{MAIL}": 1, "b": 2}}]', "application/json"),
        (f'{{"{MAIL}": 1, "b": 2}}\n{{"b": 3}}\n', "application/x-ndjson"),
        (f'data: {{"{MAIL}": 1, "b": 2}}\n\n', "text/event-stream"),
        (f"{MAIL}=1&b=2".replace("@", "%40"), "application/x-www-form-urlencoded"),
    ],
)
def test_no_value_is_the_name_of_a_column_on_the_record(data: str, media: str) -> None:
    found = body_of(data.encode(), media)
    assert MAIL not in str(found.exposure) and MAIL not in found.body.decode() and "b" in found.exposure.columns
    passing = open_stream(((b"content-type", media.encode()),), 200, Plan((owe(),), METHODS), (), None)
    assert passing is not None
    left = b"".join((*passing.feed(data.encode()), *passing.end()))
    assert MAIL.encode() not in left and MAIL not in str(passing.exposure)


def test_long_numbers_are_looked_at_too() -> None:
    assert document({"pan": 4111111111111111}) == {"pan": REDACTED}
    assert document({"pan": 4111111111111111}, owe(typed=True)) == {"pan": REDACTED}
    assert document({"ssn": 536904399, "n": 12345, "ts": 1767322845678901}) == {
        "ssn": REDACTED, "n": 12345, "ts": 1767322845678901,
    }  # fmt: skip


plain = st.text(alphabet="abc déf-.:", max_size=12) | st.integers(-1000, 1000) | st.booleans() | st.none()


@given(
    st.recursive(plain, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text("abc", max_size=3), v, max_size=4))
)
def test_what_holds_nothing_stays_as_it_is(value: Any) -> None:
    assert document(value) == value


def test_a_column_mask_and_a_detector_add_up() -> None:
    owed = (Obligation("c", "last4", frozenset({"ssn"})), owe("redact", "email"))
    assert document({"ssn": SSN, "note": MAIL}, *owed) == {"ssn": "****4399", "note": REDACTED}


def test_a_detector_that_refuses() -> None:
    with pytest.raises(Refusal) as caught:
        document({"a": [{"b": f"x {MAIL}"}]}, owe("redact", "email", id="no-mail", on_match="refuse"))
    assert (caught.value.code, caught.value.rules) == ("withheld", ("no-mail",))


def test_lines_and_arrow_are_looked_at() -> None:
    lines = b'{"a":"x %s"}\n{"a":"y"}\n' % MAIL.encode()
    assert body_of(lines, "application/x-ndjson").body == b'{"a":"x [redacted]"}\n{"a":"y"}\n'
    table = pa.table({"t": [f"x {MAIL}", None, "SSN 536", "-90-4399 x"], "n": [1, 2, 3, 4]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data = body_of(bytes(sink.getvalue()), "application/vnd.apache.arrow.stream").body
    got = pa.ipc.open_stream(data).read_all()
    assert got["t"].to_pylist() == ["x [redacted]", None, "SSN [redacted]", "[redacted] x"]
    assert got["n"].to_pylist() == [1, 2, 3, 4]


def test_fields_of_the_head_are_looked_at() -> None:
    masked = body_of(b"{}", "application/json", headers=((b"set-cookie", b"u=ada%40example.org"), (b"x-a", b"1")))
    assert b"set-cookie" not in dict(masked.headers) and dict(masked.headers)[b"x-a"] == b"1"
    with pytest.raises(Refusal):
        body_of(b"{}", "application/json", headers=((b"location", b"https://x.example/?u=ada@example.org"),))


def test_the_count_says_how_many_and_never_what() -> None:
    masked = body_of(json.dumps([{"a": MAIL}, {"a": f"{MAIL} {MAIL}"}]).encode(), "application/json")
    assert masked.exposure.masks == {"m": 3}
    assert MAIL not in repr(masked.exposure)


@pytest.mark.parametrize("unseen", ["\ufe0f", "\u034f", "\u3164", "\u00ad", "\0", "\b", "\x7f", "\u0085", "\u200d"])
@pytest.mark.parametrize(
    "value", ["4111{0}1111{0}11111111", "536-{0}90-4399", "ada{0}@example.org", "DE89{0}370400440532013000"]
)
def test_what_is_not_seen_hides_nothing(unseen: str, value: str) -> None:
    assert document({"note": f"x {value.format(unseen)} y"}) == {"note": f"x {REDACTED} y"}
    assert document({value.format(unseen): 1}) == {REDACTED: 1}


@pytest.mark.parametrize("dash", "\u2010\u2212\u2043\u02d7\u30fc\ufe63")
def test_dashes_of_every_kind(dash: str) -> None:
    assert document({"a": f"ssn 536{dash}90{dash}4399"}) == {"a": f"ssn {REDACTED}"}


def test_control_characters_stay_where_nothing_is_found() -> None:
    assert document({"a": "x\0y\x7f\b", "b": "é\u0085\ufe0f−"}) == {"a": "x\0y\x7f\b", "b": "é\u0085\ufe0f−"}


@pytest.mark.parametrize("around", ["{}", " {}\n", "card {} it is", "{}, 5.0", "({})", "{}.", "1.5 {}"])
@pytest.mark.parametrize("number", ["4111111111111111.0", "378282246310005.000"])
def test_numbers_with_a_fraction_of_nothing(around: str, number: str) -> None:
    found = document({"a": around.format(number)})["a"]
    assert number[:-4] not in found and REDACTED in found


@pytest.mark.parametrize(
    "text", ["v4111111111111111.0", "4111111111111111.05", "4111111111111111.0.1", "1.4111111111111111.0"]
)
def test_other_numbers_with_a_fraction(text: str) -> None:
    assert document({"a": f"x {text}"}) == {"a": f"x {text}"}
