"""Held requests, and what people decided about them."""

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
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from sluicegate.database.tables.base import metadata

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("code", String(9), nullable=False, unique=True),
    Column("fingerprint", String(64), nullable=False, index=True),
    Column("requester_subject", Text, nullable=False),
    Column("requester_issuer", Text, nullable=False),
    Column("requester_name", Text, nullable=False),
    Column("requester_groups", JSON, nullable=False, server_default="[]"),
    Column("requester_relations", JSON, nullable=False, server_default="[]"),
    Column("purpose", Text, nullable=False, server_default=""),
    Column("rules", JSON, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("approvers", JSON, nullable=False),
    Column("terms", JSON, nullable=False, server_default="{}"),
    Column("service", Text, nullable=False),
    Column("dataset", Text),
    Column("kind", String(16), nullable=False),
    Column("method", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("columns", JSON, nullable=False),
    Column("column_scope", String(16), nullable=False),
    Column("chunks", JSON, nullable=False),
    Column("rows", BigInteger),
    Column("destination", Text),
    Column("statement", Text),
    Column("job", Text),
    Column("risk", Double, nullable=False, server_default="0"),
    Column("digests", JSON, nullable=False, server_default="{}"),
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

broken_glass = Table(
    "broken_glass",
    metadata,
    Column("approval_id", String(36), ForeignKey("approvals.id"), primary_key=True),
    Column("subject", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("review_until", Double, nullable=False),
    Column("reviewed_at", Double),
    Column("reviewed_by", Text),
    Column("accepted", Boolean),
    Column("note", Text),
)
"""Requests that somebody let through without an approval, and the reviews of that."""
