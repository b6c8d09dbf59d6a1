"""Every URL of the catalog, for patterns: kept a segment at a time, and looked through without touching any row."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence

import orjson

Test = Callable[[str], bool]
LOOKS = 20_000
"""URLs that are looked at row by row, while what fits is found soon; after so many, all of them are looked through."""


def keep(
    connection: sqlite3.Connection, stem: int, first: int, bases: Sequence[int | None], targets: Sequence[str]
) -> None:
    """The URLs of a segment whose exchanges have the numbers from `first` on."""
    connection.execute(
        "INSERT INTO addresses (stem, first, bases, targets) VALUES (?, ?, ?, ?)",
        (stem, first, orjson.dumps([base or 0 for base in bases]), orjson.dumps(list(targets))),
    )


def fitting(connection: sqlite3.Connection, test: Test) -> Iterator[int]:
    """The numbers of the exchanges whose URL fits."""
    known = {0: ""}
    for first, bases, targets in connection.execute("SELECT first, bases, targets FROM addresses"):
        numbers = orjson.loads(bases)
        for number in set(numbers) - known.keys():
            (known[number],) = connection.execute("SELECT value FROM word WHERE id = ?", (number,)).fetchone()
        begun = [known[number] for number in numbers]
        for place, (base, target) in enumerate(zip(begun, orjson.loads(targets), strict=True)):
            if test(base + target):
                yield first + place


class Spent(Exception):
    """More URLs were looked at, row by row, than that is good for."""


class Looks:
    """Tests of URLs in one query: row by row at first, and by the numbers of what fits once that has taken too long."""

    def __init__(
        self, connection: sqlite3.Connection, tests: Sequence[Test], called: list[Test], gathered: list[str]
    ) -> None:
        """`called` are the tests that the SQL function `fits_url(place, text)` calls, and `gathered` the numbers (JSON)
        that `gathered(place)` gives; those of this query are added."""
        self._connection = connection
        self._tests = tests
        self._left = LOOKS
        self._first = len(called)
        self._gathered = gathered
        self._numbers: list[int] = []
        called += map(self._counted, tests)

    @property
    def spent(self) -> bool:
        """Whether the query was broken off for having looked too often."""
        return self._left < 0

    def condition(self, place: int, url: str) -> str:
        """The SQL of a test; `url` is the SQL of the URL."""
        if self._numbers:
            return f"e.n IN (SELECT value FROM json_each(gathered({self._numbers[place]})))"
        return f"fits_url({self._first + place}, {url})"

    def gather(self) -> None:
        """Look through everything now."""
        for test in self._tests:
            self._numbers.append(len(self._gathered))
            self._gathered.append(orjson.dumps(list(fitting(self._connection, test))).decode())

    def _counted(self, test: Test) -> Test:
        def counted(url: str) -> bool:
            self._left -= 1
            if self._left < 0:
                raise Spent
            return test(url)

        return counted
