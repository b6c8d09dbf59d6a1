"""The index of recordings."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    Integer,
    String,
    Table,
    Text,
)

from sluicegate.database.tables.base import metadata

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
    Column("assurance", String(16)),
    Column("job", Text),
    Column("risk", Double),
    Column("findings", JSON),
    Column("parts", JSON),
    Column("reported", JSON),
    Column("flow_file", Text),
    Column("flow_offset", BigInteger),
)
"""The index of recordings: one row an exchange. It is not evidence; the flow files are."""
