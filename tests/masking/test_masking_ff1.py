"""FF1 against the sample vectors of NIST (SP 800-38G, "FF1 Samples"), and its limits."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.masking.ff1 import FF1, MAX_LENGTH, shortest

KEY = "2B7E151628AED2A6ABF7158809CF4F3C"
KEY24 = KEY + "EF4359D8D580AA4F"
KEY32 = KEY24 + "7F036D6F04FC6A94"
NO_TWEAK, TWEAK, TWEAK36 = "", "39383736353433323130", "3737373770717273373737"
LETTERS = string.digits + string.ascii_lowercase


@pytest.mark.parametrize(
    ("key", "radix", "tweak", "plain", "encrypted"),
    [
        (KEY, 10, NO_TWEAK, "0123456789", "2433477484"),
        (KEY, 10, TWEAK, "0123456789", "6124200773"),
        (KEY, 36, TWEAK36, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
        (KEY24, 10, NO_TWEAK, "0123456789", "2830668132"),
        (KEY24, 10, TWEAK, "0123456789", "2496655549"),
        (KEY24, 36, TWEAK36, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
        (KEY32, 10, NO_TWEAK, "0123456789", "6657667009"),
        (KEY32, 10, TWEAK, "0123456789", "1001623463"),
        (KEY32, 36, TWEAK36, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
    ],
)
def test_the_samples_of_nist(key: str, radix: int, tweak: str, plain: str, encrypted: str) -> None:
    cipher = FF1(bytes.fromhex(key), radix)
    numerals = [LETTERS.index(letter) for letter in plain]
    masked = cipher.encrypt(numerals, bytes.fromhex(tweak))
    assert "".join(LETTERS[numeral] for numeral in masked) == encrypted
    assert cipher.decrypt(masked, bytes.fromhex(tweak)) == numerals


@given(st.data(), st.integers(2, 1 << 16), st.binary(max_size=40))
def test_what_is_decrypted_is_what_was_encrypted(data: st.DataObject, radix: int, tweak: bytes) -> None:
    least = shortest(radix)
    numerals = data.draw(st.lists(st.integers(0, radix - 1), min_size=least, max_size=least + 60))
    cipher = FF1(b"k" * 32, radix)
    masked = cipher.encrypt(numerals, tweak)
    assert len(masked) == len(numerals) and all(0 <= numeral < radix for numeral in masked)
    assert cipher.decrypt(masked, tweak) == numerals


@pytest.mark.parametrize(("radix", "least"), [(2, 20), (10, 6), (26, 5), (36, 4), (62, 4), (1000, 2), (65536, 2)])
def test_texts_of_which_there_are_fewer_than_a_million_are_refused(radix: int, least: int) -> None:
    assert shortest(radix) == least
    assert radix**least >= 1_000_000
    cipher = FF1(b"k" * 32, radix)
    assert len(cipher.encrypt([0] * least)) == least
    for length in (0, 1, least - 1, MAX_LENGTH + 1):
        with pytest.raises(ValueError, match="length"):
            cipher.encrypt([0] * length)
