"""Why one key of a rule does not fit an operation, in words: what the rule wants, and what was asked instead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sluicegate.exchange import OTHERS, Operation, Principal
from sluicegate.policy.context import Context
from sluicegate.settings import Settings, model
from sluicegate.settings.times import DAYS, Span, zone_named

_SHOWN = 6


def why_not(
    rule: model.Rule | model.MaskRule,
    key: str,
    principal: Principal,
    operation: Operation,
    context: Context,
    *,
    strict: bool,
    settings: Settings,
) -> str:
    """A clause such as `it is for group:fraud, and ada is in group:engineering`. No key: they fail only together."""
    if not key:
        return "its keys do not fit this request together"
    wanted = getattr(rule, key)
    match key:
        case "who":
            return f"it is for {_or(wanted)}, and {_person(principal)}"
        case "service":
            return _service(wanted, operation)
        case "kind" if wanted is None and operation.kind == "message":
            return 'only a rule with kind = ["message"] can allow what a client sends through a WebSocket'
        case "kind" if wanted is None:
            return 'the request was not understood, and only a rule with kind = ["unknown"] can allow such a request'
        case "kind":
            return f"it is for kind {_or(wanted)}, and this is of kind {operation.kind}"
        case "dataset":
            return _dataset(wanted, operation, settings)
        case "columns":
            return _columns(wanted, operation, strict)
        case "destination":
            return _destination(wanted, operation)
        case "assurance":
            return f"it wants an identity that is at least {wanted}, and this one is {principal.assurance}"
        case "assurance_below":
            return f"it is for an identity weaker than {wanted}, and this one is {principal.assurance}"
        case "statements" | "commands":
            return _statement(key, wanted, operation)
        case "results_of_others":
            return "it does not cover results that were handed to somebody else, as this one was"
        case "rows_above":
            return f"it is about more than {wanted} rows, and {_rows(operation)}"
    return _circumstance(key, wanted, context)


def _statement(key: str, wanted: list[str], operation: Operation) -> str:
    if key == "statements":
        asked = f"this has {_and(operation.statements)}" if operation.statements else "this has none that is known"
        return f"it is for {_or(wanted)} statements, and {asked}"
    said = (
        "this has no statement" if operation.statement is None and operation.script is None else "this has no such text"
    )
    return f"it is for text like {_or(wanted)}, and {said}"


def _rows(operation: Operation) -> str:
    return "this takes none" if operation.rows is None else f"this asks for {operation.rows}"


def _circumstance(key: str, wanted: Any, context: Context) -> str:
    match key:
        case "network":
            return f"it is for clients in {_or(wanted)}, and this one is at {context.client or 'an unknown address'}"
        case "job":
            now = f"this is within {_and(sorted(context.within))}" if context.within else "this is within none"
            return f"it is for the job {_or(wanted)}, and {now}"
        case "when":
            return f"it is for {_or(wanted)}, and it is {_moment(context.now, wanted)}"
        case "risk_above":
            return f"it is for a risk over {wanted:g}, and the risk is {context.risk:g}"
        case "finding":
            found = f"found was {_and(sorted(context.findings))}" if context.findings else "there is no finding"
            return f"it is for a finding of {_or(wanted)}, and {found}"
        case "sign_in_age_above":
            age = "" if context.signed_in is None else f" {context.now - context.signed_in:.0f} seconds ago"
            return f"it is for a sign-in more than {wanted:g} seconds ago, and this one was{age or ' then'}"
        case "budget":
            return "its budget is not used up"
    return f"its {key} is {_value(wanted)}, which does not fit"


def _moment(now: float, wanted: list[str]) -> str:
    """The time on the wall in the zones that a rule names."""
    said = []
    for zone in dict.fromkeys(Span.parse(text).zone for text in wanted):
        try:
            local = datetime.fromtimestamp(now, zone_named(zone))
        except (ValueError, OverflowError, OSError):
            return "no time that a calendar knows"
        said.append(f"{DAYS[local.weekday()]} {local:%H:%M} {zone}")
    return _and(said)


def _person(principal: Principal) -> str:
    groups = [f"group:{name}" for name in sorted(principal.groups)]
    return f"{principal.label} is in {_and(groups)}" if groups else f"{principal.label} is in no group"


def _service(wanted: list[str] | None, operation: Operation) -> str:
    if wanted is None:
        return f'it names no service, and only a rule with service = ["{OTHERS}"] can allow other hosts'
    asked = "another host" if operation.service == OTHERS else operation.service
    return f"it is for service {_or(wanted)}, and this asks {asked}"


def _dataset(wanted: list[str] | None, operation: Operation, settings: Settings) -> str:
    name = operation.dataset
    if wanted is None:
        return f"it names no dataset, and {name} is none that the policy declares for {operation.service}"
    if name is None:
        return f"it is for dataset {_or(wanted)}, and this names none"
    if not operation.declared and name in settings.datasets:
        return f"it is for dataset {_or(wanted)}, and this {name} is another one, of {operation.service}"
    return f"it is for dataset {_or(wanted)}, and this is {name}"


def _columns(wanted: list[str], operation: Operation, strict: bool) -> str:
    if not strict:
        return f"it is about {_or(wanted)}, and none of those is asked for"
    if operation.statement is not None:
        return f"it allows only {_and(wanted)}, and what a statement reads besides is not certain"
    asked = {
        "listed": f"{_and(operation.columns)} {'are' if len(operation.columns) > 1 else 'is'} asked for",
        "all": "all columns are asked for",
        "none": "no column is asked for",
        "unknown": "which columns are read is not known",
    }[operation.column_scope]
    return f"it allows only {_and(wanted)}, and {asked}"


def _destination(wanted: str | list[str], operation: Operation) -> str:
    text = wanted if isinstance(wanted, str) else _or(wanted)
    if operation.destination_side is None:
        return f"it is for destination {text}, and this goes nowhere but back"
    where = operation.destination or "a destination that the request does not name"
    return f"it is for destination {text}, and this goes to {where} ({operation.destination_side})"


def _value(value: Any) -> str:
    return _or(value) if isinstance(value, list | tuple | set | frozenset) else str(value)


def _and(names: Iterable[str]) -> str:
    return _joined(list(names), "and")


def _or(names: Iterable[str]) -> str:
    return _joined(list(names), "or")


def _joined(names: list[str], word: str) -> str:
    if len(names) > _SHOWN:
        return f"{', '.join(names[:_SHOWN])} {word} {len(names) - _SHOWN} more"
    return f" {word} ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
