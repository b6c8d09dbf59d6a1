"""What becomes of a value, for every kind of value."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.masking.base32 import base32_all
from sluicegate.masking.methods import PSEUDONYM, REDACTED, STRICTNESS, Methods, last4

KEY = bytes(range(32))
METHODS = Methods(KEY)


def masked(method: Any, domain: str, value: Any, methods: Methods = METHODS) -> Any:
    """One value, masked as a column of one."""
    (result,) = methods.masker(method, domain)([value])
    return result


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.text())
values = st.recursive(scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(), v, max_size=4))


@given(values, st.sampled_from(sorted(STRICTNESS)), st.text(max_size=20))
def test_every_method_takes_every_value(value: Any, method: Any, domain: str) -> None:
    msgspec.json.encode(masked(method, domain, value))


@given(values)
def test_redact_and_null_do_not_depend_on_the_value(value: Any) -> None:
    assert masked("redact", "x", value) == REDACTED
    assert masked("null", "x", value) is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("123-45-6789", "****6789"),
        ("12345678", "****5678"),
        ("1234567", "****567"),
        ("12", "****2"),
        ("1", "****"),
        ("", "****"),
        ("   1234   ", "****34"),
        (123456789, "****6789"),
        (-5, "****5"),
        (10**40 + 7, "****0007"),
        (msgspec.Raw("12.50"), "****50"),
        (True, "****"),
        (False, "****"),
        (None, None),
        (["123-45-6789"], "****"),
        ({"a": "123-45-6789"}, "****"),
        ('{"a": "123-45-6789"}', "****"),
        (' ["123-45-6789"]', "****"),
    ],
)
def test_last4(value: Any, shown: Any) -> None:
    assert last4(value) == shown


@given(st.text() | st.integers())
def test_last4_never_shows_more_than_four_nor_more_than_half(value: Any) -> None:
    shown = last4(value).removeprefix("****")
    assert len(shown) <= 4
    assert len(shown) * 2 <= len(str(value))


def reference(value: str, domain: str) -> str:
    """The pseudonym as the documentation defines it, from the standard library's parts."""
    name, text = domain.encode(), unicodedata.normalize("NFC", value).strip().encode()
    message = struct.pack(">I", len(name)) + name + struct.pack(">I", len(text)) + text
    digest = hmac.digest(KEY, message, "sha256")[:16]
    return "h1." + base64.b32encode(digest).decode().rstrip("=").lower()


@given(st.text())
def test_hmac_is_what_it_says(value: str) -> None:
    assert masked("hmac", "email", value) == reference(value, "email")


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=5), st.sampled_from([1, 13, 40]))
def test_base32_is_the_standard_one(digests: list[bytes], times: int) -> None:
    standard = [base64.b32encode(digest[:16]).decode().rstrip("=").lower() for digest in digests * times]
    assert base32_all(digests * times) == standard


@given(st.sampled_from(sorted(STRICTNESS)), st.lists(values, max_size=6), st.sampled_from([1, 50]))
def test_a_column_is_masked_as_its_values_are(method: Any, column: list[Any], times: int) -> None:
    before = msgspec.json.encode(column)
    assert METHODS.masker(method, "d")(column * times) == [masked(method, "d", value) for value in column] * times
    assert msgspec.json.encode(column) == before


@pytest.mark.parametrize("length", [16, 32, 63, 64, 65, 200])
def test_keys_of_any_length_are_padded_as_rfc_2104_says(length: int) -> None:
    key = b"k" * length
    message = struct.pack(">I", 1) + b"d" + struct.pack(">I", 1) + b"v"
    wanted = hmac.new(key, message, hashlib.sha256).digest()
    assert masked("hmac", "d", "v", Methods(key)) == PSEUDONYM + base32_all([wanted])[0]


def test_short_keys_are_not_taken() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Methods(b"short")


def test_equal_values_join_however_they_are_written() -> None:
    def mask(value: Any) -> Any:
        return masked("hmac", "id", value)

    assert mask(42) == mask("42") == mask(" 42\n")
    assert mask("\u00e9") == mask("e\u0301")
    assert mask({"a": 1, "b": 2}) == mask({"b": 2, "a": 1})
    assert mask(None) is None
    assert mask(msgspec.Raw("1.50")) == mask("1.50")


def test_domains_and_keys_keep_values_apart() -> None:
    pseudonyms = {
        masked("hmac", "a", "bc"),
        masked("hmac", "ab", "c"),
        masked("hmac", "", "abc"),
        masked("hmac", "abc", ""),
        masked("hmac", "a", "bc", Methods(b"x" * 32)),
    }
    assert len(pseudonyms) == 5
