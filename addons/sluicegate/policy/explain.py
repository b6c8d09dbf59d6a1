"""A denial in words: who asked for what, which rule says no, why, and what can be done next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sluicegate.errors import Refusal
from sluicegate.exchange import OTHERS, Effect, Operation, Principal, Verdict
from sluicegate.policy.context import NOTHING, Context
from sluicegate.policy.decide import decide
from sluicegate.policy.index import Policy

VERBS = {
    "read": "read",
    "export": "export",
    "write": "write to",
    "script": "run a script on",
    "share": "share",
    "admin": "administer",
    "login": "sign in to",
    "poll": "ask for the state of",
    "cancel": "cancel work on",
    "telemetry": "send telemetry to",
    "upload": "upload to",
    "message": "send a message through a WebSocket to",
    "unknown": "send a request that was not understood to",
}
_SHOWN = 8
_TRIED = 50
"""Groups and columns that are tried when looking for a way out: a bound on the time that a denial takes."""


def asked(operation: Operation) -> str:
    """What is asked, as the end of `somebody asked to`."""
    target = operation.dataset or ("another host" if operation.service == OTHERS else operation.service)
    text = f"{VERBS[operation.kind]} {_columns(operation)}{target}"
    if operation.destination_side is not None:
        text += f" to {operation.destination or 'an unnamed destination'} ({operation.destination_side})"
    further = dict.fromkeys(part.dataset or part.service for part in operation.parts)
    further.pop(target, None)
    if further:
        more = len(further) - _SHOWN
        text += f", and {', '.join(list(further)[:_SHOWN])}" + (f" and {more} more" if more > 0 else "")
    return text


def _columns(operation: Operation) -> str:
    if operation.column_scope == "listed":
        more = len(operation.columns) - _SHOWN
        shown = ", ".join(operation.columns[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return f"{shown} of "
    return "all columns of " if operation.column_scope == "all" and operation.dataset else ""


def denial(
    policy: Policy, principal: Principal, operation: Operation, verdict: Verdict, context: Context = NOTHING
) -> Refusal:
    """The refusal for a verdict whose effect is deny."""
    sentence = f"{principal.label} asked to {asked(operation)}."
    members = {"reasons": list(verdict.reasons)}
    if not verdict.rules:
        return Refusal(
            403,
            "no-rule",
            "No policy rule allows this",
            " ".join((sentence, *verdict.reasons)),
            next_step=" ".join(ways_out(policy, principal, operation, context)) or _ASK,
            members=members,
        )
    rules = _deciding(policy, verdict.rules)
    return Refusal(
        403,
        "policy-denied",
        f"Denied by policy {rules}",
        " ".join((sentence, f"The policy {rules} denied it:", *verdict.reasons)),
        next_step=verdict.next_step or " ".join(ways_out(policy, principal, operation, context, ruled=True)) or _ASK,
        rules=verdict.rules,
        members=members,
    )


def _deciding(policy: Policy, ids: tuple[str, ...]) -> str:
    """What a verdict's ids are: rules, or a mask or job that stands in the way."""
    masks, jobs = {mask.id for mask in policy.settings.masks}, policy.settings.jobs
    word = "mask" if all(name in masks for name in ids) else "job" if all(name in jobs for name in ids) else "rule"
    return f"{word}{'s' if len(ids) > 1 else ''} {', '.join(ids)}"


_ASK = "If your work needs it, ask the operator of the gateway for a rule that allows it."


def ways_out(
    policy: Policy, principal: Principal, operation: Operation, context: Context = NOTHING, *, ruled: bool = False
) -> Iterator[str]:
    """What the person could do instead, each tried against the policy before it is said. `ruled`: a rule denied it, and
    would do so in whatever form it comes."""
    if operation.kind == "unknown":
        if ruled:
            return
        yield "Send the request in a form that the service's dialect declares: each parameter once, nothing unknown."
        return
    if operation.owners:
        yield "Run it yourself, and use the handle that you are given."
        return
    asking = _Asking(policy, principal, context)
    yield from _fewer_columns(asking, operation)
    if operation.destination_side == "external":
        inside = replace(operation, destination=None, destination_side="internal")
        yield from _if_better(asking, inside, "Choose a destination that belongs to the organisation.")
    for effect, how in (("allow", "may do this"), ("hold", "may ask for an approval of this")):
        groups = [g for g in _others(policy, principal) if asking.as_member(operation, g) == effect]
        if groups:
            yield f"Members of {' or '.join(groups)} {how}: sign in as one, or ask one."


def _others(policy: Policy, principal: Principal) -> list[str]:
    """Groups that the policy names and the person is not in, as `group:NAME`."""
    texts = {text for rule in policy.settings.rules for text in rule.who or ()}
    texts |= {text for mask in policy.settings.masks for text in mask.unless}
    groups = {text for text in texts if text.startswith("group:")}
    return sorted(groups - {f"group:{name}" for name in principal.groups})[:_TRIED]


@dataclass(frozen=True, slots=True)
class _Asking:
    """The same person in the same circumstances, asking for something else."""

    policy: Policy
    principal: Principal
    context: Context

    def effect(self, operation: Operation) -> Effect:
        return decide(self.policy, self.principal, operation, self.context).effect

    def as_member(self, operation: Operation, group: str) -> Effect:
        member = replace(self.principal, groups=self.principal.groups | {group.removeprefix("group:")})
        return decide(self.policy, member, operation, self.context).effect


def _fewer_columns(asking: _Asking, operation: Operation) -> Iterator[str]:
    tables = asking.policy.settings.datasets
    if operation.column_scope == "listed" and len(operation.columns) > 1:
        tried = operation.columns[:_TRIED]
        barred = [c for c in tried if asking.effect(replace(operation, columns=(c,))) == "deny"]
        rest = tuple(column for column in operation.columns if column not in barred)
        if barred and rest:
            fewer = replace(operation, columns=rest)
            yield from _if_better(asking, fewer, f"Leave out {', '.join(barred)}.")
    elif operation.column_scope == "all" and operation.dataset in tables:
        # Whether naming columns would help: try it with a name that no rule knows.
        fewer = replace(operation, columns=("\0",), column_scope="listed")
        sensitive = ", ".join(sorted(tables[operation.dataset].columns))
        text = f"Name the columns that you need, without those that the rule is about (sensitive are {sensitive})."
        yield from _if_better(asking, fewer, text)


def _if_better(asking: _Asking, instead: Operation, text: str) -> Iterator[str]:
    match asking.effect(instead):
        case "allow":
            yield text
        case "hold":
            yield f"{text} It then needs an approval."
