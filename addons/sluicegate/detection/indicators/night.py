"""The same chunk again, at odd hours.

The hour alone is weak: people do work late. So it counts only together with the same thing again, and with an amount or
a class that matters; and the habit that it is held against is how often this person, and the group, do that.
"""

from __future__ import annotations

from sluicegate.detection.look import Look
from sluicegate.detection.recent import NIGHT
from sluicegate.detection.surprise import once, usual_days

LEAST = 3
"""The same thing more often than this."""
ODD_SHARE = 0.5
"""What the oddness of the hour itself adds, of its bits."""
_AMOUNT = 1.3
"""How many usual distances above its mean the top tenth of days is."""


def look(look: Look) -> None:
    """Whether what was asked for most at odd hours was asked for too often, or night after night."""
    if look.clock:
        return
    if NIGHT in look.new_signs:
        _night_after_night(look)
    if look.again <= LEAST:
        return
    habit, event = look.habit, look.event
    odd = habit.oddness(look.hour, look.group.hours)
    if not odd:
        return
    amount = habit.spreads["rows"].strays(habit.day.rows, look.group.spreads["rows"])
    if look.weight <= 1.0 and amount < _AMOUNT:
        return
    own, group = habit.tiers["night"], look.group.tiers["night"]
    look.say(
        "night-repeat",
        event.dataset or event.service,
        once(usual_days(own.like(look.again), own.days, group.like(look.again), group.days)) + ODD_SHARE * odd,
        lambda: (
            f"asked {look.again} times for the same of {event.dataset or event.service}, at an hour at which "
            f"{event.name or 'this person'} does not work"
        ),
        lambda: {
            "times": str(look.again),
            "hour": _hour(look.hour),
            "oddness of the hour": f"{odd:.1f} bits",
            "own days like it": f"{own.like(look.again):.0f} of {own.days:.0f}",
            "group's days like it": f"{group.like(look.again):.0f} of {group.days:.0f}",
            "chunk": event.chunks[0][:100] if event.chunks else event.target[:100],
        },
    )


def _night_after_night(look: Look) -> None:
    bits, count, days = look.recurring(NIGHT)
    event = look.event
    look.say(
        "night-repeat",
        event.dataset or event.service,
        bits,
        lambda: (
            f"asks night after night for the same of {event.dataset or event.service}, at hours at which "
            f"{event.name or 'this person'} does not work"
        ),
        lambda: {
            "nights": f"{count} of the last {days} days of work",
            "hour": _hour(look.hour),
            "own days like it before": f"{look.habit.recent.known[NIGHT]:.0f} of {look.habit.recent.days:.0f}",
            "chunk": event.chunks[0][:100] if event.chunks else event.target[:100],
        },
        recurs=True,
    )


def _hour(hour: int) -> str:
    return f"{('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')[hour // 24]} {hour % 24:02}h"
