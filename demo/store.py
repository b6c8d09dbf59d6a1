"""The demo's SQLite file: reading chunks, queries, and dropping the dataset.

Each call opens its own connection, so that calls from several threads never share one; reads open the file read-only.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from demo import customers
from demo.filters import Condition

Row = dict[str, Any]
_TIMEOUT = 5.0  # seconds that a call waits for a writer


class NoDataset(LookupError):
    """There is no such dataset, or no longer."""


class Store:
    """The datasets of the demo: `customers`, until somebody drops it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self, dataset: str) -> int:
        """How many rows it has. Raises NoDataset."""
        with self.reading(dataset) as database:
            return int(database.execute(f"SELECT count(*) FROM {customers.DATASET}").fetchone()[0])

    def chunks(self, dataset: str, columns: Sequence[str], numbers: Sequence[int]) -> Iterator[list[Row]]:
        """The rows of each chunk, one list a chunk, in the order asked for. Raises NoDataset."""
        select = _select(columns) + " WHERE id BETWEEN ? AND ? ORDER BY id"
        with self.reading(dataset) as database:
            for number in numbers:
                first = number * customers.CHUNK + 1
                found = database.execute(select, (first, first + customers.CHUNK - 1))
                yield [dict(zip(columns, row, strict=True)) for row in found]

    def query(self, dataset: str, columns: Sequence[str], condition: Condition | None, limit: int) -> list[Row]:
        """The rows that meet the condition, by id, at most `limit`. Raises NoDataset."""
        where = f" WHERE {condition.sql}" if condition else ""
        select = _select(columns) + where + " ORDER BY id LIMIT ?"
        parameters = (*condition.parameters, limit) if condition else (limit,)
        with self.reading(dataset) as database:
            return [dict(zip(columns, row, strict=True)) for row in database.execute(select, parameters)]

    def drop(self, dataset: str) -> None:
        """Drop the dataset for good. Raises NoDataset."""
        with self.reading(dataset):
            pass
        with contextlib.closing(sqlite3.connect(self.path, timeout=_TIMEOUT)) as database:
            database.execute(f"DROP TABLE IF EXISTS {customers.DATASET}")
            database.commit()

    @contextlib.contextmanager
    def reading(self, dataset: str) -> Iterator[sqlite3.Connection]:
        """A read-only connection to the file that holds the dataset. Raises NoDataset."""
        if dataset != customers.DATASET:
            raise NoDataset(dataset)
        uri = f"{self.path.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_TIMEOUT)) as database:
            named = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
            if database.execute(named, (dataset,)).fetchone() is None:
                raise NoDataset(dataset)
            yield database


def _select(columns: Sequence[str]) -> str:
    """SELECT of these columns. They end in the SQL as they are, so anything but our own names is a mistake here."""
    if not columns or not set(columns) <= set(customers.COLUMNS):
        raise ValueError(f"unknown columns: {columns}")
    return f"SELECT {', '.join(columns)} FROM {customers.DATASET}"
