"""Ending what was asked or granted: who asked withdraws it, and who could decide, or asked, takes a grant back."""

from __future__ import annotations

from sqlalchemy import Connection

from sluicegate.approvals import moving
from sluicegate.approvals.approval import Approval
from sluicegate.approvals.deciding import check_pending, checked_reason, lost
from sluicegate.approvals.reading import whole
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal


def withdraw(connection: Connection, approval: Approval, person: Principal, *, now: float) -> Approval:
    """Take a request back that nobody has decided. Raises Refusal: 403 `not-your-request`, 409."""
    if not approval.asked_by(person):
        raise Refusal(
            403, "not-your-request", "This is not your request", "Only who asked for it can withdraw a request."
        )
    check_pending(approval)
    row = moving.move(connection, approval, "withdraw", now, by=person)
    if row is None:
        raise lost(connection, approval, now)
    return whole(connection, row, now)


def revoke(
    connection: Connection, approval: Approval, person: Principal, reason: str, *, now: float, operator: bool
) -> Approval:
    """Take a grant back before it is used up. What already went through stays through.

    `operator` may for everybody. Raises Refusal: 403 `not-yours-to-revoke`, 409 `nothing-to-revoke`, 400.
    """
    if not (operator or approval.asked_by(person) or approval.decidable_by(person)):
        raise Refusal(
            403,
            "not-yours-to-revoke",
            "You may not revoke this",
            "A grant is revoked by who asked for it, by who may decide it, or by an operator.",
        )
    reason = checked_reason(reason, needed=not approval.asked_by(person))
    row = moving.move(connection, approval, "revoke", now, by=person, reason=reason) if _granted(approval) else None
    if row is None:
        raise Refusal(
            409,
            "nothing-to-revoke",
            "There is no grant to revoke",
            f"Only what is approved can be revoked; this is {approval.state}.",
        )
    return whole(connection, row, now)


def _granted(approval: Approval) -> bool:
    return approval.state == "approved"
