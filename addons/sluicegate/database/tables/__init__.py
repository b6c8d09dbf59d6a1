"""The tables. Times are seconds since the epoch, UTC; lists and tables of names are JSON.

What stands here and what the migrations make must be the same; a test compares them.
"""

from __future__ import annotations

from sluicegate.database.tables.approvals import approvals, broken_glass, decisions
from sluicegate.database.tables.base import metadata
from sluicegate.database.tables.detection import findings, findings_out, habits, taints
from sluicegate.database.tables.events import events
from sluicegate.database.tables.notices import notices
from sluicegate.database.tables.orders import orders, orders_done
from sluicegate.database.tables.recordings import exchanges
from sluicegate.database.tables.sessions import (
    handles,
    revocations,
    service_tokens,
    session_revision,
    sessions,
    used_tokens,
)
from sluicegate.database.tables.usage import usage

__all__ = [
    "approvals",
    "broken_glass",
    "decisions",
    "events",
    "exchanges",
    "findings",
    "findings_out",
    "habits",
    "handles",
    "metadata",
    "notices",
    "orders",
    "orders_done",
    "revocations",
    "service_tokens",
    "session_revision",
    "sessions",
    "taints",
    "usage",
    "used_tokens",
]
