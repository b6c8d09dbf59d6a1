"""The rows of habits in the database: what is read and written of them in one transaction."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sluicegate.database.tables import habits as table
from sluicegate.detection.habit import pack
from sluicegate.detection.pairing import PEOPLE

BATCH = 100
"""States that are written, or read, at once."""
PERSON, GROUP, BUDGET = "person:", "group:", "budget"
"""How names begin."""


class Row(NamedTuple):
    """A state as it is kept."""

    name: str
    version: int
    state: bytes


def load(connection: Connection) -> tuple[float, list[Row]]:
    """When the newest state was written, and the states: of people, those that were written last."""
    columns = (table.c.name, table.c.version, table.c.state)
    groups = connection.execute(select(*columns).where(table.c.name.not_like(f"{PERSON}%")))
    people = connection.execute(
        select(*columns).where(table.c.name.like(f"{PERSON}%")).order_by(table.c.changed.desc()).limit(PEOPLE)
    )
    return _newest(connection), [Row(*row) for row in groups] + [Row(*row) for row in people]


def changed(connection: Connection, *, since: float, known: dict[str, int]) -> tuple[float, list[Row]]:
    """When the newest state was written, and the states that are newer than what is `known`."""
    newest = _newest(connection)
    found = connection.execute(select(table.c.name, table.c.version).where(table.c.changed >= since)).all()
    names = [name for name, version in found if known.get(name, 0) < version]
    rows: list[Row] = []
    for at in range(0, len(names), BATCH):
        chosen = table.c.name.in_(names[at : at + BATCH])
        rows += [
            Row(*row) for row in connection.execute(select(table.c.name, table.c.version, table.c.state).where(chosen))
        ]
    return newest, rows


def store(connection: Connection, *, states: dict[str, list[Any]], known: dict[str, int], now: float) -> list[Row]:
    """Write states where they still have the `known` version. The others come back as they are."""
    newer = []
    # The clock of a gateway may be behind, or be set back: others, who look for what is newest, would not see it.
    now = max(now, _newest(connection))
    for name, state in states.items():
        values = {"version": known[name] + 1, "changed": now, "state": pack(state)}
        written = connection.execute(
            update(table).where(table.c.name == name, table.c.version == known[name]).values(**values)
        )
        if written.rowcount:
            continue
        row = connection.execute(_row(name)).first()
        if row is None:
            # Another gateway may make it at the same moment: then its state is the newer one.
            made = _insert(connection)(table).values(name=name, **values).on_conflict_do_nothing()
            if connection.execute(made.returning(table.c.name)).first() is None:
                newer.append(Row(*connection.execute(_row(name)).one()))
        else:
            newer.append(Row(*row))
    return newer


def _newest(connection: Connection) -> float:
    return connection.execute(select(func.max(table.c.changed))).scalar() or 0.0


def _row(name: str) -> Select[Any]:
    return select(table.c.name, table.c.version, table.c.state).where(table.c.name == name)


def _insert(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
