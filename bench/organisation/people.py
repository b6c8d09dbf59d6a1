"""Who works here: groups, time zones, hours, and how much somebody takes in a day."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

GROUPS = {
    "engineering": (("id", "country", "notes"), 0.34),
    "analytics": (("id", "country", "amount", "email"), 0.24),
    "support": (("id", "name", "email", "phone"), 0.22),
    "fraud": (("id", "name", "ssn", "amount"), 0.08),
    "research": (("id", "notes", "amount"), 0.12),
}
"""The columns that each group reads, and its share of the people."""
RULES = 60
"""Different things that somebody may be refused."""
ZONES = (("UTC", 0), ("Europe/Berlin", 1), ("America/New_York", -5), ("Asia/Tokyo", 9))
"""Name, and hours ahead of UTC (without summer time: the weeks that are measured lie in winter)."""


@dataclass
class Person:
    """One of them."""

    name: str
    group: str
    zone: str
    ahead: int
    begin: float
    """Hour at which they begin, in their zone,"""
    hours: float
    """and how long they work."""
    requests: float
    """On a usual day."""
    favourites: list[int] = field(default_factory=list)
    """Chunks that they come back to."""
    night_owl: bool = False
    """Now and then works late."""
    poller: bool = False
    """Has a script that asks for the same chunk each hour, day and night."""
    exports: bool = False
    """Sends a report to a partner now and then."""
    uploads: bool = False
    """Uses other hosts (mirrors, issue trackers) with a body."""
    mistakes: tuple[int, int] = (0, 1)
    """Things that they are refused now and then, since they ask for them by habit."""
    queue: int | None = None
    """The day from which on they work through something in the order of its numbers, a part each day."""
    nights: range = range(0)
    """Days of a release, with work late into the night."""
    partner: int | None = None
    """The day from which on they work with a partner who is new, and send things there."""
    joins: int = 0
    """The day on which they begin."""
    away: frozenset[int] = frozenset()
    """Days of holiday."""


def people(count: int, days: int, chance: random.Random) -> list[Person]:
    """So many people."""
    found = []
    names, shares = list(GROUPS), [share for _, share in GROUPS.values()]
    for number in range(count):
        group = chance.choices(names, shares)[0]
        zone, ahead = chance.choice(ZONES)
        shift = group == "support" and chance.random() < 0.2
        begin = chance.gauss(22, 0.5) if shift else chance.gauss(8.7, 0.8)
        first = chance.randrange(days - 14) if chance.random() < 0.08 else 0
        holiday = chance.randrange(days) if chance.random() < 0.3 else -99
        found.append(
            Person(
                f"{group}-{number}", group, zone, ahead, begin, chance.uniform(7, 9.5),
                min(120.0, chance.lognormvariate(3.1, 0.6)), [chance.randrange(2000) for _ in range(6)],
                chance.random() < 0.15, chance.random() < 0.06, chance.random() < 0.12, chance.random() < 0.3,
                joins=first, away=frozenset(range(holiday, holiday + chance.choice((1, 5, 10)))),
            )
        )  # fmt: skip
        _changes(found[-1], days, chance)
    return found


def _changes(person: Person, days: int, chance: random.Random) -> None:
    """What is no habit of anybody's, and yet only work."""
    person.mistakes = (chance.randrange(RULES), chance.randrange(RULES))
    if chance.random() < 0.04:
        person.queue = 0 if chance.random() < 0.5 else chance.randrange(days)
    if chance.random() < 0.03:
        begins = chance.randrange(days)
        person.nights = range(begins, begins + chance.choice((2, 3, 5)))
    if chance.random() < 0.03:
        person.partner = chance.randrange(days)
