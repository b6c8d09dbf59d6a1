"""What the person whose request was held is told."""

from __future__ import annotations

from typing import Any

from sluicegate.approvals.approval import Approval, rfc3339
from sluicegate.errors import Refusal


def pending(approval: Approval) -> Refusal:
    """Nobody has decided in the time that the connection could be held."""
    return Refusal(
        403,
        "approval-pending",
        "Waiting for approval",
        f"This request is held: {_why(approval)} Nobody has decided yet.",
        next_step=_ask_them(approval),
        rules=approval.rules,
        members=_members(approval),
    )


def accepted(approval: Approval) -> Refusal:
    """The client asked not to wait (RFC 7240 section 4.1). 202 is success to most clients, so only for that."""
    refusal = pending(approval)
    refusal.status = 202
    refusal.headers["preference-applied"] = "respond-async"
    return refusal


def asked(approval: Approval) -> Refusal:
    """The answer to a request that was only there to ask: 202, and nothing has gone to the service."""
    if approval.state == "pending":
        return accepted(approval)
    return Refusal(
        202,
        "approval-approved",
        "Approved already",
        f"This request is approved, until {rfc3339(approval.grant_until)}; send it without Sluicegate-Ask.",
        rules=approval.rules,
        members={"approval": approval.id, "code": approval.code},
    )


def nothing_to_ask() -> Refusal:
    """Nobody needs to approve what a rule allows; it is not sent either, since it was only asked about."""
    return Refusal(
        409,
        "nothing-to-approve",
        "No approval is needed",
        "This request is allowed as it is. It was not sent, because it said Sluicegate-Ask.",
        next_step="Send it without Sluicegate-Ask.",
    )


def denied(approval: Approval) -> Refusal:
    return Refusal(
        403,
        "approval-denied",
        "Denied by an approver",
        f"{approval.decided_by} denied this request: {approval.decision_reason}",
        next_step=f"Talk to {approval.decided_by}, or change the request.",
        rules=approval.rules,
        members={"approval": approval.id, "code": approval.code},
    )


def over(approval: Approval) -> Refusal:
    """Expired, withdrawn or revoked while the request waited."""
    return Refusal(
        403,
        f"approval-{approval.state}",
        f"The approval is {approval.state}",
        f"The approval of this request is {approval.state}, and cannot let it through.",
        next_step="Send the request again to ask anew.",
        rules=approval.rules,
        members={"approval": approval.id, "code": approval.code},
    )


def used(approval: Approval) -> Refusal:
    """Somebody else's identical request was faster, or the grant ended in this very moment."""
    return Refusal(
        403,
        "approval-used",
        "The grant is used up",
        "This request was approved, and the grant has already let the same request through or has ended.",
        next_step="If it is needed once more, send the request again to ask anew.",
        rules=approval.rules,
        members={"approval": approval.id, "code": approval.code},
    )


def changed() -> Refusal:
    """Who asked has other groups by now than the request was judged with, or is somebody else."""
    return Refusal(
        403,
        "approval-person-changed",
        "Your groups have changed",
        "While this request waited, your groups changed. It was judged by those from before, so it was not sent.",
        next_step="Send the request again: it is judged anew, and an approval of it still counts.",
    )


def client_gone(approval: Approval | None) -> Refusal:
    """Nobody reads this but the record."""
    return Refusal(
        403,
        "client-gone",
        "The client has gone",
        "The client gave up while its request was held; once it is approved, the same request will go through.",
        rules=approval.rules if approval else (),
        members={"approval": approval.id, "code": approval.code} if approval else None,
    )


def unavailable() -> Refusal:
    return Refusal(
        503,
        "approvals-unavailable",
        "Approvals cannot be reached",
        "This request needs an approval, and the gateway cannot reach its approvals at the moment.",
        next_step="Try again in a minute; if it stays like this, tell whoever runs the gateway.",
    )


def _why(approval: Approval) -> str:
    return " ".join(reason for reason in approval.reasons if reason) or "a rule wants somebody to approve it."


def _ask_them(approval: Approval) -> str:
    who = " or ".join(f"somebody in {name}" if kind == "group" else name for kind, name in _named(approval))
    return f"Ask {who} to run `{_command(approval)}`, then send the same request again."


def _named(approval: Approval) -> list[tuple[str, str]]:
    return [(kind, name) for kind, _, name in (who.partition(":") for who in approval.approvers)]


def _command(approval: Approval) -> str:
    return f"sluicegate approvals approve {approval.code}"


def _members(approval: Approval) -> dict[str, Any]:
    return {
        "approval": approval.id,
        "code": approval.code,
        "command": _command(approval),
        "approvers": list(approval.approvers),
        "expires_at": rfc3339(approval.pending_until),
    }
