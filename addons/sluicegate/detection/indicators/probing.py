"""Refusals: somebody tries what they may do.

Scripts with a mistake in them are refused as well, and more often; but for the same thing again and again. So beside
their number it counts on how many days somebody is refused things that they had never been refused before.
"""

from __future__ import annotations

from sluicegate.detection.look import Look
from sluicegate.detection.recent import TRIED
from sluicegate.detection.surprise import once, usual_days

LEAST = 8
WEIGHT = 2.0
"""What lies behind the doors is not known, so it counts as much as a class of which nothing is said."""


def look(look: Look) -> None:
    """Whether the day has more refusals than is usual, and whether new things are tried day after day."""
    event, habit = look.event, look.habit
    if not event.refused:
        return
    if TRIED in look.new_signs:
        _tried(look)
    count = habit.day.refusals
    if count < LEAST:
        return
    own, group = habit.tiers["refusals"], look.group.tiers["refusals"]
    look.say(
        "probing",
        event.service,
        once(usual_days(own.like(count), own.days, group.like(count), group.days)),
        lambda: f"was refused {count} times in a day",
        lambda: {
            "refusals": str(count),
            "own days like it": f"{own.like(count):.0f} of {own.days:.0f}",
            "group's days like it": f"{group.like(count):.0f} of {group.days:.0f}",
            "the last": event.refused,
            "dataset": event.dataset or "",
        },
        weight=1.0,
    )


def _tried(look: Look) -> None:
    bits, count, days = look.recurring(TRIED)
    event = look.event
    look.say(
        "probing",
        "",
        bits,
        lambda: "was refused things that they had never asked for before, again and again",
        lambda: {
            "on so many days": f"{count} of the last {days} days of work",
            "own days like it before": f"{look.habit.recent.known[TRIED]:.0f} of {look.habit.recent.days:.0f}",
            "the last": f"{event.kind} of {event.dataset or event.service}: {event.refused}",
            "rules": ", ".join(event.rules),
        },
        weight=WEIGHT,
        recurs=True,
    )
