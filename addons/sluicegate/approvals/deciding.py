"""Deciding a held request: who may, on which terms, when, and that each person counts once."""

from __future__ import annotations

from sqlalchemy import Connection, and_, delete, insert, select

from sluicegate.approvals import moving
from sluicegate.approvals.approval import Approval, Vote, rfc3339
from sluicegate.approvals.reading import whole
from sluicegate.approvals.state import Event
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
    """Write down what the person says and return the approval after it: still pending while more have to say yes.

    A yes is good for as many uses as the terms say, for `grant_seconds` from now where they say nothing of it.
    `approval` was read with its votes, and its row locked, in the same transaction. Raises Refusal: 403 `own-request`,
    `not-an-approver`, `conflict`, `sign-in-not-fresh`; 409 `approval-expired`, `already-decided`, `already-said`;
    400 `reason-required`, `reason-too-long`.
    """
    _check_person(approval, person)
    check_pending(approval)
    if approve:
        _check_once(approval, person)
        check_fresh(approval, person, now)
    reason = checked_reason(reason, needed=not approve or approval.terms.reason)
    said = {"subject": person.subject, "name": person.label, "approve": approve, "reason": reason, "at": now}
    # Who said yes may still say no, while others have to say yes as well.
    earlier = and_(decisions.c.approval_id == approval.id, decisions.c.subject == person.subject)
    connection.execute(delete(decisions).where(earlier))
    connection.execute(insert(decisions).values(approval_id=approval.id, **said))
    if approve and approval.yes + 1 < approval.terms.quorum:
        return _seconded(connection, approval, person, reason, now)
    changes = {"decided_at": now, "decided_by": _deciders(approval, person, approve), "decision_reason": reason}
    if approve:
        until = now + (approval.terms.grant_seconds or grant_seconds)
        changes |= {"grant_until": until, "uses_left": approval.terms.uses}
    event: Event = "approve" if approve else "deny"
    row = moving.move(connection, approval, event, now, by=person, reason=reason, changes=changes)
    if row is None:
        raise lost(connection, approval, now)
    return whole(connection, row, now)


def _seconded(connection: Connection, approval: Approval, person: Principal, reason: str, now: float) -> Approval:
    # The row was locked, or the database is this writer's: nobody has moved it since.
    row = connection.execute(select(approvals).where(approvals.c.id == approval.id)).one()
    wanted = {"yes": approval.yes + 1, "quorum": approval.terms.quorum}
    moving.tell(connection, "approval.seconded", now, row, by=person, reason=reason, **wanted)
    return whole(connection, row, now)


def _deciders(approval: Approval, person: Principal, approve: bool) -> str:
    others: list[Vote] = [vote for vote in approval.votes if vote.approve] if approve else []
    return ", ".join([*(vote.name for vote in others), person.label])


def checked_reason(reason: str, *, needed: bool) -> str:
    """The reason as it is kept. Raises Refusal 400."""
    reason = reason.strip()
    if needed and not reason:
        raise Refusal(400, "reason-required", "A reason is required", "This needs a reason: it is kept, and shown.")
    if len(reason) > REASON_LIMIT:
        raise Refusal(
            400, "reason-too-long", "The reason is too long", f"A reason has at most {REASON_LIMIT} characters."
        )
    return reason


def check_fresh(approval: Approval, person: Principal, now: float) -> None:
    """Raises Refusal 403 `sign-in-not-fresh`, with `max_age` for whoever can have the person sign in again."""
    most, since = approval.terms.fresh_seconds, person.authenticated
    if most is None or (since is not None and now - since <= most):
        return
    when = "Your token does not say when you did" if since is None else f"You did at {rfc3339(since)}"
    raise Refusal(
        403,
        "sign-in-not-fresh",
        "Sign in again first",
        f"Who decides this has to have signed in within the last {most:g} seconds. {when}.",
        next_step="Sign in again, and decide then.",
        members={"max_age": int(most)},
    )


def _check_person(approval: Approval, person: Principal) -> None:
    ask = f"Ask one of these: {', '.join(approval.approvers)}."
    if approval.requester_subject == person.subject:
        raise Refusal(
            403,
            "own-request",
            "Nobody decides their own request",
            "You asked for this yourself, so somebody else has to decide it, whatever your role.",
            next_step=ask,
        )
    if not approval.decidable_by(person):
        raise Refusal(
            403,
            "not-an-approver",
            "You may not decide this",
            "The rules that hold this request name other people to decide it.",
            next_step=ask,
        )
    conflict = approval.conflict_with(person)
    if conflict:
        raise Refusal(403, "conflict", "You are too close to who asked", conflict, next_step=ask)


def _check_once(approval: Approval, person: Principal) -> None:
    if any(vote.subject == person.subject for vote in approval.votes):
        raise Refusal(
            409,
            "already-said",
            "You have decided already",
            f"You said yes, and each person counts once: {approval.yes} of {approval.terms.quorum} have.",
            next_step="Somebody else has to say yes as well.",
        )


def check_pending(approval: Approval) -> None:
    """Raises Refusal 409 unless it still waits."""
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


def lost(connection: Connection, approval: Approval, now: float) -> Exception:
    """What to raise when the approval was moved by somebody else in between."""
    found = connection.execute(select(approvals).where(approvals.c.id == approval.id)).one()
    try:
        check_pending(Approval.of(found, now))
    except Refusal as refusal:
        return refusal
    return RuntimeError("an approval was neither pending nor decided")
