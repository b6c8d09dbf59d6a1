"""A value that is cut by the border of two responses, of which each is masked without the other."""

from __future__ import annotations

import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.exchange import Obligation
from sluicegate.mask_method import Manner
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.detectors.borders import fragments
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan
from sluicegate.masking.stream import open_stream

EVERYTHING = frozenset(("email", "phone", "card", "iban", "national-id", "secret", "jwt", "private-key"))


def plan(method: str = "redact", detect: frozenset[str] = EVERYTHING, **manner: object) -> Plan:
    return Plan((Obligation("all", method, detect=detect, manner=Manner(borders=True, **manner)),), Methods(b"k" * 32))


PLAN = plan()
HARMLESS = 4
"""Letters and digits of which fewer may be left of a value on one side; and then nothing may be on the other."""

NUMBERS = {
    "ssn": ("my SSN is {} as you know", "536-90-4399"),
    "ssn, alone": ("I am {} in the files", "536-90-4399"),
    "card": ("paid with {} in June", "4111 1111 1111 1111"),
    "card, one piece": ("paid with {} in June", "4111111111111111"),
    "iban": ("to {} it went", "DE89 3704 0044 0532 0130 00"),
    "iban with letters": ("to {} it went", "GB29 NWBK 6016 1331 9268 19"),
    "iban in small letters": ("to {} it went", "gb29 nwbk 6016 1331 9268 19"),
    "phone": ("call {} at noon", "+49 151 12345678"),
    "phone in groups": ("he told it, {} twice", "(202) 456-1111"),
    "nino": ("she is {} there", "AB 12 34 56 C"),
    "dni": ("con el {} sin duda", "12345678Z"),
}
TOKENS = {
    "github": ("the key {} works", "ghp_" + "aB3dE6gH9" * 4),
    "jwt": (
        "log in with {} now",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    ),
}
MAILS = {"mail": ("please write, {} is mine", "ada.lovelace99@example.org")}
SHAPES = ("object", "rows", "texts", "text", "lines", "events")


def sent(text: str, shape: str) -> tuple[str, bytes]:
    """One chunk, as some service hands it out."""
    row = {"id": 7, "text": text}
    match shape:
        case "object":
            return "application/json", json.dumps(row).encode()
        case "rows":
            return "application/json", json.dumps({"chunks": [row]}).encode()
        case "texts":
            return "application/json", json.dumps([text]).encode()
        case "lines":
            return "application/x-ndjson", json.dumps(row).encode() + b"\n"
        case "events":
            return "text/event-stream", b"data: %s\n\n" % json.dumps(row).encode()
        case _:
            return "text/plain", text.encode()


def left_of(text: str, shape: str = "object", owed: Plan = PLAN) -> str:
    """What of a chunk leaves."""
    media, body = sent(text, shape)
    found = mask(Reply("GET", 200, ((b"content-type", media.encode()),), body), owed, (), 1 << 20).body.decode()
    stream = open_stream(((b"content-type", media.encode()),), 200, owed, (), None)
    assert stream is not None
    passed = b"".join([*stream.feed(body), *stream.end()]).decode()
    match shape:
        case "text":
            shown = found, passed
        case "events":
            shown = tuple(json.loads(each.removeprefix("data: "))["text"] for each in (found, passed))
        case "rows":
            shown = tuple(json.loads(each)["chunks"][0]["text"] for each in (found, passed))
        case "texts":
            shown = tuple(json.loads(each)[0] for each in (found, passed))
        case _:
            shown = tuple(json.loads(each)["text"] for each in (found, passed))
    assert shown[0] == shown[1]
    return shown[0]


def alnum(text: str) -> int:
    return sum(map(str.isalnum, text))


def parts_left(value: str, place: int, left: str, right: str) -> tuple[int, int]:
    """Letters and digits of each half that are still in its chunk."""
    return tuple(
        alnum(half) if half.strip() and half.strip() in shown else 0
        for half, shown in ((value[:place], left), (value[place:], right))
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_is_cut_anywhere(name: str, shape: str) -> None:
    around, value = NUMBERS[name]
    before, after = around.split("{}")
    for place in range(1, len(value)):
        left = left_of(before + value[:place], shape)
        right = left_of(value[place:] + after, shape)
        one, other = parts_left(value, place, left, right)
        assert min(one, other) == 0 and max(one, other) < HARMLESS, (place, left, right)
        assert left.startswith(before.rstrip()[:4]) and right.endswith(after[-4:])


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_that_is_cut_anywhere(name: str) -> None:
    around, value = TOKENS[name]
    before, after = around.split("{}")
    for place in range(1, len(value)):
        left, right = left_of(before + value[:place]), left_of(value[place:] + after)
        one, other = parts_left(value, place, left, right)
        assert min(one, other) == 0 and max(one, other) < 8, (place, left, right)


def test_an_address_that_is_cut_anywhere() -> None:
    around, value = MAILS["mail"]
    before, after = around.split("{}")
    at = value.index("@")
    for place in range(1, len(value)):
        left, right = left_of(before + value[:place]), left_of(value[place:] + after)
        # A single word cannot be told from any other; a domain says nobody's name.
        word = value[:place].isalpha()
        assert value[:place] not in left or word or alnum(value[:place]) < HARMLESS, (place, left)
        assert place > at or "@" not in right, (place, right)
        assert value[place:] not in right or place > at, (place, right)


@pytest.mark.parametrize("overlap", [3, 8, 20, 40])
@pytest.mark.parametrize("name", NUMBERS)
def test_neighbouring_chunks_that_overlap(name: str, overlap: int) -> None:
    around, value = NUMBERS[name]
    text = "It was a dark and stormy night. " + around.format(value) + ", and the rain fell in torrents."
    digits = "".join(filter(str.isalnum, value))
    for border in range(overlap + 1, len(text)):
        left, right = left_of(text[:border]), left_of(text[border - overlap :])
        for shown in (left, right):
            kept = "".join(filter(str.isalnum, shown))
            pieces = {digits[at : at + HARMLESS] for at in range(len(digits) - HARMLESS + 1)}
            assert not [piece for piece in pieces if any(map(str.isdigit, piece)) and piece in kept], (border, shown)


def test_a_private_key_that_is_cut_anywhere() -> None:
    body = "\n".join("MIIEowIBAAKCAQEA" * 4 for _ in range(4))
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
    for place, shape in product(range(1, len(key), 3), ("object", "text")):
        left, right = left_of(f"here: {key[:place]}", shape), left_of(f"{key[place:]}\nkeep it", shape)
        shown = left + right
        assert "MIIEowIBAAKCAQEAMIIEowIB" not in shown, (place, left, right)
        assert "keep it" in right


@pytest.mark.parametrize(
    "text",
    [
        "Nothing to see here.",
        "State of the art",
        "a sentence that goes on and",
        "the USA and the EU",
        "In 12 steps, and no more",
        "it costs 100 dollars, or 200",
        "Well, that is that!",
        "3 of them left",
    ],
)
def test_what_stays(text: str) -> None:
    assert left_of(text) == text


def test_only_the_two_ends_of_a_text_are_looked_at_so() -> None:
    assert left_of("Then, in 2024 or in 123456, it was.") == "Then, in 2024 or in 123456, it was."
    assert left_of("2024 it was, in 1999") == "[redacted] it was, in [redacted]"


def test_values_of_their_own_are_no_pieces() -> None:
    body = json.dumps({"rows": [{"n": "123456", "name": "AB1234"}], "2024 total": 1}).encode()
    found = mask(Reply("GET", 200, ((b"content-type", b"application/json"),), body), PLAN, (), 1 << 20)
    assert json.loads(found.body) == json.loads(body)
    rows = b"id,amount\n1,1234567\n"
    assert mask(Reply("GET", 200, ((b"content-type", b"text/csv"),), rows), PLAN, (), 1 << 20).body == rows


@pytest.mark.parametrize("method", ["last4", "hmac", "redact"])
def test_a_whole_value_at_the_end_leaves_as_its_mask_says(method: str) -> None:
    plain = Plan((Obligation("all", method, detect=EVERYTHING),), Methods(b"k" * 32))
    text = "my number is 536-90-4399"
    assert left_of(text, owed=plan(method)) == left_of(text, owed=plain) != text


def test_without_the_setting_nothing_of_it_happens() -> None:
    plain = Plan((Obligation("all", "redact", detect=EVERYTHING),), Methods(b"k" * 32))
    assert left_of("my SSN is 536-90", owed=plain) == "my SSN is 536-90"


def test_a_part_refuses_nothing_and_counts() -> None:
    said = ((b"content-type", b"application/json"),)
    refusing = plan(on_match="refuse")
    found = mask(Reply("GET", 200, said, b'{"text": "my SSN is 536-9"}'), refusing, (), 1 << 20)
    assert b"536" not in found.body and found.exposure.masks == {"all": 1}


@given(st.text(alphabet="aB3 .-@\n/%+", max_size=40), st.sets(st.sampled_from(sorted(EVERYTHING)), min_size=1))
def test_what_is_found_lies_at_an_end_of_the_text(text: str, detectors: set[str]) -> None:
    for span in fragments(text, detectors):
        assert 0 <= span.start < span.end <= len(text)
        assert span.start == 0 or span.end == len(text)
