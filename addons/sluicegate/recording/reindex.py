"""Rebuild the index from the recordings: segments are read by other processes while this one writes the rows."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, delete

from sluicegate.database import Database
from sluicegate.database.tables import exchanges
from sluicegate.recording.flow_reader import flow_files, read_summaries
from sluicegate.recording.index import Item, store
from sluicegate.recording.journal import Place
from sluicegate.recording.recorded import Damage

LARGE = 48 << 20
"""Bytes to read from which on other processes help."""
BATCH = 2_000
"""Rows to a transaction. A gateway that is running waits for each with its own rows, and with decisions."""

Progress = Callable[[int, int], None]
"""Is told how many bytes are read, of how many."""


@dataclass(slots=True)
class Rebuilt:
    """How a rebuild went: exchanges in the index now, and what in the recordings is not whole."""

    count: int = 0
    damage: list[Damage] = field(default_factory=list)


async def reindex(folder: Path, database: Database, progress: Progress = lambda done, total: None) -> Rebuilt:
    """Empty the table and fill it from the flow files below `folder`. Raises OSError, SQLAlchemyError.

    The gateway may be running: what it adds meanwhile stays. One that is broken off leaves an index that lacks rows,
    and nothing that is wrong: it is done again from the start.
    """
    rebuilt = Rebuilt()
    # A folder that cannot be read is found out before anything is deleted.
    sizes = {name: (folder / name).stat(follow_symlinks=False).st_size for name in flow_files(folder)}
    total, done = sum(sizes.values()), 0
    await database.run(_clear)
    with _readers(total, len(sizes)) as (pool, at_once):
        async for name, batches, damage in _read(pool, folder, list(sizes), at_once):
            for batch in batches:
                items = pickle.loads(batch)  # noqa: S301 - by a reader of our own, a moment ago
                await database.run(partial(store, items=items))
                rebuilt.count += len(items)
            rebuilt.damage += damage
            done += sizes[name]
            progress(done, total)
    return rebuilt


Rows = tuple[list[bytes], list[Damage]]
"""What one file has for the index. Rows are packed, a batch each: unpacked, a segment takes a hundred megabytes."""


def rows_of(folder: Path, name: str) -> Rows:
    """Read one flow file. Runs in a process of its own when there is much to read."""
    batches: list[bytes] = []
    damage: list[Damage] = []
    items: list[Item] = []
    for item in read_summaries(folder, name):
        if isinstance(item, Damage):
            damage.append(item)
            continue
        items.append((item.summary, Place(item.file, item.offset)))
        if len(items) == BATCH:
            batches.append(pickle.dumps(items))
            items = []
    if items:
        batches.append(pickle.dumps(items))
    return batches, damage


async def _read(
    pool: Executor, folder: Path, names: list[str], at_once: int
) -> AsyncIterator[tuple[str, list[bytes], list[Damage]]]:
    """File by file, in the order of their names. As many are read ahead as there are readers, and no more."""
    loop = asyncio.get_running_loop()
    waiting: list[tuple[str, asyncio.Future[Rows]]] = []
    for name in names:
        waiting.append((name, loop.run_in_executor(pool, rows_of, folder, name)))
        if len(waiting) > at_once:
            first, future = waiting.pop(0)
            yield first, *await future
    for first, future in waiting:
        yield first, *await future


@contextmanager
def _readers(total: int, files: int) -> Iterator[tuple[Executor, int]]:
    count = min(os.cpu_count() or 1, 8, files)
    pool: Executor
    if total < LARGE or count < 2:
        count, pool = 1, ThreadPoolExecutor(1, "reindex")
    else:
        # Not forked: the database has threads.
        pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))
    try:
        yield pool, count
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _clear(connection: Connection) -> None:
    connection.execute(delete(exchanges))
