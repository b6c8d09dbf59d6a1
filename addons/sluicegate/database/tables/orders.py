"""What is to be held, released or shredded of the recordings."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Double, ForeignKey, String, Table, Text

from sluicegate.database.tables.base import metadata

orders = Table(
    "recording_orders",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("what", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("asked_by", JSON, nullable=False),
    Column("asked_at", Double, nullable=False),
    Column("agreed_by", JSON),
    Column("agreed_at", Double),
)
"""Who asked for what, and who agreed to it."""

orders_done = Table(
    "recording_orders_done",
    metadata,
    Column("order_id", String(36), ForeignKey("recording_orders.id"), primary_key=True),
    Column("log", String(200), primary_key=True),
    Column("at", Double, nullable=False),
    Column("result", JSON, nullable=False),
)
"""What came of an order, for each gateway, which has recordings of its own. `log` is the name of its ledger."""
