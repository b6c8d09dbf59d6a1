"""Chunk after chunk, in the order of their numbers: somebody takes a dataset, and does not look something up.

In one day, many; or a few each day, going on where the last day ended.
"""

from __future__ import annotations

from sluicegate.detection.look import Look
from sluicegate.detection.recent import RESUMED
from sluicegate.detection.surprise import once, usual_days

LEAST = 16
"""Chunks in a row in one day, at least."""
PART = 0.7
"""The part of its bits that a walk says. They tell how seldom somebody begins to go through chunks in their order, and
most who begin have been given such work: a queue, a release, a migration."""


def look(look: Look) -> None:
    """Whether the day's longest walk is longer than is usual, and whether a walk of earlier days went on."""
    if look.clock:
        return
    if RESUMED in look.new_signs:
        _resumed(look)
    habit, group = look.habit, look.group
    walk = habit.day.walk
    if walk < LEAST or not look.event.chunks:
        return
    own, all_of = habit.tiers["walk"], group.tiers["walk"]
    dataset = look.event.dataset or look.event.service
    look.say(
        "walk",
        dataset,
        PART * once(usual_days(own.like(walk), own.days, all_of.like(walk), all_of.days)),
        lambda: f"took {walk} chunks of {dataset} in the order of their numbers, in a day",
        lambda: {
            "in a row": str(walk),
            "own days like it": f"{own.like(walk):.0f} of {own.days:.0f}",
            "group's days like it": f"{all_of.like(walk):.0f} of {all_of.days:.0f}",
        },
    )


def _resumed(look: Look) -> None:
    bits, count, days = look.recurring(RESUMED)
    dataset, run = look.event.dataset or look.event.service, look.run
    if run is None:
        return
    look.say(
        "walk",
        dataset,
        PART * bits,
        lambda: f"goes on through {dataset} in the order of its chunks, each day from where the last ended",
        lambda: {
            "chunks": f"{run.length}, from {run.low} to {run.high}",
            "taken up again": f"on {count} of the last {days} days of work",
            "own days like it before": f"{look.habit.recent.known[RESUMED]:.0f} of {look.habit.recent.days:.0f}",
        },
        recurs=True,
    )
