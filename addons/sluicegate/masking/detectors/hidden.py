"""Texts that are encoded once, as a whole or in part: base64 (also for addresses), hexadecimal, percent signs,
references of HTML, and numbers with a fraction or an exponent.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

import re2

from sluicegate.masking.detectors.numbers import FRACTION, SIGNS, whole
from sluicegate.masking.names import UNSEEN

_LEAST = 12
_FRONT = 128
_RUN = re2.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_BASE64 = re2.compile(r"\s*[A-Za-z0-9+/_-]{12,}[A-Za-z0-9+/_\s-]*={0,2}\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_DASHES = frozenset("\u02d7\u2043\u2212\u2796\u30fc")  # outside the category of dashes
_HEX = re2.compile(r"\s*(?:0[xX])?(?:[0-9A-Fa-f]{2}[ :]?){8,}\s*")


class Coded(NamedTuple):
    """A part of a text, from start up to end, and what it may say; a part may say several things."""

    place: int
    start: int
    end: int
    inner: str


def candidates(texts: Sequence[str | None]) -> Iterator[Coded]:
    """What is encoded in texts, each with the place of its text."""
    for place, text in enumerate(texts):
        if not text:
            continue
        if len(text) >= _LEAST and " " not in text and "." not in text and "@" not in text and ":" not in text:
            for inner in _said(text):
                yield Coded(place, 0, len(text), inner)
        elif "%" in text and (inner := unquote(text)) != text:
            yield Coded(place, 0, len(text), inner)
        elif _HEX.fullmatch(text) is not None or (text[:5].lower() == "data:" and ";base64," in text[:_FRONT].lower()):
            for inner in decoded(text):
                yield Coded(place, 0, len(text), inner)
        yield from _fractions(place, text)
        if "&#" in text and (inner := html.unescape(text)) != text:
            yield Coded(place, 0, len(text), inner)
        for found in _RUN.finditer(text) if len(text) > _LEAST else ():
            if found.end() - found.start() < len(text) and found[0].strip(SIGNS):
                for inner in _said(found[0]):
                    yield Coded(place, found.start(), found.end(), inner)


def _fractions(place: int, text: str) -> Iterator[Coded]:
    """Numbers with a fraction of zeros, or an exponent, that are whole."""
    told = text.strip()
    if told[-1:].isdigit() and (told[0] in "+-" or told[0].isdigit()) and (digits := whole(told)) is not None:
        yield Coded(place, 0, len(text), digits)
    elif ".0" in text:
        for found in FRACTION.finditer(text):
            if (digits := whole(found[0])) is not None:
                yield Coded(place, found.start(), found.end(), digits)


def _said(run: str) -> Iterator[str]:
    yield from decoded(run)
    if "/" in run:  # the end of a path
        for part in run.split("/"):
            yield from decoded(part)


def is_plain(text: str) -> bool:
    """Whether a text is in its plain form already, as nearly all are."""
    return text.isascii() and (text.isprintable() or _CONTROL.search(text) is None)


def plain_form(text: str) -> str:
    """The text in the letters and digits that it looks like: compatibility forms (NFKC), digits of all scripts, dashes
    and blanks, and nothing that is not seen. What patterns look for is written in ASCII.
    """
    if is_plain(text):
        return text
    form = unicodedata.normalize("NFKC", text)
    changed = {ord(letter): plain for letter in set(form) if (plain := _plain(letter)) != letter}
    return form.translate(changed) if changed else form


@lru_cache(maxsize=4096)
def _plain(letter: str) -> str:
    if letter in "\t\n\r":
        return letter
    if letter in UNSEEN:
        return ""
    match unicodedata.category(letter):
        case "Cf" | "Cc":
            return ""
        case "Zs" | "Zl" | "Zp":
            return " "
        case _ if letter in _DASHES or unicodedata.category(letter) == "Pd":
            return "-"
        case "Nd":
            return str(unicodedata.decimal(letter))
        case _:
            return letter


def decoded(text: str) -> Iterator[str]:
    """What one text may say once it is decoded."""
    if "%" in text and (plain := unquote(text)) != text:
        yield plain
    if text[:5].lower() == "data:":  # RFC 2397
        text = text.partition(",")[2]
    if _HEX.fullmatch(text) is not None:
        digits = "".join(text.split()).removeprefix("0x").removeprefix("0X").replace(":", "")
        yield from _text(bytes.fromhex(digits) if len(digits) % 2 == 0 else b"")
    if _BASE64.fullmatch(text) is not None:
        form = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
        try:
            yield from _text(base64.b64decode(form + "=" * (-len(form) % 4)))
        except (binascii.Error, ValueError):
            return


def _text(data: bytes) -> Iterator[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    if text and (text.isprintable() or text.replace("\n", "").replace("\t", "").replace("\r", "").isprintable()):
        yield text
