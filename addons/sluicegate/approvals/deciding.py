"""Deciding a held request: who may, when, and that it happens once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, update

from sluicegate.approvals.approval import Approval, rfc3339
from sluicegate.approvals.state import Event, advance
from sluicegate.database.tables import approvals, decisions
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal

REASON_LIMIT = 500
"""Characters of a decision's reason."""


def decide(
    connection: Connection,
    approval: Approval,
    person: Principal,
    approve: bool,
    reason: str,
    *,
    now: float,
    grant_seconds: float,
) -> Approval:
    """Write the decision down and return the approval after it. A yes is good once, until `grant_seconds` from now.

    `approval` was read, and its row locked, in the same transaction. Raises Refusal: 403 `own-request`,
    `not-an-approver`; 409 `approval-expired`, `already-decided`; 400 `reason-required`, `reason-too-long`.
    """
    _check_person(approval, person)
    _check_state(approval)
    reason = reason.strip()
    if not approve and not reason:
        raise Refusal(400, "reason-required", "A reason is required", "Who asked is told why: a denial needs a reason.")
    if len(reason) > REASON_LIMIT:
        raise Refusal(
            400, "reason-too-long", "The reason is too long", f"A reason has at most {REASON_LIMIT} characters."
        )
    event: Event = "approve" if approve else "deny"
    changes: dict[str, Any] = {
        "state": advance(approval.state, event),
        "decided_at": now,
        "decided_by": person.label,
        "decision_reason": reason,
    }
    if approve:
        changes |= {"grant_until": now + grant_seconds, "uses_left": 1}
    # Read again in the condition, so that of two deciders at once only one can find it pending.
    still = (approvals.c.id == approval.id, approvals.c.state == "pending", approvals.c.pending_until > now)
    row = connection.execute(update(approvals).where(*still).values(changes).returning(approvals)).one_or_none()
    if row is None:
        found = connection.execute(select(approvals).where(approvals.c.id == approval.id)).one()
        _check_state(Approval.of(found, now))
        raise RuntimeError("an approval was neither pending nor decided")
    said = {"subject": person.subject, "name": person.label, "approve": approve, "reason": reason, "at": now}
    connection.execute(insert(decisions).values(approval_id=approval.id, **said))
    return Approval.of(row, now)


def _check_person(approval: Approval, person: Principal) -> None:
    if approval.requester_subject == person.subject:
        raise Refusal(
            403,
            "own-request",
            "Nobody decides their own request",
            "You asked for this yourself, so somebody else has to decide it, whatever your role.",
            next_step=f"Ask one of these: {', '.join(approval.approvers)}.",
        )
    if not approval.decidable_by(person):
        raise Refusal(
            403,
            "not-an-approver",
            "You may not decide this",
            "The rules that hold this request name other people to decide it.",
            next_step=f"Ask one of these: {', '.join(approval.approvers)}.",
        )


def _check_state(approval: Approval) -> None:
    if approval.state == "pending":
        return
    if approval.state == "expired" and approval.decided_at is None:
        raise Refusal(
            409,
            "approval-expired",
            "The request has expired",
            f"It waited for a decision until {rfc3339(approval.pending_until)}, and that is over.",
            next_step=f"{approval.requester_name} can send the request again.",
        )
    if approval.decided_at is None:
        raise Refusal(
            409, "already-decided", "The request no longer waits", f"It is {approval.state} and cannot be decided."
        )
    raise Refusal(
        409,
        "already-decided",
        "Already decided",
        f"{approval.decided_by} decided it at {rfc3339(approval.decided_at)}; it is now {approval.state}.",
    )
