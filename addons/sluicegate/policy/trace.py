"""Why each rule and mask did or did not apply to one operation, found by asking the engine and nothing else.

Each rule is judged alone, and where it does not match, each of its keys alone with the others set to fit. So the
explanation runs through the very tests that decide, and cannot say anything else than they do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from sluicegate.exchange import Effect, Obligation, Operation, Principal
from sluicegate.policy.context import NOTHING, Context
from sluicegate.policy.cover import TESTED
from sluicegate.policy.index import Owed, Policy, Settled
from sluicegate.policy.people import People
from sluicegate.policy.whynot import why_not
from sluicegate.settings import Settings, model


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """What one rule says to an operation."""

    id: str
    effect: Effect
    matched: bool
    """Whether it applies: strictly for an allow, in doubt too for a deny or a hold."""
    covers: bool
    """Whether it covers all that is asked, so that it could let it pass."""
    key: str = ""
    """The first key that does not fit; empty when it matched, or when no key alone is in the way."""
    why: str = ""
    """The same in words."""
    enforced: bool = True
    """Whether it is applied, and not only reported."""
    approvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MaskTrace:
    """What one mask does to the response."""

    id: str
    method: str
    outcome: Literal["owed", "weaker", "lifted", "apart", "guards"]
    """Owed; owed by a stricter mask in its place; lifted for this person; not about this; forbids the statement."""
    columns: tuple[str, ...] = ()
    """What it masks: columns, or a path."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """An operation without its parts, and what every rule and mask says to it."""

    operation: Operation
    rules: tuple[RuleTrace, ...]
    masks: tuple[MaskTrace, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A whole request: a trace for the operation and for each of its parts, and what comes of them."""

    traces: tuple[Trace, ...]
    outside: str = ""
    """Why the request is outside of the job that it is in; empty where it is not."""
    within: tuple[str, ...] = ()
    """The jobs that it is within."""

    @property
    def effect(self) -> Effect:
        """What follows from the rules and masks as they are told here; tests compare it with what `decide` says."""
        rules = [rule for trace in self.traces for rule in trace.rules if rule.enforced]
        if any(rule.effect == "deny" and rule.matched for rule in rules) or self.outside:
            return "deny"
        if not all(any(r.covers and r.enforced for r in trace.rules) for trace in self.traces):
            return "deny"
        if any(mask.outcome == "guards" for trace in self.traces for mask in trace.masks):
            return "deny"
        holds = [rule for rule in rules if rule.effect == "hold" and rule.matched]
        if holds:
            return "hold" if frozenset.intersection(*(frozenset(rule.approvers) for rule in holds)) else "deny"
        return "allow"


def explain(policy: Policy, principal: Principal, operation: Operation, context: Context = NOTHING) -> Explanation:
    """What every rule and mask says to an operation and its parts."""
    parts = (operation, *operation.parts)
    jobs = policy.jobs.stand(principal, parts, context)
    asking = _Asking(policy.settings, principal, replace(context, within=jobs.within))
    traces = tuple(asking.trace(replace(one, parts=()) if one.parts else one) for one in parts)
    return Explanation(traces, jobs.outside, tuple(sorted(jobs.within)))


@dataclass(frozen=True, slots=True)
class _Asking:
    """Who asks, in which circumstances, of which policy."""

    settings: Settings
    principal: Principal
    context: Context

    def trace(self, operation: Operation) -> Trace:
        rules = tuple(self._rule(rule, operation) for rule in self.settings.rules)
        return Trace(operation, rules, tuple(self._mask(mask, operation) for mask in self.settings.masks))

    def _rule(self, rule: model.Rule, operation: Operation) -> RuleTrace:
        strict = rule.effect == "allow"
        covers = rule.effect != "deny" and self._says(rule, operation, strict=True)
        matched = covers if strict else self._says(rule, operation, strict=False)
        key = why = ""
        if not matched:
            key = self._blamed(rule, operation, strict=strict)
            why = why_not(rule, key, self.principal, operation, self.context, strict=strict, settings=self.settings)
        return RuleTrace(rule.id, rule.effect, matched, covers, key, why, rule.mode == "enforce", tuple(rule.approvers))

    def _blamed(self, rule: model.Rule, operation: Operation, *, strict: bool) -> str:
        """The first key that does not fit when all others are made to."""
        if not self._says(_only(rule, "reason", operation), operation, strict=strict):
            # Of what is made to fit, only a dataset cannot always be: one that the policy declares elsewhere.
            return "dataset"
        misses = (key for key in TESTED if not self._says(_only(rule, key, operation), operation, strict=strict))
        return next(misses, "")

    def _says(self, rule: model.Rule, operation: Operation, *, strict: bool) -> bool:
        """Whether a rule matches when it is all that there is."""
        alone = rule.model_copy(update={"effect": "allow" if strict else "deny", "mode": "enforce"})
        settled = self._settled([alone], [], operation)
        return any(c.holds(operation, self.context) for c in (settled.covering if strict else settled.deny))

    def _mask(self, mask: model.MaskRule, operation: Operation) -> MaskTrace:
        alone = self._owed([mask], operation)
        if alone.leaks:
            return MaskTrace(mask.id, mask.method, "guards", _words(mask), "the statement could get round it")
        through = _through(mask.unless, self.principal)
        if alone.lifted:
            return MaskTrace(mask.id, mask.method, "lifted", why=f"lifted for {through}")
        owed = _columns(alone.obligations, mask)
        if not owed:
            why = f"not for {through}" if through else "nothing in this service and dataset is what it masks"
            if not through and self._anyway(mask, operation):
                key = _unmet(mask, self.context)
                why = why_not(mask, key, self.principal, operation, self.context, strict=False, settings=self.settings)
            return MaskTrace(mask.id, mask.method, "apart", why=why)
        kept = _columns(self._owed(self.settings.masks, operation).obligations, mask)
        if not kept:
            return MaskTrace(mask.id, mask.method, "weaker", owed, "a stricter mask takes its place")
        return MaskTrace(mask.id, mask.method, "owed", kept)

    def _owed(self, masks: list[model.MaskRule], operation: Operation) -> Owed:
        return self._settled([], masks, operation).owed(operation, self.context)

    def _anyway(self, mask: model.MaskRule, operation: Operation) -> bool:
        """Whether the mask would be owed in other circumstances."""
        freely = mask.model_copy(update={"risk_above": None, "finding": None})
        return bool(_columns(self._owed([freely], operation).obligations, mask))

    def _settled(self, rules: list[model.Rule], masks: list[model.MaskRule], operation: Operation) -> Settled:
        alone = Policy(self.settings.model_copy(update={"rules": rules, "masks": masks}), "")
        return alone.settled(alone.standing(self.principal, operation), operation)


def _only(rule: model.Rule, key: str, operation: Operation) -> model.Rule:
    """The rule with one of its keys, and the others set so that they fit the operation."""
    fitting: dict[str, Any] = {name: model.Rule.model_fields[name].get_default() for name in TESTED}
    fitting |= {"kind": [operation.kind], "service": [operation.service], "results_of_others": True}
    fitting["dataset"] = None if operation.dataset is None else [_itself(operation.dataset)]
    return rule.model_copy(update={**fitting, key: getattr(rule, key)})


def _unmet(mask: model.MaskRule, context: Context) -> str:
    """Which of the mask's circumstances there are not."""
    return "risk_above" if mask.risk_above is not None and context.risk <= mask.risk_above else "finding"


def _itself(name: str) -> str:
    """A glob that matches one name."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _columns(obligations: tuple[Obligation, ...], mask: model.MaskRule) -> tuple[str, ...]:
    """What is owed to a mask: columns, and a path."""
    owed = [o for o in obligations if o.mask == mask.id]
    found = {c for o in owed for c in o.columns} | {o.path for o in owed if o.path is not None}
    return tuple(sorted(found | {name for o in owed for name in o.detect}))


def _words(mask: model.MaskRule) -> tuple[str, ...]:
    return tuple(sorted((*mask.words, *(mask.detect or ())))) if mask.path is None else (mask.path,)


def _through(texts: list[str], principal: Principal) -> str:
    """Those entries of a list that mean the principal."""
    return ", ".join(text for text in texts if People.parse([text]).include(principal))
