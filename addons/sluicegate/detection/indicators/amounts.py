"""More than is usual in a day: rows and bytes, different chunks and subjects, and bytes to other hosts."""

from __future__ import annotations

from sluicegate.detection.event import SAMPLE
from sluicegate.detection.look import Look
from sluicegate.detection.sketches.spread import WORTH
from sluicegate.detection.surprise import above_usual

MEASURES = (
    ("rows", "volume", 200, "rows"),
    ("bytes", "volume", 1 << 20, "bytes"),
    ("chunks", "breadth", 20, "different chunks"),
    ("subjects", "breadth", 200, "different rows"),
    ("sent", "outflow", 256 << 10, "bytes to other hosts"),
    ("unread", "unexplained-bytes", 64 << 10, "bytes to other hosts that cannot be read"),
)
"""The measure, its indicator, the least amount that is worth a word, and what it is called."""


_ROWS, _SIZE, _CHUNKS, _SUBJECTS, _SENT, _UNREAD = (least for _, _, least, _ in MEASURES)
Bounds = tuple[float, float, float, float, float, float]


def look(look: Look) -> None:
    """Whether one of the day's amounts is more than is usual."""
    event, habit = look.event, look.habit
    if look.clock or not (event.taken or event.sent):
        return
    today = habit.day
    chunks, subjects = today.chunks.estimate, today.subjects.estimate * SAMPLE
    if (
        today.rows < _ROWS and today.bytes < _SIZE and chunks < _CHUNKS and subjects < _SUBJECTS
        and today.sent < _SENT and today.unread < _UNREAD
    ):  # fmt: skip
        return  # before the bounds are asked for, which a day's first request would have to make anew
    rows, size, several, different, sent, unread = _bounds(look)
    if (
        today.rows < rows and today.bytes < size and chunks < several and subjects < different
        and today.sent < sent and today.unread < unread
    ):  # fmt: skip
        return
    for measure, indicator, least, words in MEASURES:
        amount = today.amount(measure)
        if amount < least:
            continue
        strays = habit.spreads[measure].strays(amount, look.group.spreads[measure])
        if strays < WORTH:
            continue
        look.say(
            indicator,
            measure,
            above_usual(strays),
            lambda amount=amount, words=words: f"{amount:,.0f} {words} in a day",  # type: ignore[misc]
            lambda measure=measure, strays=strays: {  # type: ignore[misc]
                "measure": measure,
                "usual distances above": f"{strays:.1f}",
                "own days known": str(habit.spreads[measure].days),
                "dataset": event.dataset or event.service,
            },
        )


def _bounds(look: Look) -> Bounds:
    """The amounts below which nothing is said: the same for nearly all requests of a day."""
    habit, group = look.habit, look.group.spreads
    known = habit.bounds
    days, of_group = habit.spreads["rows"].days, group["rows"].days
    if known is not None and known[0] is group and known[1] == days and known[2] == of_group:
        return known[3]
    rows, size, several, different, sent, unread = (
        max(float(least), habit.spreads[measure].bound(group[measure])) for measure, _, least, _ in MEASURES
    )
    found = rows, size, several, different, sent, unread
    habit.bounds = group, days, of_group, found
    return found
