"""Databases with the tables of this version. To make those takes fifty times as long as to copy a file that has them."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sluicegate.database import Database


@functools.cache
def migrated() -> bytes:
    """A database with the tables of this version and nothing in them."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:  # tests may have a loop of their own
        path = Path(folder) / "empty.sqlite3"

        async def make() -> None:
            database = Database.at(path, checkpoints=True)
            await database.open()
            await database.close()

        thread.submit(asyncio.run, make()).result()
        return path.read_bytes()


def put_tables(path: Path) -> Path:
    """Put such a file there, unless there is one."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(migrated())
    return path


def with_tables(path: Path, *, checkpoints: bool = False) -> Database:
    """The database in that file, not opened yet."""
    return Database.at(put_tables(path), checkpoints=checkpoints)
