"""Sessions in the database. Each function is part of a transaction of the caller's, and tells what happened in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import batched
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sluicegate.database import events
from sluicegate.database.tables import handles, revocations, service_tokens, session_revision, sessions, used_tokens
from sluicegate.exchange import Principal
from sluicegate.identity.sessions.session import Session, Why

KEPT_SECONDS = 7 * 86_400.0
"""How long a session that is over can still be looked at."""
MOST_OF_A_PERSON = 50
"""Sessions in force that one person may have; with one more, the one that was used longest ago ends."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in that was proved, as it is written down."""

    principal: Principal
    provider_session: str | None
    device: str
    address: str
    expires: float
    refresh_token: bytes | None
    """Sealed."""
    refresh_at: float | None
    subject_token: bytes | None = None
    """Sealed."""


def begin(connection: Connection, sign_in: SignIn, digest: bytes, now: float) -> Session:
    """A new session and its first handle."""
    revision, who = change(connection), sign_in.principal
    identity = secrets.token_hex(8)
    connection.execute(
        insert(sessions).values(
            id=identity,
            revision=revision,
            subject=who.subject,
            issuer=who.issuer,
            name=who.name,
            groups=sorted(who.groups),
            provider_session=sign_in.provider_session,
            device=sign_in.device,
            address=sign_in.address,
            created=now,
            expires=sign_in.expires,
            used=now,
            confirmed=now,
            refresh_token=sign_in.refresh_token,
            refresh_at=sign_in.refresh_at,
            subject_token=sign_in.subject_token,
            authenticated=who.authenticated,
            relations=sorted(who.relations),
        )
    )
    connection.execute(insert(handles).values(digest=digest, session=identity, revision=revision, created=now))
    session = one(connection, identity)
    assert session is not None
    events.tell(connection, "session.started", now, {**_about(session), "device": session.device})
    own = in_force_of(connection, who.issuer, who.subject)
    for surplus in sorted(own, key=lambda other: (other.used, other.created))[: max(0, len(own) - MOST_OF_A_PERSON)]:
        end(connection, [surplus], now, by=who.subject, why="replaced")
    return session


def one(connection: Connection, identity: str) -> Session | None:
    """The session with an id."""
    row = connection.execute(select(sessions).where(sessions.c.id == identity)).one_or_none()
    return None if row is None else Session.of(row)


def in_force(connection: Connection, identity: str) -> str | None:
    """The id, if the session has not ended."""
    query = select(sessions.c.id).where(sessions.c.id == identity, sessions.c.ended.is_(None))
    return connection.execute(query).scalar_one_or_none()


def listed(connection: Connection, *, issuer: str | None = None, subject: str | None = None) -> list[Session]:
    """All sessions that are kept, of one person or of everybody, newest first."""
    query = select(sessions).order_by(sessions.c.created.desc()).limit(1000)
    if subject is not None:
        query = query.where(sessions.c.subject == subject, sessions.c.issuer == issuer)
    return [Session.of(row) for row in connection.execute(query)]


def in_force_of(connection: Connection, issuer: str, subject: str) -> list[Session]:
    """A person's sessions that were not ended."""
    query = select(sessions).where(
        sessions.c.issuer == issuer, sessions.c.subject == subject, sessions.c.ended.is_(None)
    )
    return [Session.of(row) for row in connection.execute(query)]


def in_force_at_provider(connection: Connection, issuer: str, subject: str | None, sid: str | None) -> list[Session]:
    """The sessions that a logout token means: of a provider's session, of a subject, or of both (both must fit)."""
    query = select(sessions).where(sessions.c.issuer == issuer, sessions.c.ended.is_(None))
    if sid is not None:
        query = query.where(sessions.c.provider_session == sid)
    if subject is not None:
        query = query.where(sessions.c.subject == subject)
    return [Session.of(row) for row in connection.execute(query)]


def end(connection: Connection, ending: Iterable[Session], now: float, *, by: str, why: Why, **more: Any) -> int:
    """End sessions: their handles stop counting, and their refresh tokens are forgotten. Returns how many it ended."""
    ended = 0
    for session in ending:
        done = connection.execute(
            update(sessions)
            .where(sessions.c.id == session.id, sessions.c.ended.is_(None))
            .values(
                revision=change(connection),
                ended=now,
                ended_by=by[:255],
                ended_why=why,
                refresh_token=None,
                refresh_at=None,
                subject_token=None,
            )
        )
        if done.rowcount:
            ended += 1
            connection.execute(delete(service_tokens).where(service_tokens.c.session == session.id))
            kind = "session.stolen" if why == "stolen" else "session.ended"
            events.tell(connection, kind, now, {**_about(session), "by": by, "why": why, **more})
    return ended


def supersede(connection: Connection, session: Session, old: bytes, new: bytes, now: float) -> bool:
    """Put a new handle into the place of an old one, which goes on for a moment. False when it was replaced before."""
    revision = change(connection)
    done = connection.execute(
        update(handles)
        .where(handles.c.digest == old, handles.c.session == session.id, handles.c.superseded.is_(None))
        .values(superseded=now, revision=revision)
    )
    if not done.rowcount:
        return False
    connection.execute(insert(handles).values(digest=new, session=session.id, revision=revision, created=now))
    return True


def confirm(
    connection: Connection,
    session: Session,
    who: Principal,
    token: bytes,
    at: float,
    now: float,
    *,
    subject_token: bytes | None = None,
) -> None:
    """The provider has said anew who the person is. Raises LookupError when the session has ended meanwhile.

    Tokens are sealed. Without a `subject_token` the one before stays.
    """
    kept = {} if subject_token is None else {"subject_token": subject_token}
    done = connection.execute(
        update(sessions)
        .where(sessions.c.id == session.id, sessions.c.ended.is_(None))
        .values(
            revision=change(connection),
            name=who.name,
            groups=sorted(who.groups),
            relations=sorted(who.relations),
            confirmed=now,
            refresh_token=token,
            refresh_at=at,
            **kept,
        )
    )
    if not done.rowcount:
        raise LookupError(session.id)
    if who.groups != session.groups:
        changed = {
            "groups_added": sorted(who.groups - session.groups),
            "groups_lost": sorted(session.groups - who.groups),
        }
        events.tell(connection, "session.groups-changed", now, {**_about(session), **changed})


def rotated(connection: Connection, session: Session, token: bytes) -> None:
    """The provider has handed out another refresh token, sealed here, and has not said anew who the person is."""
    wanted = update(sessions).where(sessions.c.id == session.id, sessions.c.ended.is_(None))
    connection.execute(wanted.values(refresh_token=token))


def take_address(connection: Connection, session: Session, digest: bytes, address: str, now: float) -> None:
    """From now on an address stands for a session, and no more for the one before."""
    revision = change(connection)
    connection.execute(delete(handles).where(handles.c.digest == digest))
    connection.execute(insert(handles).values(digest=digest, session=session.id, revision=revision, created=now))
    events.tell(connection, "session.address", now, {**_about(session), "address": address})


def sealed_token(connection: Connection, identity: str) -> bytes | None:
    """The refresh token of a session, sealed."""
    found = connection.execute(select(sessions.c.refresh_token).where(sessions.c.id == identity)).scalar_one_or_none()
    return None if found is None else bytes(found)


def subject_token(connection: Connection, identity: str) -> bytes | None:
    """The token of a session that can be exchanged, sealed; None for one that has ended or has none."""
    query = select(sessions.c.subject_token).where(sessions.c.id == identity, sessions.c.ended.is_(None))
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else bytes(found)


def claim_due(connection: Connection, now: float, retry_at: float, most: int = 50) -> list[tuple[Session, bytes]]:
    """Sessions that are to be confirmed now, with their sealed tokens. Nobody else gets them before `retry_at`."""
    due = select(sessions).where(sessions.c.refresh_at <= now, sessions.c.ended.is_(None), sessions.c.expires > now)
    claimed = []
    for row in connection.execute(due.order_by(sessions.c.refresh_at).limit(most)).all():
        taken = connection.execute(
            update(sessions)
            .where(sessions.c.id == row.id, sessions.c.refresh_at == row.refresh_at)
            .values(refresh_at=retry_at)
        )
        if taken.rowcount and row.refresh_token is not None:
            claimed.append((Session.of(row), bytes(row.refresh_token)))
    return claimed


def revoke_tokens(
    connection: Connection, issuer: str, subject: str | None, sid: str | None, now: float, until: float
) -> None:
    """From now on no token of the provider's session `sid` counts, or none that `subject` was given until now."""
    connection.execute(
        insert(revocations).values(
            revision=change(connection),
            issuer=issuer,
            subject=subject,
            provider_session=sid,
            at=now,
            until=until,
        )
    )


def use_once(connection: Connection, digest: bytes, until: float) -> bool:
    """Whether a token comes for the first time; from now on it has been used."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    added = dialect.insert(used_tokens).values(digest=digest, until=until).on_conflict_do_nothing()
    # Not by rowcount, which the driver of PostgreSQL does not tell for an INSERT.
    return connection.execute(added.returning(used_tokens.c.digest)).first() is not None


def touch(connection: Connection, used: Mapping[str, float]) -> None:
    """When sessions were last used. It changes nothing that gateways have to hear of, so it has no revision."""
    for identity, at in used.items():
        connection.execute(update(sessions).where(sessions.c.id == identity, sessions.c.used < at).values(used=at))


def last_used(connection: Connection, identity: str) -> float | None:
    """When a session was last used, as far as any gateway has written it down."""
    return connection.execute(select(sessions.c.used).where(sessions.c.id == identity)).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class Handle:
    """A handle as it is kept."""

    digest: bytes
    session: str
    superseded: float | None
    created: float


@dataclass(frozen=True, slots=True)
class Revocation:
    """What a provider's tokens must not be, to count: of session `sid`, or issued to `subject` until `at`."""

    issuer: str
    subject: str | None
    sid: str | None
    at: float
    until: float


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed after a revision, up to `revision`."""

    revision: int
    sessions: list[Session]
    handles: list[Handle]
    revocations: list[Revocation]


def changes(connection: Connection, after: int, now: float) -> Changes:
    """What changed after a revision; everything that can still matter when `after` is below 0."""
    revision = connection.execute(select(session_revision.c.value)).scalar_one()
    if revision == after:
        return Changes(revision, [], [], [])
    recent = and_(sessions.c.revision > after, sessions.c.expires > now - KEPT_SECONDS)
    found = [Session.of(row) for row in connection.execute(select(sessions).where(recent))]
    joined = select(handles).join(sessions, sessions.c.id == handles.c.session)
    rows = connection.execute(joined.where(handles.c.revision > after, sessions.c.expires > now - KEPT_SECONDS))
    taken_back = connection.execute(
        select(revocations).where(revocations.c.revision > after, revocations.c.until > now)
    )
    return Changes(
        revision,
        found,
        [Handle(bytes(row.digest), row.session, row.superseded, row.created) for row in rows],
        [Revocation(row.issuer, row.subject, row.provider_session, row.at, row.until) for row in taken_back],
    )


def sweep(connection: Connection, now: float, idle_before: float) -> None:
    """End what went unused or is over, and remove what nobody needs any more."""
    over = or_(sessions.c.expires <= now, sessions.c.used < idle_before)
    for row in connection.execute(select(sessions).where(sessions.c.ended.is_(None), over)).all():
        session = Session.of(row)
        end(connection, [session], now, by="", why="expired" if session.expires <= now else "idle")
    old = select(sessions.c.id).where(sessions.c.expires < now - KEPT_SECONDS)
    for ids in batched(connection.execute(old).scalars().all(), 500):
        connection.execute(delete(handles).where(handles.c.session.in_(ids)))
        connection.execute(delete(service_tokens).where(service_tokens.c.session.in_(ids)))
        connection.execute(delete(sessions).where(sessions.c.id.in_(ids)))
    connection.execute(delete(revocations).where(revocations.c.until <= now))
    connection.execute(delete(used_tokens).where(used_tokens.c.until <= now))


def change(connection: Connection) -> int:
    """The number of a change. Its row stays locked until the commit, which puts all changes in one order."""
    connection.execute(update(session_revision).values(value=session_revision.c.value + 1))
    return int(connection.execute(select(session_revision.c.value)).scalar_one())


def _about(session: Session) -> dict[str, Any]:
    return {"session": session.id, "subject": session.subject, "issuer": session.issuer, "name": session.name}
