"""Why one key of a rule does not fit an operation, in words: what the rule wants, and what was asked instead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sluicegate.exchange import OTHERS, Operation, Principal
from sluicegate.settings import Settings, model

_SHOWN = 6


def why_not(
    rule: model.Rule, key: str, principal: Principal, operation: Operation, *, strict: bool, settings: Settings
) -> str:
    """A clause such as `who is group:fraud, and ada is in group:engineering`."""
    wanted = getattr(rule, key)
    match key:
        case "who":
            return f"it is for {_or(wanted)}, and {_person(principal)}"
        case "service":
            return _service(wanted, operation)
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
    return f"its {key} is {_value(wanted)}, which does not fit"


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
