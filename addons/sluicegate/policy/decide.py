"""The decision: any matching deny, else any hold, else any allow, else no. Pure, in any order of rules."""

from __future__ import annotations

from collections.abc import Sequence

from sluicegate.exchange import Obligation, Operation, Principal, Verdict
from sluicegate.policy.context import NOTHING, Context
from sluicegate.policy.index import Policy
from sluicegate.policy.masks import Mask
from sluicegate.settings import model


def decide(policy: Policy, principal: Principal, operation: Operation, context: Context = NOTHING) -> Verdict:
    """The verdict for one operation.

    A hold needs a rule that covers the operation too (itself, read strictly, or an allow): an approval lets pass what
    is asked, so a hold that matched only in doubt must not become the way to what nothing allows.
    """
    standing = policy.standing(principal, operation)
    denies = [c.rule for c in standing.deny if c.matches(operation)]
    if denies:
        return _denied(policy, denies)
    covering = [c.rule for c in standing.covering if c.matches(operation)]
    if not covering:
        return Verdict("deny", reasons=(_nothing(operation),), policy=policy.digest)
    obligations, lifted = standing.obligations(operation), standing.lifted(operation)
    if operation.statement is not None and (guarded := standing.guarded(operation, operation.statement)):
        return _guarded(policy, guarded)
    holds = [c.rule for c in standing.hold if c.matches(operation)]
    if holds:
        return _held(policy, holds, obligations, lifted)
    allows = [rule for rule in covering if rule.effect == "allow"]
    return Verdict(
        "allow" if allows else "deny",
        tuple([rule.id for rule in allows]),
        tuple([rule.reason for rule in allows if rule.reason]),
        obligations,
        lifted,
        policy=policy.digest,
    )


def _denied(policy: Policy, rules: Sequence[model.Rule]) -> Verdict:
    return Verdict(
        "deny",
        tuple(rule.id for rule in rules),
        tuple(rule.reason or f"The rule {rule.id} denies it." for rule in rules),
        next_step=_steps(rules),
        policy=policy.digest,
    )


def _held(
    policy: Policy, rules: Sequence[model.Rule], obligations: tuple[Obligation, ...], lifted: tuple[str, ...]
) -> Verdict:
    # Whoever decides must be entitled to by every rule that holds: another hold never widens the circle.
    entitled = frozenset.intersection(*(frozenset(rule.approvers) for rule in rules))
    ids = tuple(rule.id for rule in rules)
    if not entitled:
        reason = f"{' and '.join(ids)} hold it, and have no approver in common."
        return Verdict("deny", ids, (reason,), next_step=_steps(rules), policy=policy.digest)
    waits = [rule.hold_seconds for rule in rules if rule.hold_seconds is not None]
    return Verdict(
        "hold",
        ids,
        tuple(rule.reason or f"The rule {rule.id} asks for an approval." for rule in rules),
        obligations,
        lifted,
        tuple(sorted(entitled)),
        min(waits, default=None),
        _steps(rules),
        policy.digest,
    )


def _guarded(policy: Policy, masks: Sequence[Mask]) -> Verdict:
    names = sorted({name for mask in masks for name in mask.guarded})
    ids = tuple(mask.id for mask in masks)
    shown = ", ".join(names) or "some values"
    reason = f"The statement may read {shown}, which {', '.join(ids)} would mask for you in the response."
    step = f"Leave {shown} and nested queries out of the statement."
    return Verdict("deny", ids, (reason,), next_step=step, policy=policy.digest)


def _nothing(operation: Operation) -> str:
    if operation.kind == "unknown":
        return f"The request was not understood ({operation.route}), and no rule lets such requests pass."
    return "No rule of the policy lets this person do it."


def _steps(rules: Sequence[model.Rule]) -> str:
    return " ".join(dict.fromkeys(rule.next_step for rule in rules if rule.next_step))
