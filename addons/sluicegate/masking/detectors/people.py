"""E-mail addresses (RFC 5322 dot-atoms, RFC 6531 letters) and phone numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers

from sluicegate.masking.detectors.pattern import compiled, places
from sluicegate.masking.detectors.spans import Look

_LETTER = r"\pL\pN"
_EMAIL = compiled(rf"[{_LETTER}\pM.!#$%&'*+/=?^_`{{|}}~-]+(?:@|%40)(?:[{_LETTER}][{_LETTER}\pM-]*\.)+[\pL\pM]{{2,}}")


def emails(look: Look) -> Iterator[tuple[int, int]]:
    """Addresses with a domain of at least two labels."""
    for start, end in places(_EMAIL, look.text):
        while look.text[start] in ".'`{|/=&?#" and start < end:  # quotes and query strings around it
            start += 1
        if look.text[start] != "@":
            yield start, end


REGIONS = ("US", "GB", "DE", "FR", "ES", "IT")
"""Whose numbers are known without a country's prefix, where a mask says nothing."""

_PHONE = compiled(
    r"(?:\+|\b00|\()?[0-9(][0-9]*(?:[ ./()\x{a0}\x{2010}\x{2011}-]{0,3}[0-9]+){1,7}(?: ?(?:x|ext\.?|#) ?[0-9]{1,6})?"
)
_WORDS = re.compile(r"phone|tel|mobil|cell|fax|call|contact|handy|rufnummer|whatsapp|sms|text me|hotline|dial|reach")
_OTHERS = re.compile(
    r"ssn|social|card|iban|account|invoice|order|serial|isbn|imei|zip|postal|licen[cs]e|passport|version|(?<![a-z])id\b"
)
_DATE = re.compile(r"(?:19|20)\d\d([-./])\d{1,2}\1\d{1,2}(?!\d)|\d{1,2}([-./])\d{1,2}\2(?:19|20)?\d\d(?![-./]?\d)")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_GROUPED = re.compile(r"\(\d{2,5}\) ?\d|\d{2,5}[ ./-]\d{2,5}[ .-]\d{2,5}")


def phones(look: Look) -> Iterator[tuple[int, int]]:
    """Numbers with a country's prefix; others that are written as phone numbers are, or where a word says so."""
    for start, end in places(_PHONE, look.text):
        shown = look.text[start:end]
        digits = sum(character.isdigit() for character in shown)
        if not 7 <= digits <= 20 or not look.apart(start, end):
            continue
        if _DATE.match(shown) or _ADDRESS.fullmatch(shown):
            continue
        international = shown.startswith(("+", "00", "(+")) or look.text[max(0, start - 1) : start] == "+"
        if international and look.text[max(0, start - 1) : start] == "+":
            start, shown = start - 1, "+" + shown
        said = look.before(start)
        told = _WORDS.search(said) is not None
        if not international and (not told and (_OTHERS.search(said) or not _GROUPED.search(shown))):
            continue
        if _is_phone(shown, look.regions or REGIONS, told=told):
            yield start, end


@lru_cache(maxsize=4096)
def _is_phone(shown: str, regions: tuple[str, ...], *, told: bool) -> bool:
    if shown.startswith("00"):
        shown = "+" + shown[2:]
    for region in (None,) if shown.startswith(("+", "(+")) else regions:
        try:
            number = phonenumbers.parse(shown, region)
        except phonenumbers.NumberParseException:
            continue
        # Where a word says that it is one, the length has to be right; else the number has to exist.
        if phonenumbers.is_valid_number(number) or (told and phonenumbers.is_possible_number(number)):
            return True
    return False
