"""What detection knows and has found."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, Integer, LargeBinary, String, Table, Text

from sluicegate.database.tables.base import metadata

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

findings = Table(
    "findings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at", Double, nullable=False, index=True),
    Column("person", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("indicator", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("score", Double, nullable=False),
    Column("risk", Double, nullable=False),
    Column("line", Double, nullable=False),
    Column("certain", Boolean, nullable=False),
    Column("severity", String(8), nullable=False),
    Column("exchange", String(36), nullable=False),
    Column("service", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("session", Text, nullable=False),
)
"""Findings. Each is in the record as well; these rows are for looking them up, and for what is sent out."""

findings_out = Table(
    "findings_out",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("sink", String(16), nullable=False, index=True),
    Column("finding", String(32), nullable=False),
    sqlite_autoincrement=True,
)
"""Findings that are still to be sent to a sink. Written with the finding, taken out once the sink has it."""

taints = Table(
    "taints",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("person", Text, nullable=False, index=True),
    Column("dataset", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("at", Double, nullable=False, index=True),
    Column("exchange", String(36), nullable=False),
    Column("cells", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""What people received of protected datasets: keyed fingerprints of cells, one row an exchange. Never values."""

habits = Table(
    "habits",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("changed", Double, nullable=False, index=True),
    Column("state", LargeBinary, nullable=False),
)
"""What is usual for a person, a group, or everybody. A gateway that finds another version than the one it knows takes
that, and adds what it has seen itself."""
