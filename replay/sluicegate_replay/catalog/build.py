"""Brings a catalog up to date with its recordings: segments that are new or have changed are read, others are not."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Protocol

from sluicegate.recording.flow_reader import segments
from sluicegate_replay.catalog import addresses
from sluicegate_replay.catalog.scan import COLUMNS, Scan, scan
from sluicegate_replay.catalog.schema import INDEXES, PLAIN, SAID, WORDS

LARGE = 48 << 20
"""Bytes to read from which on other processes help."""
_AT_ONCE = 4
"""Segments that are read ahead of what is stored, for each process: what bounds the memory."""


class Progress(Protocol):
    """Is told how long work goes on."""

    def start(self, what: str, total: int) -> None:
        """Something that takes `total` steps begins."""

    def step(self, count: int) -> None:
        """So many steps are done."""

    def stop(self) -> None:
        """It is done."""


def update(connection: sqlite3.Connection, folder: Path, progress: Progress) -> None:
    """Read what has changed. Raises OSError for the folder, sqlite3.Error for the catalog."""
    there = {stem: (files, *_state(folder, files)) for stem, files in segments(folder).items()}
    known = dict(connection.execute("SELECT name, state FROM stem"))
    gone = [stem for stem in known if stem not in there or there[stem][1] != known[stem]]
    wanted = {stem: files for stem, (files, state, _) in there.items() if known.get(stem) != state}
    if not gone and not wanted:
        return
    _forget(connection, gone)
    if any(stem not in there for stem in gone):
        _purge(connection)
    elif gone and _worn(connection):
        _forget_words(connection)
    total = sum(there[stem][2] for stem in wanted)
    if not known:
        connection.execute("DROP INDEX IF EXISTS exchange_started")
    words = _Words(connection)
    progress.start("Reading the recordings", total)
    try:
        for stem, found in _scanned(folder, wanted, total):
            _, state, size = there[stem]
            _store(connection, words, stem, state, size, found)
            progress.step(size)
    finally:
        progress.stop()
    connection.commit()
    connection.executescript(INDEXES)


def workers(pieces: int) -> int:
    """How many processes read so many pieces."""
    return min(os.cpu_count() or 1, 8, pieces)


def _state(folder: Path, files: Sequence[str]) -> tuple[str, int]:
    """What tells whether files have changed, and their bytes."""
    parts, size = [], 0
    for name in files:
        try:
            found = (folder / name).stat(follow_symlinks=False)
        except OSError as error:
            parts.append(f"{name} {error.errno}")
            continue
        size += found.st_size
        # The change time too: whoever rewrites a file can set the time of modification back, but not this one.
        parts.append(f"{name} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}")
    return "\n".join(parts), size


def _scanned(folder: Path, wanted: dict[str, list[str]], total: int) -> Iterator[tuple[str, Scan]]:
    count = workers(len(wanted))
    if total < LARGE or count < 2:
        for stem, files in wanted.items():
            yield stem, scan(folder, files)
        return
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        waiting = []
        try:
            for stem, files in wanted.items():
                waiting.append((stem, pool.submit(scan, folder, files)))
                if len(waiting) >= _AT_ONCE * count:
                    first, future = waiting.pop(0)
                    yield first, future.result()
            while waiting:
                first, future = waiting.pop(0)
                yield first, future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class _Words:
    """Numbers of words, remembered while a catalog is filled."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[str, int] = {}

    def number(self, value: str) -> int | None:
        if not value:
            return None
        number = self._known.get(value)
        if number is None:
            if len(self._known) > 200_000:
                self._known.clear()  # they may all be different: the database knows them
            self._connection.execute("INSERT OR IGNORE INTO word (value) VALUES (?)", (value,))
            (number,) = self._connection.execute("SELECT id FROM word WHERE value = ?", (value,)).fetchone()
            self._known[value] = number
        return number


_INSERT = f"INSERT INTO exchange (n, stem, {', '.join(COLUMNS)}) VALUES (?, ?{', ?' * len(COLUMNS)})"
_TARGET, _BASE = COLUMNS.index("target"), COLUMNS.index("base")


def _store(connection: sqlite3.Connection, words: _Words, stem: str, state: str, size: int, found: Scan) -> None:
    cursor = connection.execute("INSERT INTO stem (name, state, bytes) VALUES (?, ?, ?)", (stem, state, size))
    number = cursor.lastrowid
    assert number is not None
    plain = len(PLAIN)
    assert len(WORDS) == len(COLUMNS) - plain
    (last,) = connection.execute("SELECT coalesce(max(n), 0) FROM exchange").fetchone()
    rows = [(*row[:plain], *[words.number(word) for word in row[plain:]]) for row in found.rows]
    connection.executemany(_INSERT, [(n, number, *row) for n, row in enumerate(rows, last + 1)])
    addresses.keep(connection, number, last + 1, [row[_BASE] for row in rows], [row[_TARGET] for row in rows])
    connection.executemany(
        "INSERT INTO open (id, stem, line) VALUES (?, ?, ?)", [(one, number, line) for one, line in found.open]
    )
    connection.executemany(
        "INSERT INTO damage (stem, file, offset, reason) VALUES (?, ?, ?, ?)",
        [(number, d.file, d.offset, d.reason) for d in found.damage],
    )


def _forget(connection: sqlite3.Connection, stems: Sequence[str]) -> None:
    for stem in stems:
        (number,) = connection.execute("SELECT id FROM stem WHERE name = ?", (stem,)).fetchone()
        for table in ("exchange", "addresses", "open", "damage", "indexed"):
            connection.execute(f"DELETE FROM {table} WHERE stem = ?", (number,))
        connection.execute("DELETE FROM stem WHERE id = ?", (number,))


def _purge(connection: sqlite3.Connection) -> None:
    """Segments are gone for good, so what stood in nothing else goes too, from the pages of the file as well."""
    connection.execute("PRAGMA secure_delete = ON")
    used = " UNION ".join(f"SELECT {column} FROM exchange WHERE {column} NOT NULL" for column in WORDS)
    connection.execute(f"DELETE FROM word WHERE id NOT IN ({used})")
    _forget_words(connection)


def _worn(connection: sqlite3.Connection) -> bool:
    """Whether most of the words that are kept are those of segments that were read anew since."""
    (count, last) = connection.execute("SELECT count(*), coalesce(max(n), 0) FROM exchange").fetchone()
    return bool(last > 2 * count + 100_000)


def _forget_words(connection: sqlite3.Connection) -> None:
    """The next search reads them anew."""
    connection.execute("DELETE FROM indexed")
    connection.execute("DROP TABLE said")
    connection.execute(SAID)
