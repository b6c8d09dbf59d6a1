"""The decision: any matching deny, else any hold, else any allow, else no. Pure, in any order of rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sluicegate.exchange import Obligation, Operation, Principal, Verdict
from sluicegate.policy import because
from sluicegate.policy.context import NOTHING, Context
from sluicegate.policy.index import Policy, Settled
from sluicegate.policy.masks import together
from sluicegate.policy.terms import terms_of
from sluicegate.settings import model

MAX_PARTS = 500
"""Parts of one request that are judged; one with more is denied."""

_Judged = list[tuple[Settled, Operation]]


def decide(policy: Policy, principal: Principal, operation: Operation, context: Context = NOTHING) -> Verdict:
    """The verdict for one operation and its parts: what is done is what all of them may do. Raises nothing.

    A hold needs a rule that covers the operation too (itself, read strictly, or an allow): an approval lets pass what
    is asked, so a hold that matched only in doubt must not become the way to what nothing allows.
    """
    settled = policy.settled(policy.standing(principal, operation), operation)
    if context.job is None and not operation.parts and not policy.has_jobs:
        if not settled.fixed:
            return _decide(policy.digest, [(settled, operation)], context)
        # Nothing is left to look at: what was said to this person here before is said again.
        verdict = settled.verdict
        if verdict is None:
            verdict = settled.verdict = _decide(policy.digest, [(settled, operation)], context)
        return verdict
    if len(operation.parts) > MAX_PARTS:
        return Verdict("deny", reasons=(because.too_many(MAX_PARTS),), policy=policy.digest)
    jobs = policy.jobs.stand(principal, (operation, *operation.parts), context)
    context = replace(context, within=jobs.within)
    judged = [(settled, operation)]
    judged += [(policy.settled(policy.standing(principal, part), part), part) for part in operation.parts]
    return _decide(policy.digest, judged, context, jobs.outside, jobs.job)


def _decide(digest: str, judged: _Judged, context: Context, outside: str = "", job: str = "") -> Verdict:
    reported = _ids(c.rule for s, o in judged for c in s.reported if c.holds(o, context))
    denies = _once(c.rule for s, o in judged for c in s.deny if c.holds(o, context))
    if denies:
        reasons = tuple([rule.reason or f"The rule {rule.id} denies it." for rule in denies])
        return Verdict("deny", _ids(denies), reasons, next_step=_steps(denies), policy=digest, reported=reported)
    if outside:
        step = because.OUTSIDE_A_JOB
        return Verdict("deny", (job,) if job else (), (outside,), next_step=step, policy=digest, reported=reported)
    covering: list[model.Rule] = []
    for settled, operation in judged:
        covers = [c.rule for c in settled.covering if c.holds(operation, context)]
        if not covers:
            reason = because.nothing(operation, whole=len(judged) == 1)
            return Verdict("deny", reasons=(reason,), policy=digest, reported=reported)
        covering += covers
    owed = [settled.owed(operation, context) for settled, operation in judged]
    leaks = [(mask, how, o) for one, (_, o) in zip(owed, judged, strict=True) for mask, how in one.leaks]
    if leaks:
        ids, reasons, step = because.leaking(leaks)
        return Verdict("deny", ids, reasons, next_step=step, policy=digest, reported=reported)
    if len(judged) == 1:
        obligations, lifted, _ = owed[0]
    else:
        obligations = together(one.obligations for one in owed)
        lifted = tuple(sorted({mask for one in owed for mask in one.lifted}))
    holds = _once(c.rule for s, o in judged for c in s.hold if c.holds(o, context))
    if holds:
        seal = any(rule.seal for rule in (*holds, *covering))
        return _held(digest, holds, obligations, lifted, reported, seal=seal)
    allows = _once(rule for rule in covering if rule.effect == "allow")
    return Verdict(
        "allow" if allows else "deny",
        _ids(allows),
        tuple([rule.reason for rule in allows if rule.reason]),
        obligations,
        lifted,
        policy=digest,
        reported=reported,
        seal=True in [rule.seal for rule in covering],
    )


def _held(
    digest: str,
    rules: Sequence[model.Rule],
    obligations: tuple[Obligation, ...],
    lifted: tuple[str, ...],
    reported: tuple[str, ...],
    *,
    seal: bool,
) -> Verdict:
    # Whoever decides must be entitled to by every rule that holds: another hold never widens the circle.
    entitled = frozenset.intersection(*(frozenset(rule.approvers) for rule in rules))
    ids = _ids(rules)
    if not entitled:
        reason = f"{' and '.join(ids)} hold it, and have no approver in common."
        return Verdict("deny", ids, (reason,), next_step=_steps(rules), policy=digest, reported=reported)
    waits = [rule.hold_seconds for rule in rules if rule.hold_seconds is not None]
    return Verdict(
        "hold",
        ids,
        tuple([rule.reason or f"The rule {rule.id} asks for an approval." for rule in rules]),
        obligations,
        lifted,
        tuple(sorted(entitled)),
        min(waits, default=None),
        _steps(rules),
        digest,
        reported,
        terms_of(rules),
        seal,
    )


def _once(rules: Iterable[model.Rule]) -> list[model.Rule]:
    """Each rule once, in the order of their ids."""
    found = {rule.id: rule for rule in rules}
    return [found[name] for name in sorted(found)] if len(found) > 1 else list(found.values())


def _ids(rules: Iterable[model.Rule]) -> tuple[str, ...]:
    return tuple(sorted({rule.id for rule in rules}))


def _steps(rules: Sequence[model.Rule]) -> str:
    said = [rule.next_step or (because.SIGN_IN if rule.sign_in_age_above is not None else "") for rule in rules]
    return " ".join(dict.fromkeys(step for step in said if step))
