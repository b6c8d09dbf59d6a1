"""More than is usual in a day: rows and bytes, different chunks and subjects, and bytes to other hosts."""

from __future__ import annotations

from sluicegate.detection.look import Look
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


def look(look: Look) -> None:
    """Whether one of the day's amounts is more than is usual."""
    event, habit = look.event, look.habit
    if look.clock or not (event.taken or event.sent):
        return
    for measure, indicator, least, words in MEASURES:
        amount = habit.day.amount(measure)
        if amount < least:
            continue
        strays = habit.spreads[measure].strays(amount, look.group.spreads[measure])
        if strays < _LOWEST:
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


_LOWEST = 3.2
"""Below this no bits are said at all; looking for a number is cheaper than for its logarithm."""
