"""Events of any process, handed to the one that records: a decision, a session that ended, a policy that changed.

An event is written in the same transaction as what it tells of, so that neither is there without the other (a
transactional outbox). The recorder takes events out only once they are in the record, durably; one that it took and
could not remove before a crash comes again, with the same `id`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from sluicegate.database.tables import events


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as it waits to be recorded. `at` is in seconds since the epoch, UTC."""

    id: int
    kind: str
    """Such as `approval.decided`: the room's word, a dot, what happened."""
    at: float
    body: Mapping[str, Any]
    """JSON: who, what, why. No secrets, and no values of columns."""


def tell(connection: Connection, kind: str, at: float, body: Mapping[str, Any]) -> None:
    """Write an event down, within the transaction of what it tells of."""
    connection.execute(insert(events).values(kind=kind, at=at, body=dict(body)))


def waiting(connection: Connection, most: int = 256) -> list[Event]:
    """The oldest events that are not yet recorded."""
    rows = connection.execute(select(events).order_by(events.c.id).limit(most))
    return [Event(row.id, row.kind, row.at, row.body) for row in rows]


def recorded(connection: Connection, ids: Sequence[int]) -> None:
    """Take out events that are in the record now."""
    connection.execute(delete(events).where(events.c.id.in_(ids)))
