"""What insiders do, on top of their work: each kind, at a share of what the person takes on a usual day."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from bench.organisation.people import GROUPS, Person
from bench.organisation.work import CHUNKS, DAY, START, read

Acts = Iterator[dict[str, Any]]


def _night(person: Person, day: int) -> float:
    """Three in the morning where the person is; for who works then, three in the afternoon."""
    hour = 3 if 5 < person.begin < 18 else 15
    return START + day * DAY + (hour - person.ahead) * 3600


def _noon(person: Person, day: int) -> float:
    return START + day * DAY + (person.begin + 3 - person.ahead) * 3600


def _some(person: Person, share: float) -> int:
    return max(1, round(person.requests * share))


def night_repeat(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """The same few chunks, again and again at night."""
    chunks = [chance.randrange(CHUNKS) for _ in range(2)]
    for day in days:
        for number in range(max(2, _some(person, share))):
            at = _night(person, day) + number * 240 + chance.random() * 60
            yield read(person, at, chunks[number % 2], GROUPS[person.group][0])


def over_collection(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """Columns that the job does not need, in the usual amount and at the usual hours."""
    columns = (*GROUPS[person.group][0], *{"ssn", "phone", "email"}.difference(GROUPS[person.group][0]))
    for day in days:
        for number in range(_some(person, share)):
            yield read(person, _noon(person, day) + number * 300, chance.randrange(CHUNKS), columns)


def walk(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """Chunk after chunk, from where the last day ended."""
    chunk = chance.randrange(CHUNKS)
    for day in days:
        for number in range(_some(person, share) * 2):
            chunk = (chunk + 1) % CHUNKS
            yield read(person, _noon(person, day) + number * 20, chunk, GROUPS[person.group][0])


def slow(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """All of it, low and slow: other chunks every day."""
    order = list(range(CHUNKS))
    chance.shuffle(order)
    for day in days:
        for number in range(_some(person, share) * 2):
            if order:
                yield read(person, _noon(person, day) + number * 400, order.pop(), GROUPS[person.group][0])


def export(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """An export to a bucket of their own, of more on each day."""
    for day in days:
        for number in range(max(1, round(_some(person, share) / 10))):
            yield {
                "at": _noon(person, day) + number * 900, "who": person.name, "groups": (person.group,),
                "kind": "export", "dataset": "customers", "destination": f"s3://my-{person.name}/x", "external": True,
            }  # fmt: skip


def copy_out(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """Collected, packed, sent to a place where anybody can drop files."""
    for day in days:
        some = _some(person, share)
        for number in range(some):
            yield read(person, _noon(person, day) + number * 30, chance.randrange(CHUNKS), GROUPS[person.group][0])
        yield {
            "at": _noon(person, day) + some * 30 + 600, "who": person.name, "groups": (person.group,), "kind": "upload",
            "destination": "https://transfer.sh", "external": True, "sent": 2000 * some + 11_000, "packed": True,
        }  # fmt: skip


def probing(person: Person, days: range, share: float, chance: random.Random) -> Acts:
    """Tries what they may do."""
    for day in days:
        for number in range(_some(person, share) * 2):
            at = _noon(person, day) + number * 15
            yield {"at": at, "who": person.name, "groups": (person.group,), "kind": "refused", "dataset": "customers"}


KINDS: dict[str, Callable[[Person, range, float, random.Random], Acts]] = {
    "night-repeat": night_repeat,
    "over-collection": over_collection,
    "walk": walk,
    "low-and-slow": slow,
    "export": export,
    "copy-out": copy_out,
    "probing": probing,
}
