"""What insiders do, on top of their work: each kind, at a share of what the person takes on a usual day.

They do not want to be seen: what is done by day is done on days on which they work.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from bench.organisation.people import GROUPS, RULES, Person
from bench.organisation.work import CHUNKS, CONTRACT, DAY, START, export, read, refused, upload, works

Acts = Iterator[dict[str, Any]]
DROPS = ("https://transfer.sh", "https://gofile.io", "https://api.telegram.org", "https://files.{}.example")


def _night(person: Person, day: int) -> float:
    """Three in the morning where the person is; for who works then, three in the afternoon."""
    hour = 3 if 5 < person.begin < 18 else 15
    return START + day * DAY + (hour - person.ahead) * 3600


def _noon(person: Person, day: int) -> float:
    return START + day * DAY + (person.begin + 3 - person.ahead) * 3600


def _some(person: Person, share: float) -> int:
    return max(1, round(person.requests * share))


def _working(person: Person, days: range) -> Iterator[int]:
    return (day for day in days if works(person, day))


def night_repeat(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """The same few chunks, again and again at night."""
    chunks = [chance.randrange(CHUNKS["customers"]) for _ in range(2)]
    for day in _working(person, days):
        for number in range(max(2, _some(person, share))):
            at = _night(person, day) + number * 240 + chance.random() * 60
            yield read(person, at, chunks[number % 2], GROUPS[person.group][0])


def over_collection(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """Columns that the job does not need, in the usual amount and at the usual hours."""
    more = sorted({"ssn", "phone", "email"}.difference(GROUPS[person.group][0]))
    columns = (*GROUPS[person.group][0], *chance.sample(more, max(1, len(more) - 1)))
    for day in _working(person, days):
        for number in range(_some(person, share)):
            yield read(person, _noon(person, day) + number * 300, chance.randrange(CHUNKS["customers"]), columns)


def walk(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """Chunk after chunk, from where the last day ended."""
    chunk = chance.randrange(CHUNKS["customers"])
    for day in _working(person, days):
        for number in range(_some(person, share) * 2):
            chunk = (chunk + 1) % CHUNKS["customers"]
            yield read(person, _noon(person, day) + number * 20, chunk, GROUPS[person.group][0])


def slow(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """All of it, low and slow: other chunks every day."""
    order = list(range(CHUNKS["customers"]))
    chance.shuffle(order)
    for day in _working(person, days):
        for number in range(_some(person, share) * 2):
            if order:
                yield read(person, _noon(person, day) + number * 400, order.pop(), GROUPS[person.group][0])


def half(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """One of two who share a small dataset out: the even chunks or the odd ones, in no order."""
    order = list(range(chance.randrange(2), CHUNKS["contracts"], 2))
    chance.shuffle(order)
    for day in _working(person, days):
        for number in range(_some(person, share) * 2):
            if order:
                yield read(person, _noon(person, day) + number * 400, order.pop(), CONTRACT, dataset="contracts")


def export_out(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """An export to a bucket of their own, of more on each day."""
    for day in _working(person, days):
        for number in range(max(1, round(_some(person, share) / 10))):
            yield export(person, _noon(person, day) + number * 900, f"s3://my-{person.name}/x")


def copy_out(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """Collected, packed, sent to a place of their own, or one where anybody can drop files."""
    place = chance.choice(DROPS).format(person.name)
    for day in _working(person, days):
        some = _some(person, share)
        for number in range(some):
            chunk = chance.randrange(CHUNKS["customers"])
            yield read(person, _noon(person, day) + number * 30, chunk, GROUPS[person.group][0])
        yield upload(person, _noon(person, day) + some * 30 + 600, place, 2000 * some + 11_000, True)


def probing(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """Tries what they may do: mostly other things, sometimes one again."""
    doors = list(range(RULES))
    chance.shuffle(doors)
    tried: list[int] = []
    for day in _working(person, days):
        for number in range(_some(person, share) * 2):
            if doors and (not tried or chance.random() < 0.7):
                tried.append(doors.pop())
            what = tried[-1] if chance.random() < 0.7 else chance.choice(tried)
            yield refused(person, _noon(person, day) + number * 15, what)


KINDS: dict[str, Callable[[Person, range, float, random.Random], Acts]] = {
    "night-repeat": night_repeat,
    "over-collection": over_collection,
    "walk": walk,
    "low-and-slow": slow,
    "two-halves": half,
    "export": export_out,
    "copy-out": copy_out,
    "probing": probing,
}
