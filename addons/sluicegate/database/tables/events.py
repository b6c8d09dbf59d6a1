"""What has happened outside exchanges, on its way into the record."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Double, Integer, String, Table

from sluicegate.database.tables.base import metadata

events = Table(
    "events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("at", Double, nullable=False),
    Column("body", JSON, nullable=False),
    sqlite_autoincrement=True,
)
"""Written in the transaction of the thing itself, by any process; the recorder takes them out, in order of `id`."""
