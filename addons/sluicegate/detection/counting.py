"""What an event adds to its day, before anybody asks whether that is strange."""

from __future__ import annotations

from sluicegate.detection.event import RETRIED, UNCHANGED, key
from sluicegate.detection.indicators.columns import CLASSES
from sluicegate.detection.indicators.destinations import place_key, sends, where
from sluicegate.detection.look import Look
from sluicegate.detection.peers import Lesson
from sluicegate.detection.recent import NIGHT, RESUMED, TRIED
from sluicegate.detection.runs import STEPS, number_of

_NIGHT = 0x9E3779B97F4A7C15
"""Turns the key of a thing into the key of the same thing at odd hours."""
NOT_NOW = 503
"""A refusal with this status is a trouble of the gateway's own, and no door that somebody tried."""
SMALLEST = 400
"""A dataset of which anybody takes fewer chunks is small: who takes some at random goes on with somewhere."""
_TRIES = 2
"""Different new refusals in a day, from which on it counts as trying."""


def count(look: Look) -> Lesson | None:
    """Count an event. What everybody learns from it at once, or None."""
    event, habit = look.event, look.habit
    today, elsewhere = habit.day, event.elsewhere
    if event.refused:
        today.hours |= 1 << look.hour
        if event.status != NOT_NOW:
            _refused(look)
        return None
    keys: tuple[int, ...] = ()
    known = False
    if event.chunks or event.rows:
        keys = event.keys()
        failed = event.status in RETRIED
        # Rhythms are those of whole requests: what comes beside a chunk that a clock asks for is not the clock's.
        whole = keys[0] if len(keys) == 1 and event.chunk_count <= 1 else key("all of", *map(str, keys))
        known = habit.rhythm.meet(whole, event.at, failed) and event.chunk_count <= len(keys)
        look.clock = known or failed or event.status == UNCHANGED
    if not known:  # a clock that asks all night would make the night usual, for the whole group
        today.hours |= 1 << look.hour
    if elsewhere:
        today.sent += event.sent
        if event.packed:
            today.unread += event.sent
    look.place = where(event)
    if look.place is not None and sends(event):
        look.sends = True
        today.places.add(place_key(look.place))
    if look.clock or not event.taken:
        return None
    today.rows += event.rows
    today.bytes += event.size if not elsewhere else 0
    if event.subjects:
        today.subjects.add_all(event.subjects)
    if event.clear and event.rows:
        _received(look)
    if elsewhere or not keys:
        return None
    return _taken(look, keys)


def _received(look: Look) -> None:
    today, clear, classes = look.habit.day, look.event.clear, look.classes
    dataset = look.event.dataset or look.event.service
    known = today.counted.get(dataset)
    if known is not None and known[0] == clear and known[1] is classes:
        return
    today.column(dataset, clear)
    if classes:
        today.column(CLASSES, tuple([classes[name] for name in clear if name in classes]))
    if dataset in today.columns:
        today.counted[dataset] = clear, classes


def _refused(look: Look) -> None:
    today = look.habit.day
    today.refusals += 1
    if look.habit.seen.add(look.event.tried):
        today.tried += 1
        if today.tried == _TRIES:
            look.met(TRIED)


def _taken(look: Look, keys: tuple[int, ...]) -> Lesson | None:
    """Chunks, or the one thing that a request without chunks asks for."""
    event, habit = look.event, look.habit
    today, dataset = habit.day, event.dataset
    odd = 0.0
    if habit.days:
        odd = habit.oddness(look.hour, look.group.hours) if habit.odd is None else habit.odd[look.hour]
    covered = habit.coverage(dataset, look.day) if dataset is not None and event.chunks else None
    fresh = []
    for one in keys:
        if odd:
            look.again = max(look.again, habit.repeats.add(one ^ _NIGHT))
            if habit.again_tonight(one, look.day):
                look.met(NIGHT)
        today.chunks.add(one)
        if covered is not None and dataset is not None and covered.add(one, look.day):
            fresh.append((dataset, one, look.day))
    look.fresh = len(fresh)
    if look.again > today.night:
        today.night = look.again
    if event.chunks:
        _walk(look)
    return Lesson(event.at, key(event.person), chunks=tuple(fresh)) if fresh else None


def _walk(look: Look) -> None:
    today = look.habit.day
    runs = look.habit.walked(look.event.dataset or look.event.service)
    for chunk in look.event.chunks:
        number = number_of(chunk)
        if number < 0:
            continue
        run = runs.step(number, look.day)
        if run.today > today.walk:
            today.walk = run.today
        if run.today >= STEPS and run.begun != look.day and not _small(look) and look.met(RESUMED):
            look.run = run


def _small(look: Look) -> bool:
    """Whether so few chunks are taken of the dataset that any two are soon neighbours."""
    everybody = look.everybody.covered.get(look.event.dataset or "")
    return everybody is None or everybody.whole(look.day).estimate < SMALLEST
