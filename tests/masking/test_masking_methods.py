"""What becomes of a value, for every kind of value."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import unicodedata
from typing import Any, get_args

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.mask_method import Manner, Method, strictness
from sluicegate.masking.base32 import base32_all
from sluicegate.masking.methods import REDACTED, Methods
from sluicegate.masking.partial import first, last

KEY = bytes(range(32))
ALL = sorted(get_args(Method))
METHODS = Methods(KEY)


def masked(method: Any, domain: str, value: Any, methods: Methods = METHODS) -> Any:
    """One value, masked as a column of one."""
    (result,) = methods.masker(method, domain)([value])
    return result


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.text())
values = st.recursive(scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(), v, max_size=4))


@given(values, st.sampled_from(ALL), st.text(max_size=20))
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
    assert last(value, 4) == shown
    assert masked("last4", "x", value) == shown


@given(st.text() | st.integers())
def test_last4_never_shows_more_than_four_nor_more_than_half(value: Any) -> None:
    shown = last(value, 4).removeprefix("****")
    assert len(shown) <= 4
    assert len(shown) * 2 <= len(str(value))


def derived(purpose: str, tenant: str, domain: str, version: int, root: bytes = KEY) -> bytes:
    """HKDF-Expand from RFC 5869, as cryptography has it."""
    parts = (purpose.encode(), tenant.encode(), domain.encode(), version.to_bytes(4, "big"))
    info = b"sluicegate masking" + b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return HKDFExpand(hashes.SHA256(), 32, info).derive(root)


def reference(value: str, domain: str) -> str:
    """The pseudonym as the documentation defines it, from the standard library's parts."""
    text = unicodedata.normalize("NFC", value).strip().encode()
    message = struct.pack(">I", len(text)) + text
    digest = hmac.digest(derived("pseudonym", "", unicodedata.normalize("NFC", domain), 1), message, "sha256")[:16]
    return "h1." + base64.b32encode(digest).decode().rstrip("=").lower()


@given(st.text())
def test_hmac_is_what_it_says(value: str) -> None:
    assert masked("hmac", "email", value) == reference(value, "email")


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=5), st.sampled_from([1, 13, 40]))
def test_base32_is_the_standard_one(digests: list[bytes], times: int) -> None:
    standard = [base64.b32encode(digest[:16]).decode().rstrip("=").lower() for digest in digests * times]
    assert base32_all(digests * times) == standard


@given(st.sampled_from(ALL), st.lists(values, max_size=6), st.sampled_from([1, 50]))
def test_a_column_is_masked_as_its_values_are(method: Any, column: list[Any], times: int) -> None:
    before = msgspec.json.encode(column)
    assert METHODS.masker(method, "d")(column * times) == [masked(method, "d", value) for value in column] * times
    assert msgspec.json.encode(column) == before


@pytest.mark.parametrize("length", [32, 63, 64, 65, 200])
@pytest.mark.parametrize(("tenant", "version"), [("", 1), ("acme", 7)])
def test_keys_of_any_length_make_the_keys_of_tenants_and_versions(length: int, tenant: str, version: int) -> None:
    key = b"k" * length
    own = derived("pseudonym", tenant, "d", version, key)
    wanted = hmac.new(own, struct.pack(">I", 1) + b"v", hashlib.sha256).digest()
    assert masked("hmac", "d", "v", Methods(key, tenant, version)) == f"h{version}." + base32_all([wanted])[0]


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
        masked("hmac", "a", "bc", Methods(KEY, "acme")),
        masked("hmac", "a", "bc", Methods(KEY, "", 2)),
    }
    assert len(pseudonyms) == 7


def with_manner(method: Any, value: Any, **manner: Any) -> Any:
    (result,) = METHODS.masker(method, "x", Manner(**manner))([value])
    return result


@given(values, st.sampled_from(ALL))
def test_typed_masks_keep_the_type(value: Any, method: Any) -> None:
    shown = with_manner(method, value, typed=True)
    if method in ("drop", "null") or value is None:
        assert shown is None
    else:
        assert type(shown) is type(value)
    if isinstance(value, list | dict):
        assert not shown


@given(st.text() | st.integers(), st.integers(1, 64))
def test_first_and_last_show_at_most_half(value: Any, keep: int) -> None:
    for shown in (first(value, keep), last(value, keep)):
        assert len(shown) - 4 <= min(keep, len(str(value)) // 2)


@pytest.mark.parametrize(
    ("value", "grain", "shown"),
    [
        ("2026-11-26", "year", "2026-01-01"),
        ("2026-11-26", "quarter", "2026-10-01"),
        ("2026-11-26", "month", "2026-11-01"),
        ("2026/11/26", "day", "2026/11/26"),
        ("20261126", "month", "20261101"),
        ("2026-11-26T13:14:15.123456Z", "day", "2026-11-26T00:00:00.000000Z"),
        ("2026-11-26 13:14:15+01:00", "hour", "2026-11-26 13:00:00+01:00"),
        (None, "year", None),
        ("26.11.2026", "year", REDACTED),
        ("2026-13-01", "year", REDACTED),
        ("born 2026-11-26", "year", REDACTED),
        ("٢٠٢٦-11-26", "year", REDACTED),
        (20261126, "year", REDACTED),
        (["2026-11-26"], "year", REDACTED),
    ],
)
def test_dates_are_cut_to_the_period(value: Any, grain: Any, shown: Any) -> None:
    assert with_manner("date", value, grain=grain) == shown


@pytest.mark.parametrize(
    ("value", "step", "shown"),
    [
        (1234, "100", 1200),
        (-1, "100", -100),
        (10**30 + 7, "10", 10**30),
        (msgspec.Raw(b"12.50"), "10", 10),
        (msgspec.Raw(b"12.75"), "0.5", msgspec.Raw(b"12.5")),
        (msgspec.Raw(b"1e3"), "300", 900),
        (msgspec.Raw(b"1e400000000"), "10", REDACTED),
        ("-12.5", "5", "-15"),
        ("1e9", "5", REDACTED),
        ("12 EUR", "5", REDACTED),
        (True, "5", REDACTED),
        ([1], "5", REDACTED),
        (None, "5", None),
    ],
)
def test_numbers_are_rounded_down(value: Any, step: str, shown: Any) -> None:
    assert with_manner("number", value, step=step) == shown


@given(st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=3), st.integers(1, 1000))
def test_a_rounded_number_tells_only_its_bucket(value: Any, step: int) -> None:
    told = value if isinstance(value, int) else f"{value:f}"
    shown = with_manner("number", told, step=str(step))
    assert shown == REDACTED or (int(shown) % step == 0 and int(shown) <= value < int(shown) + step)


def test_templates_show_what_they_say_and_no_more() -> None:
    assert with_manner("template", "ada@example.org", text="hidden") == "hidden"
    assert with_manner("template", None, text="hidden") == "hidden"
    assert with_manner("template", "ada@example.org", text="{first:1}***{last:3}") == "a***org"
    assert with_manner("template", ["ada"], text="<{first:1}>") == "<>"
    pseudonym = masked("hmac", "x", "ada")
    assert with_manner("template", "ada", text="<{hmac}>") == f"<{pseudonym}>"


@given(st.text(alphabet="0123456789-", min_size=1, max_size=30))
def test_fpe_keeps_the_form_or_redacts(value: str) -> None:
    shown = with_manner("fpe", value)
    digits = sum(c.isdigit() for c in value)
    if digits < 6:
        assert shown == REDACTED
    else:
        assert [c.isdigit() for c in value.strip()] == [c.isdigit() for c in shown]
        assert shown == with_manner("fpe", value)


@given(st.sets(st.integers(10**6, 10**7 - 1), max_size=40))
def test_encrypted_numbers_are_numbers_of_the_same_length_and_never_meet(found: set[int]) -> None:
    shown = {with_manner("fpe", value) for value in found}
    assert len(shown) == len(found)
    assert all(10**6 <= value < 10**7 for value in shown)


@pytest.mark.parametrize(
    "value", ["ssn 123-45-6789", "123-45-678X", "１２３４５６７８９", True, [1234567], -1234567, ""]
)
def test_what_cannot_be_encrypted_is_redacted(value: Any) -> None:
    assert with_manner("fpe", value) == REDACTED


def test_the_order_of_methods_is_total() -> None:
    manners = [Manner(), Manner(keep=2), Manner(typed=True), Manner(on_match="refuse"), Manner(on_match="report")]
    manners += [Manner(text=t) for t in ("x", "{last:4}", "{hmac}", "{first:2}{hmac}")]
    places = sorted(strictness(method, manner) for method in get_args(Method) for manner in manners)
    assert places[0] == strictness("last", Manner(on_match="refuse"))
    assert places[-1] == strictness("drop", Manner(on_match="report"))
    assert strictness("template", Manner(text="{first:2}{hmac}")) > strictness("template", Manner(text="{hmac}"))
    usual = ["drop", "null", "redact", "template", "hmac", "fpe", "number", "date", "first", "last"]
    assert sorted(usual, key=lambda m: strictness(m)) == usual
    assert strictness("last4") == strictness("last", Manner(keep=4))
    assert strictness("last", Manner(keep=2)) < strictness("last")
    assert strictness("date", Manner(grain="year")) < strictness("date", Manner(grain="month"))
    assert strictness("number", Manner(step="100")) < strictness("number", Manner(step="10"))
