"""Format-preserving encryption of values: letters and digits of one alphabet change, punctuation stays in its place.

What has other characters in it, or is too short to be safe (see `ff1`), is redacted.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

from sluicegate.mask_method import Alphabet
from sluicegate.masking.ff1 import FF1
from sluicegate.masking.keys import Keys
from sluicegate.masking.values import single

ALPHABETS: dict[Alphabet, str] = {
    "digits": string.digits,
    "hex": string.digits + "abcdef",
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "alphanumeric": string.digits + string.ascii_lowercase + string.ascii_uppercase,
}
STAYS = frozenset("-./:() _+,#")
"""What may stand between the characters of a value, and says nothing."""

_KEPT = 4096


def masker(
    keys: Keys, domain: str, alphabet: Alphabet, other: Callable[[Any], Any]
) -> Callable[[list[Any]], list[Any]]:
    """Encrypts the values of one domain. `other` is what becomes of those that cannot be encrypted."""
    letters = ALPHABETS[alphabet]
    places = {letter: place for place, letter in enumerate(letters)}
    key = keys.derive("fpe", domain)
    tweak = alphabet.encode()

    def one(cipher: FF1, value: Any) -> Any:
        told = single(value)
        if told is None:
            return other(value)
        numerals = []
        for character in told:
            place = places.get(character)
            if place is not None:
                numerals.append(place)
            elif character not in STAYS:
                return other(value)
        number = value.__class__ is int and value >= 0
        if not isinstance(value, str) and not number:
            return other(value)
        try:
            masked = cipher.encrypt(numerals, tweak)
            while number and masked[0] == 0 and numerals[0] != 0:
                masked = cipher.encrypt(masked, tweak)  # again until a number has as many digits as before
        except ValueError:
            return other(value)
        left = iter(masked)
        shown = "".join(letters[next(left)] if character in places else character for character in told)
        return int(shown) if number else shown

    def mask(values: list[Any]) -> list[Any]:
        cipher = FF1(key, len(letters))
        known: dict[Any, Any] = {}
        out: list[Any] = []
        for value in values:
            if value is None:
                out.append(None)
                continue
            place = (value.__class__, value) if value.__class__ in (str, int) else None
            masked = known.get(place) if place is not None else None
            if masked is None:
                masked = one(cipher, value)
                if place is not None and len(known) < _KEPT:
                    known[place] = masked
            out.append(masked)
        return out

    return mask
