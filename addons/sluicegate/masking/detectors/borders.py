"""What may be a part of a value, at the two ends of a text that was cut out of a larger one.

The rest of it stands in another response, so that nothing is known of it here. A part is taken that has four
characters or more, or any behind a word that says what it is: of a value with at least seven, whoever has both halves
lacks one of them. What is found may be something else, a year for instance.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sluicegate.mask_method import Detector
from sluicegate.masking.detectors.spans import Span

_REACH = 256
"""Characters at each end of a text that are looked at; tokens and keys may be longer."""
_FAR = 64 << 10
_BEFORE = 48
_LEAST = 4
_NUMBERS: tuple[Detector, ...] = ("card", "iban", "national-id", "phone")

_GAP = r"[ \xa0\u2010\u2011./()+-]"
# With a digit, whatever letters are around it, or a few capital letters: `AB 12 34 56 C`, `X-1234567-L`, `GB29 NWBK`.
_WORD = r"(?:[A-Za-z]*[0-9][0-9A-Za-z]*|[A-Z]{1,4})"
_RUN = rf"{_WORD}(?:{_GAP}{{1,3}}{_WORD})*"
_NUMBER_ENDS = re.compile(rf"(?<![0-9A-Za-z])[(+]{{0,2}}{_RUN}{_GAP}{{0,3}}\Z")
_NUMBER_BEGINS = re.compile(rf"{_GAP}{{0,3}}{_RUN}(?![0-9A-Za-z])")
# In small letters groups of an IBAN look like words, so it takes more digits.
_GROUPS = r"(?:[ \xa0-]?[0-9A-Za-z]{4})"
_LAST_GROUP = r"(?:[ \xa0-]?[0-9A-Za-z]{1,3})?"
_IBAN_ENDS = re.compile(rf"(?<![0-9A-Za-z])[A-Za-z]{{2}}[0-9]{{2}}{_GROUPS}*{_LAST_GROUP}\Z")
_IBAN_BEGINS = re.compile(rf"[A-Za-z]{{0,4}}[ \xa0-]?[0-9][0-9A-Za-z]{{0,3}}{_GROUPS}+{_LAST_GROUP}(?![0-9A-Za-z])")
_WORDS_BEHIND = re.compile(r"(?:[ \xa0-]?[A-Za-z]+)+\Z")
_SAYS_NUMBER = re.compile(
    r"\b(?:ssn|nir|tin|itin|sin|bsn|pesel|cpr|ahv|avs|nhs|pps|cnp|egn|pan|tfn|rut|cuit|cuil|cpf|curp|dni|nie|nif)\b|"
    r"social.?sec|identity|national|tax|citizen|personn|phone|\btel|mobil|cell|fax|call|card|visa|iban|account|\bid\b"
)

_AROUND = r"\s<>\"'(),;:"
_MAIL_ENDS = re.compile(
    rf"[^{_AROUND}@]*@[^{_AROUND}]*\Z|"
    rf"[A-Za-z][^{_AROUND}%]*%4?0?[^{_AROUND}]*\Z|"
    r"[A-Za-z0-9][A-Za-z0-9-]*(?:[._+][A-Za-z0-9-]+)+[._+-]?\Z"
)
_MAIL_BEGINS = re.compile(rf"[^{_AROUND}@]*(?:@|%40)[^{_AROUND}]*")
_SAYS_MAIL = re.compile(r"(?:mail|mailto|write to|contact|reach)\W{1,6}(?:\w+ ){0,3}\Z")
_LAST_WORD = re.compile(rf"[^{_AROUND}]+\Z")

_TOKEN = re.compile(r"[A-Za-z0-9_./+=~-]+")
_TOKEN_LETTERS = string.ascii_letters + string.digits + "_./+=~-"
_LEAST_TOKEN = 8
_SECRET_ENDS = re.compile(r"(?i)(?:passw\w*|pwd|secret|token|key|credential|bearer)\s*(?:[:=]\s*)[\"']?(\S{1,64})\Z")

_KEY_LINES = re.compile(r"(?:[^\n]{0,80}\n)?(?:[A-Za-z0-9+/=]{40,80}\s*)+[A-Za-z0-9+/=]*\s*(?:-{1,5} ?END[^\n]*)?")
_KEY_TAIL = re.compile(r"[A-Za-z0-9+/=\s]*-{1,5} ?END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{0,5}")


class _Part(NamedTuple):
    """A piece of a text, and its place in it."""

    text: str
    start: int


def fragments(text: str, detectors: Iterable[Detector]) -> Iterator[Span]:
    """What may be the end of a value that began before the text, and the beginning of one that goes on behind it."""
    whole, text = text, text.rstrip()
    blank = len(text) - len(text.lstrip())
    for span in _found(text[blank:], detectors):
        # What stands around it goes too, or blanks would tell how it goes on.
        start = 0 if span.start == 0 else span.start + blank
        yield Span(start, len(whole) if span.end + blank == len(text) else span.end + blank, span.detector)


def _found(text: str, detectors: Iterable[Detector]) -> Iterator[Span]:
    first, last = _Part(text[:_REACH], 0), _last(text, _REACH)
    numbers: Detector | None = None
    for detector in sorted(detectors):
        if detector in _NUMBERS:
            numbers = numbers or detector
        if detector == "iban":
            yield from _iban(first, last)
        elif detector == "email":
            yield from _mail(first, last)
        elif detector in ("secret", "jwt"):
            yield from _tokens(text, detector)
        elif detector == "private-key":
            yield from _key(text[:_FAR])
    if numbers is not None:
        yield from _number(first, last, numbers)


def _last(text: str, length: int) -> _Part:
    return _Part(text[-length:], max(0, len(text) - length))


def _number(first: _Part, last: _Part, detector: Detector) -> Iterator[Span]:
    begins = _NUMBER_BEGINS.match(first.text)
    if begins is not None and says_something(begins.group()):
        yield Span(0, begins.end(), detector)
    ends = _NUMBER_ENDS.search(last.text)
    if ends is not None:
        told = _SAYS_NUMBER.search(last.text[max(0, ends.start() - _BEFORE) : ends.end()].lower()) is not None
        if says_something(ends.group()) or (told and any(map(str.isdigit, ends.group()))):
            yield Span(last.start + ends.start(), last.start + ends.end(), detector)


def says_something(shown: str) -> bool:
    """Whether it is long enough to be a part that says something."""
    return sum(map(str.isalnum, shown)) >= _LEAST and any(map(str.isdigit, shown))


def _iban(first: _Part, last: _Part) -> Iterator[Span]:
    begins = _IBAN_BEGINS.match(first.text)
    if begins is not None and sum(map(str.isdigit, begins.group())) >= 2 * _LEAST:
        words = _WORDS_BEHIND.search(begins.group())
        yield Span(0, begins.end() if words is None else words.start(), "iban")
    ends = _IBAN_ENDS.search(last.text)
    if ends is not None:
        yield Span(last.start + ends.start(), last.start + ends.end(), "iban")


def _mail(first: _Part, last: _Part) -> Iterator[Span]:
    begins = _MAIL_BEGINS.match(first.text)
    if begins is not None:
        yield Span(0, begins.end(), "email")
    ends = _MAIL_ENDS.search(last.text)
    if ends is None and (word := _LAST_WORD.search(last.text)) is not None:
        ends = word if _SAYS_MAIL.search(last.text[: word.start()].lower()) else None
    if ends is not None and len(ends.group()) > 1:
        yield Span(last.start + ends.start(), last.start + ends.end(), "email")


def _tokens(text: str, detector: Detector) -> Iterator[Span]:
    begins = _TOKEN.match(text)
    if begins is not None and _random(begins.group()):
        yield Span(0, begins.end(), detector)
    start = len(text.rstrip(_TOKEN_LETTERS))
    if _random(text[start:]):
        yield Span(start, len(text), detector)
    last = _last(text, _REACH)
    said = _SECRET_ENDS.search(last.text)
    if said is not None:
        yield Span(last.start + said.start(1), last.start + said.end(1), detector)


def _random(shown: str) -> bool:
    """Whether no word is written so: letters with digits among them, or capitals behind small ones."""
    if len(shown) < _LEAST_TOKEN:
        return False
    letters = any(map(str.isalpha, shown))
    return (letters and any(map(str.isdigit, shown))) or re.search(r"[a-z][A-Z]", shown) is not None


def _key(text: str) -> Iterator[Span]:
    found = _KEY_TAIL.match(text) or _KEY_LINES.match(text)
    if found is not None:
        yield Span(0, found.end(), "private-key")
