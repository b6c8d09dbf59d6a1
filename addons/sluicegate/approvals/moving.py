"""Moving an approval to its next state: one statement that only one of many can win, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, update

from sluicegate.approvals.approval import Approval, rfc3339
from sluicegate.approvals.notify import outbox
from sluicegate.approvals.state import Event, State, advance
from sluicegate.database import events
from sluicegate.database.notify import notify
from sluicegate.database.tables import approvals
from sluicegate.exchange import Principal


def move(
    connection: Connection,
    approval: Approval,
    event: Event,
    now: float,
    *,
    by: Principal | None = None,
    reason: str = "",
    changes: Mapping[str, Any] | None = None,
) -> Row[Any] | None:
    """The row after the event; None when the approval was no longer in the state in which it was read.

    Told to the record in the same transaction. Raises IllegalTransition.
    """
    after = advance(approval.state, event)
    condition = and_(approvals.c.id == approval.id, approvals.c.state == approval.state, alive(approval.state, now))
    statement = update(approvals).where(condition).values(state=after, **(changes or {})).returning(approvals)
    row = connection.execute(statement).one_or_none()
    if row is not None:
        tell(connection, told(after, event), now, row, by=by, reason=reason)
    return row


def alive(state: State, now: float) -> ColumnElement[bool]:
    """The condition that a row in the state has not come to its end."""
    return (approvals.c.pending_until if state == "pending" else approvals.c.grant_until) > now


def told(state: State, event: Event) -> str:
    """What the record calls it."""
    return "approval.broken_glass" if event == "break_glass" else f"approval.{state}"


def tell(
    connection: Connection,
    kind: str,
    at: float,
    row: Row[Any],
    *,
    by: Principal | None = None,
    reason: str = "",
    **more: Any,
) -> None:
    """Write down for the record what happened to an approval: names, times and digests, no data."""
    body = {
        "approval": row.id,
        "code": row.code,
        "fingerprint": row.fingerprint,
        "rules": row.rules,
        "requester": row.requester_subject,
        "issuer": row.requester_issuer,
        "state": row.state,
        "uses_left": row.uses_left,
        "grant_until": rfc3339(row.grant_until),
        **({"by": {"subject": by.subject, "name": by.label, "session": by.session}} if by else {}),
        **({"reason": reason} if reason else {}),
        **more,
    }
    events.tell(connection, kind, at, body)
    about = kind.removeprefix("approval.")
    if about in outbox.ABOUT:
        outbox.add(connection, about, row.id, row.code, at)
    notify(connection)
