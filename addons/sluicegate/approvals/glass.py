"""Breaking the glass: in an emergency, named people let a request through that nobody has approved.

It is no approval, and nobody's own yes. It needs a reason and is told at once to everybody who could have approved,
and somebody else must review it; while such a review is overdue, who broke the glass cannot do so again.
"""

from __future__ import annotations

from sqlalchemy import Connection, and_, func, insert, select, update

from sluicegate.approvals import moving
from sluicegate.approvals.approval import Approval, rfc3339
from sluicegate.approvals.deciding import check_fresh, check_pending, checked_reason, lost
from sluicegate.approvals.reading import whole
from sluicegate.database.tables import approvals, broken_glass
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal
from sluicegate.settings.model import Approvals

REASON_LEAST = 10
"""Characters of a reason for breaking the glass: a word is not one."""


def break_glass(
    connection: Connection, approval: Approval, person: Principal, reason: str, *, now: float, settings: Approvals
) -> Approval:
    """Let the request through once. `approval` was read, and its row locked, in the same transaction.

    Raises Refusal: 403 `may-not-break-glass`, `review-overdue`, `sign-in-not-fresh`; 409; 400.
    """
    if not approval.breakable_by(person):
        raise Refusal(
            403,
            "may-not-break-glass",
            "You may not do this",
            "The rules that hold this request do not name you among those who may let it through in an emergency.",
        )
    check_pending(approval)
    check_fresh(approval, person, now)
    reason = checked_reason(reason, needed=True)
    if len(reason) < REASON_LEAST:
        raise Refusal(
            400, "reason-required", "A reason is required", "Say in a sentence what the emergency is: it is reviewed."
        )
    _check_reviews(connection, person, now)
    until = now + (approval.terms.grant_seconds or settings.grant_seconds)
    changes = {"decided_at": now, "decided_by": f"{person.label} (glass broken)", "decision_reason": reason}
    changes |= {"grant_until": until, "uses_left": 1}
    row = moving.move(connection, approval, "break_glass", now, by=person, reason=reason, changes=changes)
    if row is None:
        raise lost(connection, approval, now)
    said = {"subject": person.subject, "name": person.label, "reason": reason, "at": now}
    review_until = now + settings.review_seconds
    connection.execute(insert(broken_glass).values(approval_id=approval.id, review_until=review_until, **said))
    return whole(connection, row, now)


def review(
    connection: Connection, approval: Approval, person: Principal, accepted: bool, note: str, *, now: float
) -> Approval:
    """Say whether it was right to break the glass. Raises Refusal: 403 `may-not-review`, 409, 400."""
    if approval.glass is None:
        raise Refusal(409, "nothing-to-review", "Nothing to review", "The glass of this request was not broken.")
    if not approval.reviewable_by(person):
        raise Refusal(
            403,
            "may-not-review",
            "You may not review this",
            "An approver reviews it who neither asked for the request nor let it through.",
            next_step=f"Ask one of these: {', '.join(approval.approvers)}.",
        )
    note = checked_reason(note, needed=True)
    open_ = and_(broken_glass.c.approval_id == approval.id, broken_glass.c.reviewed_at.is_(None))
    said = {"reviewed_at": now, "reviewed_by": person.label, "accepted": accepted, "note": note}
    if connection.execute(update(broken_glass).where(open_).values(said)).rowcount != 1:
        raise Refusal(409, "already-reviewed", "Already reviewed", f"{approval.glass.reviewed_by} has reviewed it.")
    row = connection.execute(select(approvals).where(approvals.c.id == approval.id)).one()
    moving.tell(connection, "approval.reviewed", now, row, by=person, reason=note, accepted=accepted)
    return whole(connection, row, now)


def _check_reviews(connection: Connection, person: Principal, now: float) -> None:
    overdue = and_(
        broken_glass.c.subject == person.subject,
        broken_glass.c.reviewed_at.is_(None),
        broken_glass.c.review_until <= now,
    )
    since = connection.scalars(select(func.min(broken_glass.c.at)).where(overdue)).one()
    if since is not None:
        raise Refusal(
            403,
            "review-overdue",
            "An earlier one has not been reviewed",
            f"You broke the glass at {rfc3339(since)}, and nobody has reviewed that in time.",
            next_step="Have it reviewed first.",
        )
