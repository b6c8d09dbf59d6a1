"""Dates cut to a period, and numbers rounded down: what is left is of the same form as what there was.

What is not surely a date or a number is redacted, since its parts cannot be told apart.
"""

from __future__ import annotations

import re
from decimal import ROUND_FLOOR, Context, Decimal, DecimalException
from typing import Any

import msgspec

from sluicegate.mask_method import Grain
from sluicegate.masking.values import NUMBERS

_DATE = re.compile(
    r"(?P<year>\d{4})(?P<a>[-/.]?)(?P<month>0[1-9]|1[0-2])(?P=a)(?P<day>0[1-9]|[12]\d|3[01])"
    r"(?:(?P<t>[Tt ])(?P<hour>[01]\d|2[0-4])(?P<minute>:?[0-5]\d)?(?P<second>:?(?:[0-5]\d|60))?(?P<part>[.,]\d+)?"
    r"(?P<zone>\s?(?:[Zz]|UTC|[+-]\d\d(?::?\d\d)?))?)?",
    re.ASCII,
)
"""ISO 8601 and RFC 3339, also with `/` or `.` between year, month and day. Other orders cannot be told apart."""

_NUMBER = re.compile(r"[+-]?\d{1,400}(?:\.\d{1,400})?", re.ASCII)
_DIGIT = re.compile(r"\d")
_context = Context(prec=800, rounding=ROUND_FLOOR, Emax=2000, Emin=-2000)


def date(value: Any, grain: Grain, other: Any) -> Any:
    """The first moment of the period. Null stays null; `other` is put for what is not a date."""
    if value is None:
        return None
    found = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return other
    month, day, hour = found["month"], found["day"], found["hour"]
    if grain == "quarter":
        month = f"{(int(month) - 1) // 3 * 3 + 1:02d}"
    elif grain == "year":
        month = "01"
    if grain not in ("day", "hour"):
        day = "01"
    kept = f"{found['year']}{found['a']}{month}{found['a']}{day}"
    if hour is None:
        return kept
    rest = "".join(_DIGIT.sub("0", found[name] or "") for name in ("minute", "second", "part"))
    return f"{kept}{found['t']}{hour if grain == 'hour' else '00'}{rest}{found['zone'] or ''}"


def number(value: Any, step: Decimal, other: Any) -> Any:
    """The multiple of `step` at or below the number, as a number or as a text, as it came."""
    if value is None:
        return None
    whole = int(step) if step == step.to_integral_value() else None
    if value.__class__ is int and whole is not None:
        return value // whole * whole
    if isinstance(value, str):
        told = value.strip()
        if _NUMBER.fullmatch(told) is None:
            return other
        floor = _floor(told, step)
        return other if floor is None else f"{floor:f}"
    if not isinstance(value, NUMBERS) or isinstance(value, bool):
        return other
    floor = _floor(bytes(value).decode() if isinstance(value, msgspec.Raw) else repr(value), step)
    if floor is None:
        return other
    return int(floor) if floor == floor.to_integral_value() else msgspec.Raw(f"{floor:f}".encode())


def _floor(told: str, step: Decimal) -> Decimal | None:
    try:
        exact = _context.create_decimal(told)
        if not exact.is_finite() or exact.adjusted() > 400:
            return None
        times = _context.divide(exact, step).to_integral_value(ROUND_FLOOR, _context)
        return _context.multiply(times, step)
    except (DecimalException, ValueError):
        return None
