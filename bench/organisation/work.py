"""What people do when they only work: plain tables, one a request."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from bench.organisation.people import GROUPS, RULES, Person

START = 1_799_020_800.0
"""Monday, 4 January 2027, UTC."""
DAY = 86_400.0
CHUNKS = {"customers": 2000, "contracts": 160}
ROWS = 50
CONTRACT = ("id", "party", "price")
PARTNERS = ("s3://partner-one/in", "s3://partner-two/in", "https://reports.partner.example")
HOSTS = ("https://mirror.example.org", "https://issues.example.com", "https://api.github.com", "https://pypi.example")


def works(person: Person, day: int) -> bool:
    """Whether a person is at work on a day, leaving now and then aside."""
    return day % 7 < 5 and day >= person.joins and day not in person.away


def read(
    person: Person, at: float, chunk: int, columns: tuple[str, ...], rows: int = ROWS, dataset: str = "customers"
) -> dict[str, Any]:
    """One chunk was read."""
    return {
        "at": at, "who": person.name, "groups": (person.group,), "kind": "read", "dataset": dataset,
        "chunks": (str(chunk),), "columns": columns, "rows": rows, "bytes": rows * 40 * len(columns),
        "subjects": tuple(range(chunk * ROWS, chunk * ROWS + rows)),
    }  # fmt: skip


def refused(person: Person, at: float, what: int) -> dict[str, Any]:
    """A request that a rule refused; `what` is one of so many rules and datasets."""
    return {"at": at, "who": person.name, "groups": (person.group,), "kind": "refused", "what": what}


def export(person: Person, at: float, destination: str) -> dict[str, Any]:
    """The service was told to put data somewhere."""
    return {
        "at": at, "who": person.name, "groups": (person.group,), "kind": "export", "dataset": "customers",
        "destination": destination, "external": True,
    }  # fmt: skip


def upload(person: Person, at: float, host: str, sent: int, packed: bool) -> dict[str, Any]:
    """A body was sent to another host."""
    return {
        "at": at, "who": person.name, "groups": (person.group,), "kind": "upload", "destination": host,
        "external": True, "sent": sent, "packed": packed,
    }  # fmt: skip


def workday(person: Person, day: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    """What a person does on a day that begins at midnight UTC of `day`, in no order."""
    if person.poller and day >= person.joins:
        for hour in range(24):
            yield read(person, START + day * DAY + hour * 3600 + 61, person.favourites[0], GROUPS[person.group][0][:2])
    weekend = day % 7 >= 5
    if day < person.joins or day in person.away or (weekend and chance.random() > 0.04):
        return
    begin = START + day * DAY + (person.begin - person.ahead) * 3600 + chance.gauss(0, 1500)
    late = day in person.nights or (person.night_owl and chance.random() < 0.07)
    count = max(1, round(person.requests * chance.lognormvariate(0, 0.45) * (0.3 if weekend else 1)))
    yield from _reads(person, begin, count, late, chance)
    if person.queue is not None and day >= person.queue and not weekend:
        yield from _queue(person, day - person.queue, begin, chance)
    if chance.random() < 0.01:  # a script with a mistake in it
        what = chance.randrange(RULES)
        for number in range(chance.randrange(5, 40)):
            yield refused(person, begin + 3600 + number * 2, what)
    yield from _outside(person, day, begin, chance)


def _reads(person: Person, begin: float, count: int, late: bool, chance: random.Random) -> Iterator[dict[str, Any]]:
    columns, length = GROUPS[person.group][0], (person.hours + 6 if late else person.hours) * 3600
    task = chance.random()
    chunk = chance.randrange(CHUNKS["customers"])
    for number in range(count):
        at = begin + length * (number + chance.random()) / count
        if task < 0.08:  # goes through something in order, as work sometimes is
            chunk = (chunk + 1) % CHUNKS["customers"]
        elif chance.random() < 0.35:
            chunk = chance.choice(person.favourites)
        else:
            chunk = chance.randrange(CHUNKS["customers"])
        if chance.random() < 0.04:
            yield read(person, at, chance.randrange(CHUNKS["contracts"]), CONTRACT, dataset="contracts")
        else:
            yield read(person, at, chunk, columns, ROWS if chance.random() < 0.9 else chance.randrange(1, ROWS))
        if chance.random() < 0.012:
            usual = chance.random() < 0.85
            yield refused(person, at + 5, chance.choice(person.mistakes) if usual else chance.randrange(RULES))


def _queue(person: Person, since: int, begin: float, chance: random.Random) -> Iterator[dict[str, Any]]:
    each = max(2, round(person.requests / 8))
    for number in range(each):
        chunk = (person.favourites[1] + since * each + number) % CHUNKS["customers"]
        yield read(person, begin + 7200 + number * 300 + chance.random() * 60, chunk, GROUPS[person.group][0])


def _outside(person: Person, day: int, begin: float, chance: random.Random) -> Iterator[dict[str, Any]]:
    if person.exports and chance.random() < 0.15:
        place = chance.choice(PARTNERS) if chance.random() < 0.97 else f"s3://partner-{chance.randrange(99)}/in"
        yield export(person, begin + 5 * 3600, place)
    if person.partner is not None and day >= person.partner and chance.random() < 0.4:
        if person.uploads:
            yield upload(person, begin + 6 * 3600, f"https://in.{person.name}-partner.example", 40_000, False)
        else:
            yield export(person, begin + 6 * 3600, f"s3://{person.name}-partner/in")
    if person.uploads and chance.random() < 0.5:
        host = chance.choice(HOSTS) if chance.random() < 0.97 else f"https://site{chance.randrange(400)}.example"
        yield upload(person, begin + 3 * 3600, host, round(chance.lognormvariate(9, 1.3)), chance.random() < 0.15)
