"""Asking: one pending row for a request, however often and through however many gateways it comes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from sluicegate.approvals import moving, terms
from sluicegate.approvals.approval import Approval
from sluicegate.approvals.code import new_code
from sluicegate.approvals.hold import Hold
from sluicegate.database.tables import approvals
from sluicegate.errors import Refusal
from sluicegate.settings.model import Approvals
from sluicegate.statement_secrets import shown

_EXCHANGES_KEPT = 50
"""Ids of exchanges kept with an approval; a client that retries for ever must not grow the row."""


def check_approvers(hold: Hold) -> None:
    """Raises Refusal 403 `no-approver` when nobody could ever decide it."""
    if not hold.approvers:
        raise Refusal(
            403,
            "no-approver",
            "Nobody can approve this",
            "A rule holds this request for approval and names nobody who may approve it.",
            next_step="Tell whoever writes the policy.",
            rules=hold.rules,
        )


def ask(connection: Connection, hold: Hold, now: float, settings: Approvals) -> Approval:
    """The pending or just approved approval of the hold, made if there is none. Raises Refusal 429."""
    expire(connection, now)
    row = connection.execute(
        select(approvals)
        .where(approvals.c.fingerprint == hold.fingerprint, approvals.c.state.in_(("pending", "approved")))
        .order_by(approvals.c.state, approvals.c.created)
        .limit(1)
    ).one_or_none()
    if row is not None:
        changes: dict[str, object] = {"exchanges": one_more(row.exchanges, hold.exchange)}
        if hold.purpose and row.state == "pending":
            changes["purpose"] = hold.purpose
        connection.execute(update(approvals).where(approvals.c.id == row.id).values(changes))
        return Approval.of(row, now)
    _check_caps(connection, hold, settings)
    values = {**_values(hold), "created": now, "pending_until": now + settings.pending_seconds}
    row = connection.execute(insert(approvals).values(values).returning(approvals)).one()
    moving.tell(connection, "approval.asked", now, row, exchange=hold.exchange, approvers=row.approvers)
    return Approval.of(row, now)


def expire(connection: Connection, now: float) -> int:
    """Write down, and tell, what has come to its end. Reads do not depend on this; the caps and the record do."""
    ended = 0
    for state, until in (("pending", approvals.c.pending_until), ("approved", approvals.c.grant_until)):
        over = and_(approvals.c.state == state, until <= now)
        for row in connection.execute(update(approvals).where(over).values(state="expired").returning(approvals)).all():
            moving.tell(connection, "approval.expired", now, row)
            ended += 1
    return ended


def ended(connection: Connection, now: float) -> bool:
    """Whether there is anything to expire."""
    over = or_(
        and_(approvals.c.state == "pending", approvals.c.pending_until <= now),
        and_(approvals.c.state == "approved", approvals.c.grant_until <= now),
    )
    return connection.execute(select(approvals.c.id).where(over).limit(1)).first() is not None


def one_more(exchanges: Iterable[str], exchange: str) -> list[str]:
    """The ids with one more, the newest kept, none twice."""
    return [*(known for known in exchanges if known != exchange), exchange][-_EXCHANGES_KEPT:]


def _values(hold: Hold) -> dict[str, object]:
    operation, requester = hold.operation, hold.requester
    return {
        "id": str(uuid.uuid4()),
        "code": new_code(),
        "fingerprint": hold.fingerprint,
        "requester_subject": requester.subject,
        "requester_issuer": requester.issuer,
        "requester_name": requester.label,
        "requester_groups": sorted(requester.groups),
        "requester_relations": sorted(map(list, requester.relations)),
        "purpose": hold.purpose,
        "rules": list(hold.rules),
        "reasons": list(hold.reasons),
        "approvers": list(hold.approvers),
        "terms": terms.document(hold.terms),
        "service": operation.service,
        "dataset": operation.dataset,
        "kind": operation.kind,
        "method": hold.method,
        "target": hold.target,
        "columns": list(operation.columns),
        "column_scope": operation.column_scope,
        "chunks": list(operation.chunks),
        "rows": operation.rows if operation.rows is None or operation.rows < 1 << 62 else None,
        "destination": operation.destination,
        "statement": None if operation.statement is None else shown(operation.statement),
        "job": hold.job,
        "risk": hold.risk,
        "digests": dict(hold.digests),
        "exchanges": [hold.exchange],
        "state": "pending",
        "uses_left": 0,
    }


def _check_caps(connection: Connection, hold: Hold, settings: Approvals) -> None:
    pending = select(func.count()).select_from(approvals).where(approvals.c.state == "pending")
    own = pending.where(
        approvals.c.requester_subject == hold.requester.subject,
        approvals.c.requester_issuer == hold.requester.issuer,
    )
    if connection.scalars(own).one() >= settings.max_pending_per_person:
        whose = f"You have {settings.max_pending_per_person} requests"
    elif connection.scalars(pending).one() >= settings.max_pending:
        whose = f"There are {settings.max_pending} requests"
    else:
        return
    raise Refusal(
        429,
        "too-many-pending",
        "Too many requests wait for approval",
        f"{whose} that wait for an approver, and no more are taken.",
        next_step="Wait until some are decided or expire, then send the request again.",
        rules=hold.rules,
    )
