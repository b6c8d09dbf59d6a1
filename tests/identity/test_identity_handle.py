"""The handle's form: every single change is found before anybody is asked."""

import base64
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.identity import handle


def test_a_handle_goes_through_everything_unchanged() -> None:
    made = {handle.make() for _ in range(200)}
    assert len(made) == 200
    for text in made:
        assert handle.well_formed(text) and handle.looks_like_one(text)
        assert len(text) == handle.LENGTH and re.fullmatch(handle.PATTERN, text)
        assert quote(text, safe="") == text and text.isascii() and len(text) <= 255  # SOCKS (RFC 1929)
        assert base64.b64decode(base64.b64encode(text.encode())).decode() == text


@pytest.mark.parametrize("index", range(handle.LENGTH))
def test_one_wrong_character_is_found(index: int) -> None:
    text = handle.make()
    for other in "0Az_-é":
        if other != text[index]:
            assert not handle.well_formed(text[:index] + other + text[index + 1 :])


@given(st.integers(0, handle.LENGTH - 2))
def test_cut_doubled_and_swapped_are_found(index: int) -> None:
    text = handle.make()
    assert not handle.well_formed(text[:index])
    assert not handle.well_formed(text[:index] + text[index] + text[index:])
    swapped = text[:index] + text[index + 1] + text[index] + text[index + 2 :]
    assert swapped == text or not handle.well_formed(swapped)


@given(st.text(max_size=80))
def test_whatever_comes_is_answered(text: str) -> None:
    assert not handle.well_formed(text)
    assert not handle.well_formed(handle.PREFIX + text)
    assert len(handle.digest(text)) == 32


@pytest.mark.parametrize(
    "text", ["slg_" + "١" * 49, "slg_" + "A" * 49 + "\n", " " + handle.make(), handle.make() + " "], ids=range(4)
)
def test_only_plain_letters_and_digits(text: str) -> None:
    assert not handle.well_formed(text)
