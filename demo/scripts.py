"""Running a script: one SELECT on the customers, as free as SQL is and as bounded as SQLite lets us make it.

It is what the demo's policy denies: the columns that come out can be called anything, so nothing behind it can tell
what to mask. The service itself still makes sure that a script only reads, and ends.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from demo import customers
from demo.store import Store

SECONDS = 2.0
MAX_ROWS = 1000
_MAX_BYTES = 1 << 20
_FUNCTIONS = frozenset(
    (
        "abs",
        "avg",
        "coalesce",
        "count",
        "group_concat",
        "ifnull",
        "instr",
        "length",
        "like",
        "lower",
        "ltrim",
        "max",
        "min",
        "nullif",
        "replace",
        "round",
        "rtrim",
        "substr",
        "substring",
        "sum",
        "total",
        "trim",
        "typeof",
        "upper",
    )
)


class ScriptError(ValueError):
    """The script was refused, failed, or took too long; the message says which."""


def run(store: Store, dataset: str, code: str) -> list[dict[str, Any]]:
    """The rows that the script selects. Raises ScriptError, or NoDataset."""
    with store.reading(dataset) as database:
        for limit, value in (
            (sqlite3.SQLITE_LIMIT_LENGTH, _MAX_BYTES),
            (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 20_000),
            (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 10),
            (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100),
            (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200),
            (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
        ):
            database.setlimit(limit, value)
        database.set_authorizer(_authorize)
        ends = time.monotonic() + SECONDS
        database.set_progress_handler(lambda: time.monotonic() > ends, 1000)
        try:
            cursor = database.execute(code)
            found = _fetch(cursor)
        except ScriptError:
            raise
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            raise ScriptError(str(error)) from None
    if cursor.description is None:
        raise ScriptError("a script is one SELECT")
    names = [column[0] for column in cursor.description]
    if len(set(names)) != len(names):
        raise ScriptError("two columns have the same name")
    return [dict(zip(names, row, strict=True)) for row in found]


def _fetch(cursor: sqlite3.Cursor) -> list[tuple[Any, ...]]:
    """All rows, counted while they come: a thousand rows of a megabyte each must not be in memory first."""
    found: list[tuple[Any, ...]] = []
    size = 0
    for row in cursor:
        if any(isinstance(value, bytes) for value in row):
            raise ScriptError("a script gives no blobs")
        found.append(row)
        size += sum(len(value) for value in row if isinstance(value, str))
        if len(found) > MAX_ROWS or size > _MAX_BYTES:
            raise ScriptError(f"a script gives at most {MAX_ROWS} rows and {_MAX_BYTES} characters")
    return found


def _authorize(action: int, first: str | None, second: str | None, database: str | None, inner: str | None) -> int:
    """SQLite asks this for everything a statement would do. Whatever is not listed is denied."""
    match action:
        case sqlite3.SQLITE_SELECT:
            allowed = True
        case sqlite3.SQLITE_READ:
            allowed = first == customers.DATASET
        case sqlite3.SQLITE_FUNCTION:
            allowed = (second or "").lower() in _FUNCTIONS
        case _:
            allowed = False
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
