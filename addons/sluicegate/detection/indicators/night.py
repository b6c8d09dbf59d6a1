"""The same chunk again, at odd hours.

The hour alone is weak: people do work late. So it counts only together with the same thing again, and with an amount or
a class that matters; and the habit that it is held against is how often this person, and the group, do that.
"""

from __future__ import annotations

from sluicegate.detection.look import Look
from sluicegate.detection.surprise import bits

LEAST = 3
"""The same thing more often than this."""
PRIOR = 5.0
ODD_SHARE = 0.5
"""What the oddness of the hour itself adds, of its bits."""
_AMOUNT = 1.3
"""How many usual distances above its mean the top tenth of days is."""


def look(look: Look) -> None:
    """Whether what was asked for most at odd hours was asked for too often."""
    if look.again <= LEAST or look.clock:
        return
    habit, event = look.habit, look.event
    odd = habit.oddness(look.hour, look.group.hours)
    if not odd:
        return
    amount = habit.spreads["rows"].strays(habit.day.rows, look.group.spreads["rows"])
    if look.weight <= 1.0 and amount < _AMOUNT:
        return
    place = min(look.again.bit_length() - 1, len(habit.times) - 1)
    group_days = sum(look.group.times)
    of_group = (sum(look.group.times[place:]) + 0.5) / (group_days + 1) if group_days else 2.0 ** -(place + 3)
    own = (sum(habit.times[place:]) + PRIOR * of_group) / (habit.days + PRIOR)
    look.say(
        "night-repeat",
        event.dataset or event.service,
        bits(own) + ODD_SHARE * odd,
        lambda: (
            f"asked {look.again} times for the same of {event.dataset or event.service}, at an hour at which "
            f"{event.name or 'this person'} does not work"
        ),
        lambda: {
            "times": str(look.again),
            "hour": f"{('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')[look.hour // 24]} {look.hour % 24:02}h",
            "oddness of the hour": f"{odd:.1f} bits",
            "own days like it": f"{sum(habit.times[place:])} of {habit.days}",
            "group's days like it": f"{sum(look.group.times[place:])} of {group_days}",
            "chunk": event.chunks[0][:100] if event.chunks else event.target[:100],
        },
    )
