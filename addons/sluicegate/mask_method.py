"""How a value is masked, and which of two ways is the stricter one: an order that is total, so that masks add up.

From the strictest to the mildest: a rule that refuses; `drop`, `null`, `redact`, `template`, `hmac`, `fpe`, `number`,
`date`, `first`, `last` (`last4` is `last` with four); a rule that only reports. Of two that are alike the one that
shows less wins (fewer characters, a coarser date, a wider number), then the one that does not keep the type.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Method = Literal["drop", "null", "redact", "template", "hmac", "fpe", "number", "date", "first", "last", "last4"]
OnMatch = Literal["mask", "refuse", "report"]
Grain = Literal["year", "quarter", "month", "day", "hour"]
Alphabet = Literal["digits", "hex", "lower", "upper", "alphanumeric"]
Detector = Literal["email", "phone", "card", "iban", "national-id", "secret", "jwt", "private-key"]

Strictness = tuple[int, float, bool]
"""Smaller is stricter."""

GRAINS: tuple[Grain, ...] = ("year", "quarter", "month", "day", "hour")

_RANKS: dict[Method, int] = {
    "drop": 1,
    "null": 2,
    "redact": 3,
    "template": 4,
    "hmac": 5,
    "fpe": 6,
    "number": 7,
    "date": 8,
    "first": 9,
    "last": 10,
    "last4": 10,
}
_REFUSE, _REPORT = 0, 11


@dataclass(frozen=True, slots=True, order=True)
class Manner:
    """The settings of a method. Each means something to some methods only."""

    keep: int = 4
    """Characters that `first` and `last` show."""
    grain: Grain = "year"
    """What `date` leaves."""
    step: str = "10"
    """Width of the buckets of `number`, a decimal."""
    text: str = ""
    """What `template` puts."""
    alphabet: Alphabet = "digits"
    """What `fpe` works on."""
    typed: bool = False
    """Whether numbers, truth values, objects and arrays keep their type."""
    domain: str = ""
    """Within which pseudonyms join; empty: the column's name."""
    on_match: OnMatch = "mask"
    regions: tuple[str, ...] = ()
    """Countries (ISO 3166, two letters) whose phone numbers and national numbers a detector knows without a prefix."""
    borders: bool = False
    """Whether a detector takes what may be parts of values at the ends of texts too."""


USUAL = Manner()

PLACEHOLDER = re.compile(r"\{(?:(first|last):(\d{1,2})|(hmac))\}")
"""What a template may hold besides its text."""


def strictness(method: Method, manner: Manner = USUAL) -> Strictness:
    """The place of a method in the order."""
    if manner.on_match == "refuse":
        return _REFUSE, 0.0, False
    if manner.on_match == "report":
        return _REPORT, 0.0, False
    if method == "template":
        return min(_template(manner.text), key=lambda found: (-found[0], -found[1]))
    return _RANKS[method], _detail(method, manner), manner.typed


def shows_nothing(method: Method, manner: Manner = USUAL) -> bool:
    """Whether what is left depends on nothing in the value, so that it can be given of any text."""
    return strictness(method, manner) < (_RANKS["template"], 0.0, False)


def _detail(method: Method, manner: Manner) -> float:
    match method:
        case "number":
            return -float(manner.step)
        case "date":
            return float(GRAINS.index(manner.grain))
        case "first" | "last":
            return float(manner.keep)
        case "last4":
            return 4.0
        case _:
            return 0.0


def _template(text: str) -> list[Strictness]:
    """What each part of a template is as strict as."""
    found: list[Strictness] = [(_RANKS["template"], 0.0, False)]
    for match in PLACEHOLDER.finditer(text):
        if match[3]:
            found.append((_RANKS["hmac"], 0.0, True))
        else:
            found.append((_RANKS["first" if match[1] == "first" else "last"], float(match[2]), True))
    return found
