"""Numbers as detectors read them: a card number is one too where somebody wrote it with a fraction or an exponent."""

from __future__ import annotations

import re

LEAST = 9
"""Digits of the shortest number that anything is looked for in."""
SIGNS = "0123456789eE+-"
"""What numbers are made of; a run of these alone in a longer text is not taken for one that is encoded."""
_MOST = 40
FRACTION = re.compile(r"(?<![0-9A-Za-z.])[0-9]{9,40}\.0+(?![0-9A-Za-z]|\.[0-9])")
"""A number in a text with a fraction of nothing, as it comes about where a table took numbers for amounts."""
_NUMBER = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,6}))?")


def whole(text: str) -> str | None:
    """The digits, with a sign, of a number in decimal or scientific notation that is whole and has at least nine of
    them and no more than forty; None for everything else.
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    sign, front, behind, exponent = found.groups(default="")
    shift = int(exponent or 0) - len(behind)
    digits = (front + behind).lstrip("0")
    if shift < 0:
        digits, cut = digits[:shift], digits[shift:]
        if cut.strip("0"):
            return None
    elif shift <= _MOST:
        digits += "0" * shift
    return sign.removeprefix("+") + digits if LEAST <= len(digits) <= _MOST and shift <= _MOST else None
