"""What people do when they only work: plain tables, one a request."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from bench.organisation.people import GROUPS, Person

START = 1_799_020_800.0
"""Monday, 4 January 2027, UTC."""
DAY = 86_400.0
CHUNKS = 2000
ROWS = 50
PARTNERS = ("s3://partner-one/in", "s3://partner-two/in", "https://reports.partner.example")
HOSTS = ("https://mirror.example.org", "https://issues.example.com", "https://api.github.com", "https://pypi.example")


def read(person: Person, at: float, chunk: int, columns: tuple[str, ...], rows: int = ROWS) -> dict[str, Any]:
    """One chunk was read."""
    return {
        "at": at, "who": person.name, "groups": (person.group,), "kind": "read", "dataset": "customers",
        "chunks": (str(chunk),), "columns": columns, "rows": rows, "bytes": rows * 40 * len(columns),
        "subjects": tuple(range(chunk * ROWS, chunk * ROWS + rows)),
    }  # fmt: skip


def refused(person: Person, at: float) -> dict[str, Any]:
    """A request that no rule allowed."""
    return {"at": at, "who": person.name, "groups": (person.group,), "kind": "refused", "dataset": "customers"}


def workday(person: Person, day: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    """What a person does on a day that begins at midnight UTC of `day`, in no order."""
    if person.poller and day >= person.joins:
        for hour in range(24):
            yield read(person, START + day * DAY + hour * 3600 + 61, person.favourites[0], GROUPS[person.group][0][:2])
    weekend = day % 7 >= 5
    if day < person.joins or day in person.away or (weekend and chance.random() > 0.04):
        return
    columns = GROUPS[person.group][0]
    begin = START + day * DAY + (person.begin - person.ahead) * 3600 + chance.gauss(0, 1500)
    late = person.night_owl and chance.random() < 0.07
    count = max(1, round(person.requests * chance.lognormvariate(0, 0.45) * (0.3 if weekend else 1)))
    task = chance.random()
    chunk = chance.randrange(CHUNKS)
    for number in range(count):
        length = (person.hours + 6 if late else person.hours) * 3600
        at = begin + length * (number + chance.random()) / count
        if task < 0.08:  # goes through something in order, as work sometimes is
            chunk = (chunk + 1) % CHUNKS
        elif chance.random() < 0.35:
            chunk = chance.choice(person.favourites)
        else:
            chunk = chance.randrange(CHUNKS)
        yield read(person, at, chunk, columns, ROWS if chance.random() < 0.9 else chance.randrange(1, ROWS))
        if chance.random() < 0.012:
            yield refused(person, at + 5)
    if chance.random() < 0.01:  # a script with a mistake in it
        for number in range(chance.randrange(5, 40)):
            at = begin + 3600 + number * 2
            yield refused(person, at)
    if person.exports and chance.random() < 0.15:
        place = chance.choice(PARTNERS) if chance.random() < 0.97 else f"s3://partner-{chance.randrange(99)}/in"
        yield {
            "at": begin + 5 * 3600, "who": person.name, "groups": (person.group,), "kind": "export",
            "dataset": "customers", "destination": place, "external": True,
        }  # fmt: skip
    if person.uploads and chance.random() < 0.5:
        host = chance.choice(HOSTS) if chance.random() < 0.97 else f"https://site{chance.randrange(400)}.example"
        yield {
            "at": begin + 3 * 3600, "who": person.name, "groups": (person.group,), "kind": "upload",
            "destination": host, "external": True, "sent": round(chance.lognormvariate(9, 1.3)),
            "packed": chance.random() < 0.15,
        }  # fmt: skip
