"""Collect, pack, send, remove: steps that are each harmless, within 30 hours and in this order."""

from __future__ import annotations

from sluicegate.detection.event import Event
from sluicegate.detection.look import Look
from sluicegate.detection.surprise import once, usual_days

WORDS = ("collected", "packed", "sent", "removed")
SECONDS = 30 * 3600.0
MANY_ROWS = 100
"""Rows of a class in one answer that are a collection."""
_REMOVES = frozenset({"drop", "delete", "truncate"})
_SEND = 2


def look(look: Look) -> None:
    """Whether the event is a step of a sequence that sends something, and how seldom days have such a set of steps."""
    met = steps(look)
    if not met:
        return
    habit, at = look.habit, look.event.at
    for step in met:
        habit.day.steps[step] = at
        habit.day.done |= 1 << step
    chain = _chain(habit.day.steps, at)
    if _SEND not in chain or len(chain) < 2:
        return
    wanted = sum(1 << step for step in chain)
    own = sum(count for mask, count in enumerate(habit.steps) if mask & wanted == wanted)
    of_group = sum(count for mask, count in enumerate(look.group.steps) if mask & wanted == wanted)
    group_days = sum(look.group.steps)
    usual = usual_days(own, sum(habit.steps), of_group, group_days)
    look.say(
        "sequence",
        " ".join(WORDS[step] for step in chain),
        once(usual) + (2.0 if len(chain) > 2 else 0.0),
        lambda: f"{', '.join(WORDS[step] for step in chain)}: within {SECONDS / 3600:.0f} hours",
        lambda: {
            **{WORDS[step]: f"{(at - habit.day.steps[step]) / 60:.0f} minutes before" for step in chain},
            "own days like it": f"{own} of {habit.days}",
            "group's days like it": f"{of_group} of {group_days}",
        },
        weight=2.0,
    )


def steps(look: Look) -> list[int]:
    """The steps that an event is."""
    event, met = look.event, []
    if ((look.weight > 1 and event.rows >= MANY_ROWS) or (look.signals and _much(look))) and event.taken:
        met.append(0)
    if packs(event):
        met.append(1)
    if look.sends:
        met.append(_SEND)
    if not event.refused and (event.method == "DELETE" or (event.statements and _removes(event))):
        met.append(3)
    return met


def packs(event: Event) -> bool:
    """Whether something is packed: an archive goes out, or a copy is put where one is fetched from later."""
    return event.packed or (event.kind == "export" and not event.external and not event.refused)


def _removes(event: Event) -> bool:
    return not _REMOVES.isdisjoint(event.statements)


def _much(look: Look) -> bool:
    return any(one.indicator in ("volume", "breadth", "walk", "coverage") for one in look.signals)


def _chain(at: list[float], now: float) -> list[int]:
    """The longest run of steps in their order that lies within the time and ends with what was done now."""
    chain: list[int] = []
    before = now - SECONDS
    for step, moment in enumerate(at):
        if moment and before <= moment <= now:
            chain.append(step)
            before = moment
    return chain
