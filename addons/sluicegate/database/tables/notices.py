"""What people are told outside the console: an outbox."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Double, Integer, String, Table

from sluicegate.database.tables.base import metadata

notices = Table(
    "notices",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("about", String(16), nullable=False),
    Column("approval_id", String(36), nullable=False),
    Column("code", String(9), nullable=False),
    Column("at", Double, nullable=False),
    Column("next_at", Double, index=True),
    Column("places", JSON, nullable=False, server_default="{}"),
    sqlite_autoincrement=True,
)
"""One row for what happened, written in its transaction. `places` says for each place how often it was tried, what came
of it, and when it had it; `next_at` is when to try again, None once nothing is left to do."""
