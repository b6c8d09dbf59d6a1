"""Why each rule and mask did or did not apply to one operation, found by asking the engine and nothing else.

Each rule is judged alone, and where it does not match, each of its keys alone with the others set to fit. So the
explanation runs through the very tests that decide, and cannot say anything else than they do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from sluicegate.exchange import Effect, Operation, Principal, Verdict
from sluicegate.policy.cover import TESTED
from sluicegate.policy.decide import decide
from sluicegate.policy.index import Policy
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
    """An operation without its parts, what everything says to it, and what comes of that."""

    operation: Operation
    rules: tuple[RuleTrace, ...]
    masks: tuple[MaskTrace, ...]
    verdict: Verdict

    @property
    def effect(self) -> Effect:
        """The effect that follows from the rules and masks as they are told here; tests compare it with the verdict."""
        if any(rule.effect == "deny" and rule.matched for rule in self.rules):
            return "deny"
        if not any(rule.covers and rule.effect != "deny" for rule in self.rules):
            return "deny"
        if any(mask.outcome == "guards" for mask in self.masks):
            return "deny"
        return self.verdict.effect if any(r.effect == "hold" and r.matched for r in self.rules) else "allow"


def traces(policy: Policy, principal: Principal, operation: Operation) -> tuple[Trace, ...]:
    """One trace for the operation, and one for each of its parts."""
    return tuple(trace(policy, principal, one) for one in (operation, *operation.parts))


def trace(policy: Policy, principal: Principal, operation: Operation) -> Trace:
    """What every rule and mask says to the operation, leaving its parts out."""
    if operation.parts:
        operation = replace(operation, parts=())
    settings = policy.settings
    verdict = decide(policy, principal, operation)
    return Trace(
        operation,
        tuple(_rule(settings, rule, principal, operation) for rule in settings.rules),
        tuple(_mask(settings, mask, principal, operation) for mask in settings.masks),
        verdict,
    )


def _rule(settings: Settings, rule: model.Rule, principal: Principal, operation: Operation) -> RuleTrace:
    covers = rule.effect != "deny" and _says(settings, rule, principal, operation, "allow")
    matched = covers if rule.effect == "allow" else _says(settings, rule, principal, operation, "deny")
    if matched:
        return RuleTrace(rule.id, rule.effect, True, covers)
    reading: Effect = "allow" if rule.effect == "allow" else "deny"
    for key in TESTED:
        if not _says(settings, _only(rule, key, operation), principal, operation, reading):
            why = why_not(rule, key, principal, operation, strict=reading == "allow", settings=settings)
            return RuleTrace(rule.id, rule.effect, False, covers, key, why)
    return RuleTrace(rule.id, rule.effect, False, covers, "", "its keys do not fit this request together")


def _says(settings: Settings, rule: model.Rule, principal: Principal, operation: Operation, reading: Effect) -> bool:
    """Whether a rule matches when it is all that there is, read as an allow (strictly) or as a deny (broadly)."""
    alone = rule.model_copy(update={"effect": reading, "approvers": [], "hold_seconds": None})
    verdict = decide(_policy(settings, [alone], []), principal, operation)
    return verdict.effect == "allow" if reading == "allow" else rule.id in verdict.rules


def _only(rule: model.Rule, key: str, operation: Operation) -> model.Rule:
    """The rule with one of its keys, and the others set so that they fit the operation."""
    fitting: dict[str, Any] = {name: model.Rule.model_fields[name].get_default() for name in TESTED}
    fitting |= {"kind": [operation.kind], "service": [operation.service]}
    fitting["dataset"] = None if operation.dataset is None else [_itself(operation.dataset)]
    return rule.model_copy(update={**fitting, key: getattr(rule, key)})


def _itself(name: str) -> str:
    """A glob that matches one name."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _mask(settings: Settings, mask: model.MaskRule, principal: Principal, operation: Operation) -> MaskTrace:
    fits = _only(model.Rule(id="open", effect="allow"), "id", operation)
    alone = decide(_policy(settings, [fits], [mask]), principal, operation)
    if mask.id in alone.rules:
        return MaskTrace(mask.id, mask.method, "guards", _words(mask), "the statement could be reading what it masks")
    plain = replace(operation, statement=None)
    alone = decide(_policy(settings, [fits], [mask]), principal, plain)
    if mask.id in alone.lifted:
        return MaskTrace(mask.id, mask.method, "lifted", why=f"lifted for {_through(mask.unless, principal)}")
    owed = _columns(alone, mask)
    if not owed:
        through = _through(mask.unless, principal)
        why = f"not for {through}" if through else "nothing in this service and dataset is what it masks"
        return MaskTrace(mask.id, mask.method, "apart", why=why)
    kept = _columns(decide(_policy(settings, [fits], settings.masks), principal, plain), mask)
    if not kept:
        return MaskTrace(mask.id, mask.method, "weaker", owed, "a stricter mask takes its place")
    return MaskTrace(mask.id, mask.method, "owed", kept)


def _columns(verdict: Verdict, mask: model.MaskRule) -> tuple[str, ...]:
    """What a verdict owes to a mask: columns, and a path."""
    owed = [o for o in verdict.obligations if o.mask == mask.id]
    return tuple(sorted({c for o in owed for c in o.columns} | {o.path for o in owed if o.path is not None}))


def _words(mask: model.MaskRule) -> tuple[str, ...]:
    return tuple(sorted(mask.columns or ())) if mask.path is None else (mask.path,)


def _through(texts: list[str], principal: Principal) -> str:
    """Those entries of a list that mean the principal."""
    mine = {f"group:{name}" for name in principal.groups} | {f"person:{principal.subject}"}
    return ", ".join(text for text in texts if text in mine)


def _policy(settings: Settings, rules: list[model.Rule], masks: list[model.MaskRule]) -> Policy:
    return Policy(settings.model_copy(update={"rules": rules, "masks": masks}), "")
