"""The demo's customers: 10,000 rows that nobody is, the same ones on every machine.

Faker makes pools of names and sentences once, and a seeded generator draws from them: asking Faker for every value of
every row would take seconds. Phone numbers are from the range that is kept for fiction (555-01xx).
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from faker import Faker

DATASET = "customers"
COLUMNS = ("id", "name", "email", "phone", "ssn", "country", "balance", "notes")
ROWS = 10_000
CHUNK = 100
"""Rows a chunk."""
CHUNKS = ROWS // CHUNK
SEED = 20_240_229

NUMBERS = frozenset({"id", "balance"})
"""Columns that hold numbers; the others hold text."""

Value = int | float | str
_COUNTRIES = ("DE", "FR", "NL", "PL", "ES", "IT", "SE", "US", "GB", "CH")
_SHARES = (26, 14, 9, 8, 8, 8, 5, 12, 7, 3)
_AREAS = ("202", "212", "303", "312", "415", "512", "617", "713", "808", "917")
_MAIL = ("example.com", "example.net", "example.org")


def customers(count: int = ROWS) -> Iterator[tuple[Value, ...]]:
    """The first `count` customers, each in the order of COLUMNS, ids from 1."""
    fake = Faker("en_US")
    fake.seed_instance(SEED)
    first = [fake.first_name() for _ in range(400)]
    last = [fake.last_name() for _ in range(600)]
    notes = [fake.sentence(nb_words=8) for _ in range(300)]
    draw = random.Random(SEED)  # the same rows each time are the point; nothing here is a secret
    for number in range(1, count + 1):
        given, family = draw.choice(first), draw.choice(last)
        mailbox = f"{given}.{family}".lower().replace(" ", "-").replace("'", "")
        yield (
            number,
            f"{given} {family}",
            f"{mailbox}.{number}@{draw.choice(_MAIL)}",
            f"+1-{draw.choice(_AREAS)}-555-01{draw.randrange(100):02}",
            f"{draw.choice((draw.randrange(1, 666), draw.randrange(667, 900))):03}-{draw.randrange(1, 100):02}"
            f"-{draw.randrange(1, 10_000):04}",
            draw.choices(_COUNTRIES, _SHARES)[0],
            round(draw.lognormvariate(6.5, 1.2) - 150, 2),
            draw.choice(notes),
        )


def write(path: Path) -> None:
    """Make the SQLite file anew, with all customers in it. Raises OSError or sqlite3.Error when it cannot."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    database = sqlite3.connect(part)
    try:
        types = ", ".join(f"{c} {_type(c)}" for c in COLUMNS)
        database.execute(f"CREATE TABLE {DATASET} ({types}) STRICT")
        marks = ", ".join("?" * len(COLUMNS))
        database.executemany(f"INSERT INTO {DATASET} VALUES ({marks})", customers())
        database.commit()
    finally:
        database.close()
    part.replace(path)


def _type(column: str) -> str:
    return {"id": "INTEGER PRIMARY KEY", "balance": "REAL NOT NULL"}.get(column, "TEXT NOT NULL")
