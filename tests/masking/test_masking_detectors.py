"""What the detectors find in one text, and what they leave alone."""

from __future__ import annotations

import base64
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.masking.detectors import Look
from sluicegate.masking.detectors.first_pass import FirstPass
from sluicegate.masking.detectors.hidden import decoded
from sluicegate.masking.detectors.national import KINDS, forms_in
from sluicegate.masking.detectors.table import FINDERS

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"


def found(name: Any, text: str, key: str = "", regions: tuple[str, ...] = ()) -> list[str]:
    return [text[start:end] for start, end in FINDERS[name](Look(text, key, regions))]


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("email", "Ada <ada.l+x@mail.example.org>, bob@example.co.uk.", ["ada.l+x@mail.example.org", "bob@example.co.uk"]),
        ("email", "to=ada%40example.org&x=1", ["to=ada%40example.org"]),
        ("email", "jörg@bücher.example", ["jörg@bücher.example"]),
        ("email", "a @ b.c, user@localhost, @handle, 3@4", []),
        ("card", "card 4111 1111 1111 1111, 5555-5555-5555-4444; 378282246310005", ["4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005"]),
        ("card", "4111 1111 1111 1112 0000000000000000 1767322845678901 4111111111111111.5", []),
        ("iban", "IBAN DE89 3704 0044 0532 0130 00 please, GB82WEST12345698765432.", ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"]),
        ("iban", "DE89370400440532013001 and XX12345678901234567890", []),
        ("phone", "call +1 (212) 555-0188 or +49 151 12345678", ["+1 (212) 555-0188", "+49 151 12345678"]),
        ("phone", "my mobile is 212-555-0188", ["212-555-0188"]),
        ("phone", "she said (202) 456-1111 twice; customer_id (202) 456-1111", ["(202) 456-1111"]),
        ("phone", "2026-01-02T03:04:05.678901Z 2026-01-02 03:04:05 1767322845678 10.0.0.1 192.168.100.200 3.14159265358", []),
        ("phone", "order 212555018800, card 4111 1111 1111 1111, 123e4567-e89b-12d3-a456-426614174000", []),
        ("national-id", "SSN 536-90-4399", ["536-90-4399"]),
        ("national-id", "ssn: 536904399", ["536904399"]),
        ("national-id", "536904399 and 000-12-3456 and 666-12-3456 and 1536-90-4399 and 536-90-4399-1", []),
        ("national-id", "DNI 54362315K, RSSMRA85T10A562S", ["54362315K", "RSSMRA85T10A562S"]),
        ("secret", "AKIAQYLPMN5HHHFPZAM2 ghp_0123456789abcdefghijABCDEFGHIJ456789", ["AKIAQYLPMN5HHHFPZAM2", "ghp_0123456789abcdefghijABCDEFGHIJ456789"]),
        ("secret", 'password = "q8f3Kx92mPz7Lw1T"', ['q8f3Kx92mPz7Lw1T']),
        ("secret", "postgres://ada:s3cr3tpw@db.example/x", ["postgres://ada:s3cr3tpw@"]),
        ("secret", "AKIAIOSFODNN7EXAMPLE password: your_password_here1 token is required sk-xxxxxxxxxxxxxxxxxxxxxxxx", []),
        ("jwt", f"Bearer {JWT} x", [JWT]),
        ("jwt", "eyAAAAAAAAAAAAAA.BBBBBBBB.CCCC", []),
        ("private-key", f"a {KEY} b", [KEY]),
        ("private-key", "x -----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn", ["-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn"]),
        ("private-key", "-----BEGIN PUBLIC KEY-----", []),
    ],
)  # fmt: skip
def test_what_is_found(name: Any, text: str, values: list[str]) -> None:
    assert sorted(set(found(name, text))) == sorted(values)


def test_a_word_beside_a_number_and_the_region_say_what_it_is() -> None:
    assert found("phone", "030 901820", "telefon", ("DE",)) == ["030 901820"]
    assert found("national-id", "1112223334", "x", ("GB",)) == []
    assert found("national-id", "943 476 5870", "nhs number", ("GB",)) == ["943 476 5870"]
    assert found("national-id", "536-90-4399", "", ("DE",)) == []


def test_values_in_texts_of_any_length_are_found_once() -> None:
    for size in (0, 16_370, 16_384, 16_390, 40_000):
        text = "x" * size + " ada@example.org " + "y" * 20_000
        assert found("email", text) == ["ada@example.org"], size


@given(st.text(max_size=60), st.sampled_from(sorted(FINDERS)))
def test_no_text_breaks_a_detector(text: str, name: Any) -> None:
    for start, end in FINDERS[name](Look(text)):
        assert 0 <= start < end <= len(text)


VALUES = {
    "email": "ada@example.org",
    "phone": "+49 151 12345678",
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "national-id": "536-90-4399",
    "secret": "ghp_0123456789abcdefghijABCDEFGHIJ456789",
    "jwt": JWT,
    "private-key": KEY,
}
around = st.text(alphabet=" .,;()<>\"'é\n", max_size=5)


FIRST = FirstPass(FINDERS)


@given(st.sampled_from(sorted(VALUES)), around, around)
def test_the_first_pass_misses_nothing_that_a_detector_finds(name: Any, before: str, behind: str) -> None:
    text = before + VALUES[name] + behind
    if found(name, text):
        suspects = FIRST.suspects(["nothing", text, ""])
        assert name in {clue[0] for clue in suspects[1]}


def test_the_first_pass_knows_which_text_it_is() -> None:
    first = FirstPass(["email"])
    texts = ["", "a", "ü" * 7, "x ada@example.org", "", "b@c.d", "@"]
    assert sorted(first.suspects(texts)) == [3, 5]
    assert first.suspects([]) == {}
    assert first.any(b"x@y") and not first.any(b"x y")


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        (base64.b64encode(b"ada@example.org").decode(), "ada@example.org"),
        (base64.urlsafe_b64encode(b"ada@example.org???").decode().rstrip("="), "ada@example.org???"),
        (b"ada@example.org".hex(), "ada@example.org"),
        ("0x" + b"ada@example.org".hex().upper(), "ada@example.org"),
        ("ada%40example.org", "ada@example.org"),
    ],
)
def test_texts_that_are_encoded_once_are_read(text: str, inner: str) -> None:
    assert inner in list(decoded(text))


@given(st.text(alphabet="0123456789012345678901234567890123456789 .-/+ABCKXxé", max_size=80))
def test_one_search_knows_all_forms_of_national_numbers(text: str) -> None:
    one_by_one = [key for key, kind in KINDS.items() if re.search(kind.form, text)]
    assert [key for key, _ in forms_in(text)] == one_by_one


def test_an_old_swedish_number_is_not_passed_over() -> None:
    text = "personnr 880320+0016"
    assert found("national-id", text) == ["880320+0016"]
    assert 0 in FIRST.suspects([text])


@pytest.mark.parametrize("name", sorted(FINDERS))
def test_hostile_texts_take_time_in_proportion_to_their_length(name: Any) -> None:
    for unit in ("a@", "1 ", "1-", "(1", "DE89 ", "a.", "eyJ", "password=", "-----BEGIN ", "+1", "AB12", "x://a:"):
        begun = time.process_time()
        list(FINDERS[name](Look(unit * 20_000)))
        assert time.process_time() - begun < 5, unit
