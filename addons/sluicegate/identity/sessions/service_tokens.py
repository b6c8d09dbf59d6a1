"""Tokens for services in the database: fetched by one console, used by every gateway. Each function is part of a
transaction of the caller's.

A row is dropped with its session, and never written for one that has ended.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sluicegate.database.tables import service_tokens, sessions
from sluicegate.exchange import Target
from sluicegate.identity.sessions import store
from sluicegate.identity.sessions.session import Session

MAX_REFUSED = 64


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """What came of one exchange: a token, sealed; or the provider's own word why there is none, in `refused`."""

    session: str
    target: Target
    begun: float
    until: float
    due: float
    sealed: bytes | None = field(default=None, repr=False)
    refused: str | None = None


def digest(target: Target) -> bytes:
    """What a target goes by."""
    return hashlib.sha256(json.dumps(astuple(target)).encode()).digest()


def in_use(connection: Connection, now: float, used_after: float) -> list[tuple[Session, bytes]]:
    """Sessions that are in force and were used, and hold something to exchange, which is sealed."""
    wanted = select(sessions).where(
        sessions.c.ended.is_(None),
        sessions.c.expires > now,
        sessions.c.used >= used_after,
        sessions.c.subject_token.is_not(None),
    )
    return [(Session.of(row), bytes(row.subject_token)) for row in connection.execute(wanted)]


def due_times(connection: Connection) -> dict[tuple[str, bytes], float]:
    """When each is fetched next, by session and digest of the target."""
    columns = (service_tokens.c.session, service_tokens.c.target, service_tokens.c.due)
    return {(session, bytes(target)): due for session, target, due in connection.execute(select(*columns))}


def claim(connection: Connection, session: str, target: Target, due: float | None, until: float) -> bool:
    """Whether this console is the one that fetches it; nobody else does before `until`. `due`: what the row says, None
    where there is none. No gateway has to hear of it, so it has no revision."""
    if due is not None:
        mine = (service_tokens.c.session == session, service_tokens.c.target == digest(target))
        taken = connection.execute(update(service_tokens).where(*mine, service_tokens.c.due == due).values(due=until))
        return bool(taken.rowcount)
    if store.in_force(connection, session) is None:
        return False
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    added = dialect.insert(service_tokens).values(
        session=session,
        target=digest(target),
        wanted=list(astuple(target)),
        revision=0,
        begun=0.0,
        until=0.0,
        due=until,
    )
    added = added.on_conflict_do_nothing()
    # Not by rowcount, which the driver of PostgreSQL does not tell for an INSERT.
    return connection.execute(added.returning(service_tokens.c.session)).first() is not None


def write(connection: Connection, found: Iterable[ServiceToken]) -> None:
    """What came of exchanges, in the place of what was there. What is for a session that has ended is dropped."""
    revision = store.change(connection)
    for one in found:
        if store.in_force(connection, one.session) is None:
            continue
        mine = (service_tokens.c.session == one.session, service_tokens.c.target == digest(one.target))
        connection.execute(delete(service_tokens).where(*mine))
        connection.execute(
            insert(service_tokens).values(
                session=one.session,
                target=digest(one.target),
                wanted=list(astuple(one.target)),
                revision=revision,
                sealed=one.sealed,
                refused=one.refused[:MAX_REFUSED] if one.refused else None,
                begun=one.begun,
                until=one.until,
                due=one.due,
            )
        )


def changed(connection: Connection, after: int) -> list[ServiceToken]:
    """What was written after a revision."""
    rows = connection.execute(select(service_tokens).where(service_tokens.c.revision > max(after, 0)))
    return [
        ServiceToken(
            row.session,
            Target(*row.wanted),
            row.begun,
            row.until,
            row.due,
            None if row.sealed is None else bytes(row.sealed),
            row.refused,
        )
        for row in rows
    ]


def put_off(connection: Connection, session: str, target: Target, due: float) -> None:
    """It could not be fetched: try again then."""
    mine = (service_tokens.c.session == session, service_tokens.c.target == digest(target))
    connection.execute(update(service_tokens).where(*mine).values(due=due))
