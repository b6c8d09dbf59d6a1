"""Payment cards (ISO/IEC 7812: issuer's prefix, length, Luhn) and IBANs (ISO 13616)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum import iban, luhn

from sluicegate.masking.detectors.pattern import compiled, places
from sluicegate.masking.detectors.spans import Look

_CARD = compiled(r"[0-9](?:[ \x{a0}-]?[0-9]){11,18}")
_ISSUERS = tuple(
    (re.compile(prefix), lengths)
    for prefix, lengths in (
        (r"4", (13, 16, 19)),  # Visa
        (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),  # Mastercard
        (r"3[47]", (15,)),  # American Express
        (r"30[0-5]|3095|36|3[89]", (14, 16, 19)),  # Diners
        (r"6011|64[4-9]|65", (16, 19)),  # Discover
        (r"35", (16, 19)),  # JCB
        (r"2131|1800", (15,)),  # JCB, old
        (r"62|81", (16, 17, 18, 19)),  # UnionPay
        (r"50(?:18|20|38)|5[678]|6304|6759|676[1-3]|6390|0604", (12, 13, 14, 15, 16, 18, 19)),  # Maestro
        (r"220[0-4]", (16,)),  # Mir
        (r"9792", (16,)),  # Troy
    )
)


def cards(look: Look) -> Iterator[tuple[int, int]]:
    """Card numbers, in groups or not."""
    for start, end in places(_CARD, look.text):
        if look.apart(start, end) and is_card(look.text[start:end]):
            yield start, end


def is_card(shown: str) -> bool:
    """Whether an issuer could have given it out."""
    digits = "".join(character for character in shown if character.isdigit())
    if len(set(digits)) < 2 or not luhn.is_valid(digits):
        return False
    return any(len(digits) in lengths and prefix.match(digits) for prefix, lengths in _ISSUERS)


_IBAN = compiled(r"[A-Za-z]{2}[0-9]{2}(?:[ \x{a0}-]?[A-Za-z0-9]{4}){2,7}(?:[ \x{a0}-]?[A-Za-z0-9]{1,3})?")


def ibans(look: Look) -> Iterator[tuple[int, int]]:
    """IBANs with the right length and check digits; words behind one are not taken for a part of it."""
    for start, end in places(_IBAN, look.text):
        if look.text[max(0, start - 1) : start].isalnum():
            continue
        while end - start >= 15:
            if iban.is_valid(look.text[start:end], check_country=False) and not look.text[end : end + 1].isalnum():
                yield start, end
                break
            shorter = max(look.text.rfind(" ", start, end), look.text.rfind("-", start, end), start)
            end = shorter
