"""The share of a dataset that somebody has been through in 30 days: quickly, or low and slow.

How large a dataset is nobody says, so it is what everybody together took of it in the same time.
"""

from __future__ import annotations

from sluicegate.detection.look import Look
from sluicegate.detection.surprise import above_usual

LEAST = 0.2
SMALLEST = 50
"""A dataset of which fewer different chunks are taken says nothing."""
EVERY = 8
"""The share is counted again after so many new chunks, since that takes long."""


def look(look: Look) -> None:
    """Whether the share is larger than is usual."""
    event, habit = look.event, look.habit
    if not look.fresh or not event.chunks or event.dataset is None:
        return
    if look.fresh < EVERY and len(habit.day.chunks) % EVERY:
        return
    covered, everybody = habit.covered.get(event.dataset), look.everybody.covered.get(event.dataset)
    if covered is None or everybody is None:
        return
    of = everybody.whole(look.day).estimate
    if of < SMALLEST:
        return
    own = covered.whole(look.day).estimate
    part = min(1.0, own / of)
    habit.day.share = max(habit.day.share, part * 1000)
    if part < LEAST:
        return
    strays = habit.spreads["share"].strays(habit.day.share, look.group.spreads["share"])
    dataset = event.dataset
    look.say(
        "coverage",
        dataset,
        above_usual(strays),
        lambda: f"took {part:.0%} of what anybody took of {dataset} in 30 days",
        lambda: {
            "different chunks": f"about {own:.0f} of {of:.0f}",
            "usual distances above": f"{strays:.1f}",
        },
    )
