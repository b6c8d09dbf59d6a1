"""Many refusals: somebody tries what they may do. Scripts with a mistake in them do that as well; habit tells."""

from __future__ import annotations

from sluicegate.detection.look import Look
from sluicegate.detection.surprise import above_usual

LEAST = 5


def look(look: Look) -> None:
    """Whether the day has more refusals than is usual."""
    event, habit = look.event, look.habit
    if not event.refused or habit.day.refusals < LEAST:
        return
    strays = habit.spreads["refusals"].strays(habit.day.refusals, look.group.spreads["refusals"])
    look.say(
        "probing",
        event.service,
        above_usual(strays),
        lambda: f"was refused {habit.day.refusals} times in a day",
        lambda: {
            "refusals": str(habit.day.refusals),
            "usual distances above": f"{strays:.1f}",
            "the last": event.refused,
            "dataset": event.dataset or "",
        },
        weight=1.0,
    )
