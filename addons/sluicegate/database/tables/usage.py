"""What budgets count."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    String,
    Table,
    Text,
)

from sluicegate.database.tables.base import metadata

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
