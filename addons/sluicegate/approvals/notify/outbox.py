"""The outbox: what is to be told, kept in the database from the moment that it happened until it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from sluicegate.database.tables import notices

ABOUT = frozenset({"asked", "broken_glass", "approved", "denied", "expired", "withdrawn", "revoked", "reviewed"})
"""What can be told; the rest goes into the record alone."""
CLAIMED_SECONDS = 120.0
"""How long whoever takes a notice has it for themselves; after that another may try."""
KEPT_SECONDS = 7 * 86_400.0


def add(connection: Connection, about: str, approval: str, code: str, at: float) -> None:
    """Within the transaction of the thing itself."""
    row = {"about": about, "approval_id": approval, "code": code, "at": at, "next_at": at, "places": {}}
    connection.execute(insert(notices).values(row))


def any_due(connection: Connection, now: float) -> bool:
    """Whether there is anything to send."""
    return connection.execute(select(notices.c.id).where(notices.c.next_at <= now).limit(1)).first() is not None


def claim(connection: Connection, now: float, most: int = 20) -> list[Row[Any]]:
    """Notices that are due, for the caller alone until they are settled or the claim is over."""
    due = select(notices).where(notices.c.next_at <= now).order_by(notices.c.next_at).limit(most)
    taken = []
    for row in connection.execute(due).all():
        mine = (notices.c.id == row.id, notices.c.next_at == row.next_at)
        if connection.execute(update(notices).where(*mine).values(next_at=now + CLAIMED_SECONDS)).rowcount == 1:
            taken.append(row)
    return taken


def settle(connection: Connection, identity: int, places: Mapping[str, Any], next_at: float | None) -> None:
    """Write down what came of it."""
    connection.execute(update(notices).where(notices.c.id == identity).values(places=dict(places), next_at=next_at))


def recent(connection: Connection, most: int = 100) -> list[Row[Any]]:
    """The newest, for operators."""
    return list(connection.execute(select(notices).order_by(notices.c.id.desc()).limit(most)))


def sweep(connection: Connection, now: float) -> None:
    """Forget what was settled long ago."""
    connection.execute(delete(notices).where(notices.c.next_at.is_(None), notices.c.at < now - KEPT_SECONDS))
