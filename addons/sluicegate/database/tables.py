"""The tables. Times are seconds since the epoch, UTC; lists and tables of names are JSON.

What stands here and what the migrations make must be the same; a test compares them.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("code", String(9), nullable=False, unique=True),
    Column("fingerprint", String(64), nullable=False, index=True),
    Column("requester_subject", Text, nullable=False),
    Column("requester_issuer", Text, nullable=False),
    Column("requester_name", Text, nullable=False),
    Column("rules", JSON, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("approvers", JSON, nullable=False),
    Column("service", Text, nullable=False),
    Column("dataset", Text),
    Column("kind", String(16), nullable=False),
    Column("method", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("columns", JSON, nullable=False),
    Column("column_scope", String(16), nullable=False),
    Column("chunks", JSON, nullable=False),
    Column("destination", Text),
    Column("statement", Text),
    Column("exchanges", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created", Double, nullable=False),
    Column("pending_until", Double, nullable=False),
    Column("decided_at", Double),
    Column("decided_by", Text),
    Column("decision_reason", Text),
    Column("grant_until", Double),
    Column("uses_left", Integer, nullable=False),
    Index("ix_approvals_state_created", "state", "created"),
    # However many connections ask at once, a pending fingerprint is one row.
    Index(
        "uq_approvals_pending_fingerprint",
        "fingerprint",
        unique=True,
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
)
"""Held requests and their grants. `approvers` are those of the rules at the time of asking."""

decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("approval_id", String(36), ForeignKey("approvals.id"), nullable=False),
    Column("subject", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("approve", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Double, nullable=False),
    # Whichever of their groups they act for, a person counts once.
    UniqueConstraint("approval_id", "subject"),
)
"""What each person said about an approval."""

exchanges = Table(
    "exchanges",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("started", Double, nullable=False, index=True),
    Column("finished", Double),
    Column("subject", Text, index=True),
    Column("name", Text),
    Column("session", Text, index=True),
    Column("groups", JSON, nullable=False),
    Column("client", Text, nullable=False),
    Column("service", Text),
    Column("dataset", Text),
    Column("kind", String(16)),
    Column("method", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("status", Integer),
    Column("effect", String(8)),
    Column("rules", JSON, nullable=False),
    Column("reasons", JSON, nullable=False),
    # No foreign key: the index can be rebuilt from the recordings alone.
    Column("approval_id", String(36)),
    Column("exposure", JSON),
    Column("refusal", String(64)),
    Column("flow_file", Text),
    Column("flow_offset", BigInteger),
)
"""The index of recordings: one row an exchange. It is not evidence; the flow files are."""

usage = Table(
    "usage",
    metadata,
    Column("run", String(32), primary_key=True),
    Column("person", Text, primary_key=True),
    Column("dataset", Text, primary_key=True),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("chunks", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("names", JSON, nullable=False),
    Column("unnamed", BigInteger, nullable=False),
    Index("ix_usage_slot", "slot"),
)
"""What people took, by quarters of an hour, for budgets. Each run of a gateway has rows of its own; kept for a day."""
