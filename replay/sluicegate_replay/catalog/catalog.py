"""The catalog of one folder: opened, brought up to date, and asked."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluicegate.errors import Fault
from sluicegate.recording.recorded import Damage
from sluicegate_replay.catalog.addresses import Looks, Test
from sluicegate_replay.catalog.build import Progress, update
from sluicegate_replay.catalog.said import index, phrase
from sluicegate_replay.catalog.schema import SAID, TABLES, VERSION
from sluicegate_replay.catalog.select import Query, Selection, query
from sluicegate_replay.rows import Line

_LINE = """
SELECT e.id, e.started, {name} AS who, {subject} AS subject, {session} AS session, {service} AS service,
    {dataset} AS dataset, {kind} AS kind, {verdict} AS verdict, e.status, {rules} AS rules, {method} AS method,
    {base} || e.target AS url, {masked} AS masked, {indicators} AS findings, coalesce(e.risk, 0.0) AS risk,
    coalesce(e.rows, 0) AS rows, {approval} AS approval, s.name || '.flows' AS file, e.offset, e.length, e.doubtful,
    e.n
FROM exchange e JOIN stem s ON s.id = e.stem
"""
_WORDS = ("name", "subject", "session", "service", "dataset", "kind", "verdict", "rules", "method", "base", "masked")
_WORD = "coalesce((SELECT value FROM word WHERE id = e.{}), '')"
_SELECT = _LINE.format(**{name: _WORD.format(name) for name in (*_WORDS, "indicators", "approval")})


@dataclass(slots=True)
class SessionLine:
    """A session: its id, whose it is, how many exchanges it has, and when the first and the last started."""

    id: str
    who: str
    count: int
    begun: float
    ended: float


class Catalog:
    """Answers from a catalog that was brought up to date when it was opened."""

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self._tests: list[Test] = []
        self._url_tests: list[Test] = []
        self._gathered: list[str] = []
        # Once, since a function cannot be made anew while a query is under way.
        connection.create_function("fits", 2, lambda n, text: self._tests[n](text), deterministic=True)
        connection.create_function("fits_url", 2, lambda n, text: self._url_tests[n](text))
        connection.create_function("gathered", 1, lambda n: self._gathered[n], deterministic=True)

    def damage(self) -> list[Damage]:
        """Where the recordings are not whole."""
        found = self.connection.execute("SELECT file, offset, reason FROM damage ORDER BY file, offset")
        return [Damage(*row) for row in found]

    def unknown(self, chosen: Selection | None = None) -> list[Line]:
        """The intents that have no outcome."""
        found = [_open_line(text) for (text,) in self.connection.execute("SELECT line FROM unknown")]
        return [line for line in found if chosen is None or chosen.has(line)]

    def lines(self, chosen: Selection, *, oldest_first: bool = False) -> Iterator[Line]:
        """The exchanges that are wanted, the latest first unless said otherwise.

        A filter expression that asks for more than the catalog knows is answered with what could fit: `filters.sql`.
        """
        # Time has an index that leads through the rows; other conditions are tested on the way.
        way, beyond = ("ASC", ">") if oldest_first else ("DESC", "<")
        return self._asked(
            query(chosen, self._tests),
            f"{_SELECT} WHERE {{}} ORDER BY e.started {way}, e.n {way}",
            f"(e.started, e.n) {beyond} (?, ?)",
            lambda line, number: (line.started, number),
        )

    def saying(self, text: str, chosen: Selection, progress: Progress) -> Iterator[Line]:
        """The wanted exchanges that say a text, the latest recorded first. Raises Fault for a text without words."""
        asked = phrase(text)
        if asked is None:
            raise Fault("There is no word in that text.", hint="Search with --anywhere: it looks at every character.")
        index(self.connection, self.folder, progress)
        return self._asked(
            query(chosen, self._tests),
            f"{_SELECT} JOIN said ON said.rowid = e.n WHERE said MATCH ? AND {{}} ORDER BY said.rowid DESC",
            "said.rowid < ?",
            lambda _line, number: (number,),
            asked,
        )

    def count(self, chosen: Selection) -> int:
        """How many exchanges the catalog has for a selection."""
        made = query(chosen, self._tests)
        looks = self._looks(made)
        looks.gather()
        (count,) = self.connection.execute(
            f"SELECT count(*) FROM exchange e WHERE {made.text(looks)}", made.values
        ).fetchone()
        return int(count)

    def beginning(self, beginning: str, most: int = 2) -> list[Line]:
        """Exchanges whose id begins so, outcomes first; of several places with the same id, each."""
        rows = self.connection.execute(
            f"{_SELECT} WHERE e.id >= ? AND e.id < ? ORDER BY e.id, e.n LIMIT ?",
            (beginning, beginning + "\U0010ffff", most),
        )
        found = [_line(row[:-1]) for row in rows]
        return found + [line for line in self.unknown() if line.id.startswith(beginning)]

    def people(self) -> list[tuple[str, str]]:
        """Subject and name of everybody who asked for something."""
        return list(
            self.connection.execute(
                "SELECT coalesce(s.value, ''), coalesce(n.value, '') FROM (SELECT DISTINCT subject, name FROM exchange)"
                " LEFT JOIN word s ON s.id = subject LEFT JOIN word n ON n.id = name"
            )
        )

    def sessions(self) -> list[SessionLine]:
        """The sessions in the order in which they began. What nobody was signed in for belongs to none."""
        rows = self.connection.execute(
            # Counted from the index alone; whose a session is, its first row says.
            "SELECT w.value, n.value, count, begun, ended FROM (SELECT session, count(*) AS count,"
            " min(started) AS begun, max(started) AS ended FROM exchange WHERE session NOT NULL GROUP BY session) s"
            " JOIN word w ON w.id = s.session LEFT JOIN word n"
            " ON n.id = (SELECT name FROM exchange e WHERE e.session = s.session LIMIT 1)"
        )
        found = {row[0]: SessionLine(row[0], row[1] or "", *row[2:]) for row in rows}
        for line in self.unknown():
            if line.session:
                one = found.setdefault(line.session, SessionLine(line.session, line.who, 0, line.started, line.started))
                one.count += 1
                one.begun, one.ended = min(one.begun, line.started), max(one.ended, line.started)
        return sorted(found.values(), key=lambda session: session.begun)

    def _asked(
        self,
        made: Query,
        text: str,
        beyond: str,
        place: Callable[[Line, int], tuple[Any, ...]],
        *first: str,
    ) -> Iterator[Line]:
        """The lines of a query, whose conditions go into `text`. When URLs were looked at too often, what fits is
        gathered from all of them, and the query goes on `beyond` the `place` of the last line."""
        looks = self._looks(made)
        last: tuple[Any, ...] = ()
        try:
            for row in self.connection.execute(text.format(made.text(looks)), (*first, *made.values)):
                line = _line(row[:-1])
                last = place(line, row[-1])
                yield line
        except sqlite3.OperationalError:
            if not looks.spent:
                raise
        else:
            return
        looks.gather()
        conditions = f"{made.text(looks)} AND {beyond}" if last else made.text(looks)
        for row in self.connection.execute(text.format(conditions), (*first, *made.values, *last)):
            yield _line(row[:-1])

    def _looks(self, made: Query) -> Looks:
        return Looks(self.connection, made.urls, self._url_tests, self._gathered)


@contextmanager
def opened(file: Path, folder: Path, progress: Progress) -> Iterator[Catalog]:
    """The catalog in a file, up to date with the recordings in `folder`. One that is broken is made anew.

    Raises OSError for the folder, Fault when the catalog cannot be kept.
    """
    try:
        descriptor = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Fault(f"The catalog {file} cannot be kept: {error.strerror}.", hint="Use --no-cache.") from None
    connection = None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # one at a time brings it up to date
        try:
            connection = _connected(file)
            update(connection, folder, progress)
        except sqlite3.DatabaseError:
            if connection is not None:
                connection.close()
            remove(file, keep_lock=True)
            connection = _fresh(file, folder, progress)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        yield Catalog(connection, folder)
    finally:
        if connection is not None:
            connection.close()
        os.close(descriptor)


def remove(file: Path, *, keep_lock: bool = False) -> None:
    """Take a catalog away."""
    for suffix in (".sqlite3", ".sqlite3-journal", *(() if keep_lock else (".lock",))):
        with suppress(FileNotFoundError):
            file.with_suffix(suffix).unlink()


def _fresh(file: Path, folder: Path, progress: Progress) -> sqlite3.Connection:
    connection = None
    try:
        connection = _connected(file)
        update(connection, folder, progress)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise Fault(
            f"The catalog {file} cannot be written ({error}).", hint="Name another folder with --cache."
        ) from None
    return connection


def _connected(file: Path) -> sqlite3.Connection:
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    connection = sqlite3.connect(file, isolation_level="DEFERRED", timeout=60.0)
    # It can be made anew, so nothing is waited for; a crash leaves a file that is found broken, or an old one.
    for pragma in ("journal_mode=DELETE", "synchronous=OFF", "cache_size=-65536", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        if version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            connection.close()
            raise sqlite3.DatabaseError("another version")
        connection.executescript(f"BEGIN; {TABLES} {SAID} PRAGMA user_version = {VERSION}; COMMIT;")
    for table in ("exchange", "addresses", "unknown", "damage", "word", "indexed", "said_data", "stem"):
        connection.execute(f"SELECT 1 FROM {table} LIMIT 1")  # raises where it is not there
    return connection


def _line(row: tuple[object, ...]) -> Line:
    values = dict(zip(Line.__slots__, row, strict=True))
    values["rules"], values["findings"] = _split(values["rules"]), _split(values["findings"])
    values["doubtful"] = bool(values["doubtful"])
    return Line(**values)  # type: ignore[arg-type]


def _open_line(text: str) -> Line:
    values = json.loads(text)
    return Line(**{**values, "rules": tuple(values["rules"]), "findings": tuple(values["findings"])})


def _split(value: object) -> tuple[str, ...]:
    return tuple(str(value).split("\n")) if value else ()
