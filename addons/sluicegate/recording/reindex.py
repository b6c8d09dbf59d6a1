"""Rebuild the index from the recordings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, delete

from sluicegate.database import Database
from sluicegate.database.tables import exchanges
from sluicegate.recording.flow_reader import read_folder
from sluicegate.recording.index import BATCH, Item, store
from sluicegate.recording.journal import Place
from sluicegate.recording.recorded import Damage


@dataclass(slots=True)
class Rebuilt:
    """How a rebuild went: exchanges in the index now, and what in the recordings is not whole."""

    count: int = 0
    damage: list[Damage] = field(default_factory=list)


async def reindex(folder: Path, database: Database) -> Rebuilt:
    """Empty the table and fill it from the flow files below `folder`. Raises OSError, SQLAlchemyError.

    The gateway may be running: what it adds meanwhile stays.
    """
    rebuilt = Rebuilt()
    rows = _rows(folder, rebuilt)
    batch = next(rows, [])  # a folder that cannot be read is found out before anything is deleted
    await database.run(_clear)
    while batch:
        await database.run(partial(store, items=batch))
        batch = next(rows, [])
    return rebuilt


def _rows(folder: Path, rebuilt: Rebuilt) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in read_folder(folder):
        if isinstance(item, Damage):
            rebuilt.damage.append(item)
            continue
        rebuilt.count += 1
        batch.append((item.summary, Place(item.file, item.offset)))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _clear(connection: Connection) -> None:
    connection.execute(delete(exchanges))
