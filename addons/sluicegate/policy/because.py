"""The reasons that no rule gives: nothing allows it, a job has no room for it, a mask would be got round."""

from __future__ import annotations

from collections.abc import Sequence

from sluicegate.exchange import Operation
from sluicegate.policy.lineage import Leak
from sluicegate.policy.masks import Mask

OUTSIDE_A_JOB = "Ask for what the job names alone, or do it outside of the job where your rules allow it."

_SHOWN = 12


def too_many(parts: int) -> str:
    """For a request that does too much at once."""
    return f"The request does more than {parts} things at once."


SIGN_IN = "Sign in again (`sluicegate login --fresh`), and ask again then."
"""For rules about how long ago somebody signed in, that say nothing themselves."""


def nothing(operation: Operation, *, whole: bool) -> str:
    """For what no rule covers. `whole`: the request has no other parts."""
    if operation.kind == "unknown":
        why = operation.opaque or operation.route
        return f"The request was not understood ({why}), and no rule lets such requests pass."
    if operation.owner:
        return "The result that it names was handed to somebody else, and no rule lets this person have it."
    if operation.kind == "message":
        return "No rule of the policy lets this person send messages through a WebSocket."
    if whole:
        return "No rule of the policy lets this person do it."
    target = operation.dataset or operation.service
    what = f"{operation.kind} on {target}"
    if operation.into:
        what += f" (rows of it would go into {', '.join(operation.into[:_SHOWN])})"
    return f"No rule of the policy lets this person do all of it: {what} is covered by none."


def leaking(leaks: Sequence[tuple[Mask, Leak, Operation]]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """For statements that get round masks: the ids of the masks, the reasons, and the next step."""
    ids = tuple(sorted({mask.id for mask, _, _ in leaks}))
    reasons: dict[str, None] = {}
    steps: dict[str, None] = {}
    for how in ("chooses", "elsewhere", "coarse", "words"):
        found = [(mask, operation) for mask, this, operation in leaks if this == how]
        if not found:
            continue
        masks = ", ".join(sorted({mask.id for mask, _ in found}))
        names = sorted({name for mask, _ in found for name in mask.guarded})
        shown = ", ".join(names[:_SHOWN]) or "some values"
        why = next((operation.opaque for _, operation in found if operation.opaque), "")
        reason, step = _SAID[how]
        reasons[reason.format(names=shown, masks=masks, why=f" ({why})" if why else "")] = None
        steps[step.format(names=shown)] = None
    return ids, tuple(reasons), " ".join(steps)


_SAID: dict[str, tuple[str, str]] = {
    "chooses": (
        "The statement chooses, joins or sorts rows by {names}, which {masks} would mask for you in the response.",
        "Leave {names} out of conditions, joins and sorting.",
    ),
    "elsewhere": (
        "The statement takes {names} elsewhere than into the response, where {masks} would mask it for you.",
        "Leave {names} out of the statement.",
    ),
    "coarse": (
        "Which columns the statement returns cannot be told{why}, and {masks} would mask {names} for you.",
        "Name the columns that you need, without `*` and without {names}.",
    ),
    "words": (
        "The statement may read {names}, which {masks} would mask for you in the response.",
        "Leave {names} and nested queries out of the statement.",
    ),
}
