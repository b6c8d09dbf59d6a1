"""Hours of the week against each other, minute by minute, where they are of one time zone."""

from __future__ import annotations

from collections.abc import Sequence

from sluicegate.settings.times import Span

_DAY = 24 * 60
_WEEK = 7 * _DAY


def always_within(narrow: Sequence[str], wide: Sequence[str]) -> bool:
    """Whether every moment of the first is one of the second. Of several zones, only what is written alike is."""
    if set(narrow) <= set(wide):
        return True
    spans = [Span.parse(text) for text in (*narrow, *wide)]
    if len({span.zone for span in spans}) > 1:
        return False
    return not minutes(narrow) & ~minutes(wide)


def never_meet(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether no moment is in both. Of several zones that is not known, since their clocks change on other days."""
    spans = [Span.parse(text) for text in (*one, *other)]
    return len({span.zone for span in spans}) == 1 and not minutes(one) & minutes(other)


def minutes(texts: Sequence[str]) -> int:
    """The minutes of the week (from Monday, on the wall) that are in one of the spans, as a set of bits."""
    found = 0
    for text in texts:
        span = Span.parse(text)
        length = (span.end - span.begin) % _DAY or _DAY
        for day in span.days:
            bits = ((1 << length) - 1) << (day * _DAY + span.begin)
            found |= (bits & ((1 << _WEEK) - 1)) | (bits >> _WEEK)
    return found
