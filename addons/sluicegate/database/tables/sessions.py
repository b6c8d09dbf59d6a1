"""Who is signed in: sessions, the handles that stand for them, and what was taken back."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Double, ForeignKey, Index, Integer, LargeBinary, String, Table

from sluicegate.database.tables.base import metadata

_big = BigInteger().with_variant(Integer, "sqlite")

session_revision = Table(
    "session_revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)
"""One row. Every change of the tables below raises it first, and so holds its lock until the commit: changes become
visible in the order of their numbers, and who has seen number N has seen all before it."""

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("subject", String(255), nullable=False),
    Column("issuer", String(500), nullable=False),
    Column("name", String(255), nullable=False),
    Column("groups", JSON, nullable=False),
    Column("provider_session", String(255)),
    Column("device", String(255), nullable=False),
    Column("address", String(64), nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("used", Double, nullable=False),
    Column("confirmed", Double, nullable=False),
    Column("refresh_token", LargeBinary),
    Column("refresh_at", Double),
    Column("ended", Double),
    Column("ended_by", String(255)),
    Column("ended_why", String(32)),
    Column("authenticated", Double),
    Column("relations", JSON),
    Column("subject_token", LargeBinary),
)
"""`confirmed`: when the provider last said that the person is who they are, and in which groups. `refresh_token` is
sealed, and so is `subject_token`, which is kept where gateways exchange it. `refresh_at`: when the provider is to be
asked next; None where it cannot be. In force while `ended` is None."""

Index("ix_sessions_revision", sessions.c.revision)
Index("ix_sessions_refresh_at", sessions.c.refresh_at)

handles = Table(
    "handles",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("session", String(32), ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("created", Double, nullable=False),
    Column("superseded", Double),
)
"""SHA-256 of a handle, and whose it is. `superseded`: when another took its place."""

Index("ix_handles_session", handles.c.session)
Index("ix_handles_revision", handles.c.revision)

revocations = Table(
    "revocations",
    metadata,
    Column("id", _big, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("issuer", String(500), nullable=False),
    Column("subject", String(255)),
    Column("provider_session", String(255)),
    Column("at", Double, nullable=False),
    Column("until", Double, nullable=False),
    sqlite_autoincrement=True,
)
"""Tokens of the provider that count no more: of a provider's session, or all that a subject was given until `at`.
After `until` no such token is left."""

used_tokens = Table(
    "used_tokens",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("until", Double, nullable=False),
)
"""Tokens that count once (ID tokens, logout tokens), until they have expired."""

service_tokens = Table(
    "service_tokens",
    metadata,
    Column("session", String(32), ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("target", LargeBinary(32), primary_key=True),
    Column("wanted", JSON, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("sealed", LargeBinary),
    Column("refused", String(64)),
    Column("begun", Double, nullable=False),
    Column("until", Double, nullable=False),
    Column("due", Double, nullable=False),
)
"""What the provider gave for a service on a person's behalf, while their session is in force. `target` is the SHA-256
of `wanted`, `sealed` the token, or None with the provider's own word in `refused`. `due`: when it is asked for next;
who raises that first does it."""

Index("ix_service_tokens_revision", service_tokens.c.revision)
