"""An explanation as text and as JSON: the request as it was read, the rules, the masks, the verdict, what is told."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluicegate.cli.safe_text import safe
from sluicegate.errors import Refusal
from sluicegate.exchange import Operation, Verdict
from sluicegate.pipeline.rehearsal import Asked, Judged
from sluicegate.policy import Policy
from sluicegate.policy.explain import asked as in_words
from sluicegate.policy.trace import MaskTrace, RuleTrace, Trace, traces

_COLOURS = {"allow": "green", "hold": "yellow", "deny": "red", "refused": "red"}
_OUTCOMES = {
    "owed": "masks",
    "weaker": "is overruled",
    "lifted": "is lifted",
    "apart": "has no part",
    "guards": "forbids",
}


def document(policy: Policy, judged: Judged, request: Asked, when: float) -> dict[str, Any]:
    """Everything, for JSON."""
    who = judged.principal
    found = _traces(policy, judged)
    return {
        "policy": policy.digest,
        "at": datetime.fromtimestamp(when, UTC).isoformat(),
        "who": {"subject": who.subject, "groups": sorted(who.groups), "kind": who.kind, "assurance": who.assurance},
        "request": {"method": request.method, "url": request.url},
        "service": judged.service,
        "operations": [
            {
                "operation": _plain(trace.operation),
                "rules": [asdict(rule) for rule in trace.rules],
                "masks": [asdict(mask) for mask in trace.masks],
            }
            for trace in found
        ],
        "effect": judged.effect,
        "verdict": _verdict(judged.verdict),
        "told": _told(judged.refusal),
    }


def _traces(policy: Policy, judged: Judged) -> tuple[Trace, ...]:
    return traces(policy, judged.principal, judged.operation) if judged.operation is not None else ()


def _plain(operation: Operation) -> dict[str, Any]:
    found = {key: value for key, value in asdict(operation).items() if key not in ("parts", "outputs")}
    if operation.outputs is not None:
        found["outputs"] = [
            {"name": o.name, "origins": sorted(map(list, o.origins)) if o.origins is not None else None}
            for o in operation.outputs
        ]
    return found


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    found = asdict(verdict)
    found["obligations"] = [{**asdict(o), "columns": sorted(o.columns)} for o in verdict.obligations]
    return found


def _told(refusal: Refusal | None) -> dict[str, Any] | None:
    if refusal is None:
        return None
    return {
        "status": refusal.status,
        "code": refusal.code,
        "title": refusal.title,
        "detail": refusal.detail,
        "next_step": refusal.next_step,
    }


def show(console: Console, policy: Policy, judged: Judged, request: Asked) -> None:
    """The explanation for people."""
    who = judged.principal
    groups = ", ".join(sorted(who.groups)) or "no group"
    _line(console, "Who", f"{who.label} ({groups}; {who.kind}, {who.assurance})")
    _line(console, "Request", f"{request.method} {request.url}")
    found = _traces(policy, judged)
    for number, trace in enumerate(found):
        _operation(console, trace, number, judged.service or "")
    console.print()
    _effect(console, judged)
    if judged.verdict is not None and judged.verdict.reasons and judged.refusal is None:
        _line(console, "Because", " ".join(judged.verdict.reasons))
    if judged.refusal is not None:
        refusal = judged.refusal
        _line(console, "Told", f"{refusal.status} {refusal.title}. {refusal.detail}")
        if refusal.next_step:
            _line(console, "Next step", refusal.next_step)
    elif judged.verdict is not None and judged.verdict.effect == "hold":
        _line(console, "Approvers", ", ".join(judged.verdict.approvers))
        if judged.verdict.next_step:
            _line(console, "Next step", judged.verdict.next_step)


def _effect(console: Console, judged: Judged) -> None:
    verdict = judged.verdict
    by = f" by {', '.join(verdict.rules)}" if verdict is not None and verdict.rules else ""
    text = {
        "allow": "allowed",
        "hold": "held for an approval",
        "deny": "denied",
        "refused": "refused before any rule was asked",
    }[judged.effect]
    if verdict is not None and verdict.effect == "deny" and not verdict.rules:
        by = ": no rule allows it"
    _line(console, "Verdict", Text.assemble((text, f"bold {_COLOURS[judged.effect]}"), safe(by)))


def _operation(console: Console, trace: Trace, number: int, service: str) -> None:
    operation = trace.operation
    label = "Read as" if number == 0 else f"Part {number}"
    _line(console, label, f"{in_words(operation)} (kind {operation.kind}, service {service})")
    if operation.chunks:
        more = f" and {len(operation.chunks) - 8} more" if len(operation.chunks) > 8 else ""
        _line(console, "Chunks", ", ".join(operation.chunks[:8]) + more)
    if operation.predicates:
        _line(console, "Filters", ", ".join(operation.predicates))
    if operation.statement is not None:
        _line(console, "Statement", operation.statement)
    if operation.opaque or operation.kind == "unknown":
        _line(console, "Why", operation.opaque or operation.route)
    elif operation.route:
        _line(console, "Route", operation.route)
    console.print()
    table = Table(box=None, pad_edge=False, show_header=False, show_edge=False)
    for width in (None, None, 1):
        table.add_column(ratio=width, no_wrap=width is None)
    for rule in trace.rules:
        table.add_row(*_rule(rule))
    for mask in trace.masks:
        table.add_row(*_mask(mask))
    console.print(table)


def _rule(rule: RuleTrace) -> tuple[Text, Text, Text]:
    name = Text(safe(f"{rule.effect} {rule.id}"))
    if rule.matched:
        return Text("matched", f"bold {_COLOURS[rule.effect]}"), name, Text("")
    return Text("no match", "dim"), name, Text(safe(rule.why))


def _mask(mask: MaskTrace) -> tuple[Text, Text, Text]:
    columns = ", ".join(mask.columns)
    said = " ".join(filter(None, (f"{columns}" + (":" if columns and mask.why else ""), mask.why)))
    style = "bold" if mask.outcome in ("owed", "guards") else "dim"
    return Text(_OUTCOMES[mask.outcome], style), Text(safe(f"mask {mask.id} ({mask.method})")), Text(safe(said))


def _line(console: Console, label: str, text: str | Text) -> None:
    shown = text if isinstance(text, Text) else Text(safe(text))
    table = Table(box=None, pad_edge=False, show_header=False, show_edge=False)
    table.add_column(width=9)
    table.add_column(ratio=1, overflow="fold")
    table.add_row(Text(label, "bold"), shown)
    console.print(table)
