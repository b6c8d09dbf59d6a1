"""Habits that were learned anew, out of recordings, put in the place of what the database has."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select

from sluicegate.database.tables import habits as table
from sluicegate.detection.habit import pack
from sluicegate.detection.habit_rows import BUDGET, GROUP, PERSON
from sluicegate.detection.watching import Watching


def states(watching: Watching) -> dict[str, list[Any]]:
    """What was learned, by the names under which it is kept."""
    watching.settle()
    found = {PERSON + person: habit.plain() for person, habit in watching.people.items()}
    found |= {GROUP + name: peers.plain() for name, peers in watching.groups.items()}
    if found:
        found[BUDGET] = watching.budget.plain()
    return found


def replace(connection: Connection, *, states: dict[str, list[Any]], now: float) -> int:
    """Write states and take out all others, in one transaction. How many others there were.

    Versions go on from those that were there, so a gateway that knows one of them sees that it is not its own.
    """
    known = {row.name: row.version for row in connection.execute(select(table.c.name, table.c.version))}
    connection.execute(delete(table))
    rows = [
        {"name": name, "version": known.get(name, 0) + 1, "changed": now, "state": pack(state)}
        for name, state in states.items()
    ]
    if rows:
        connection.execute(insert(table), rows)
    return len(known.keys() - states.keys())
