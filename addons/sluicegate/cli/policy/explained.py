"""An explanation as text and as JSON: the request as it was read, the rules, the masks, the verdict, what is told."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from sluicegate.cli.policy.layout import Row, field, rows
from sluicegate.cli.safe_text import safe
from sluicegate.errors import Refusal
from sluicegate.exchange import Operation, Verdict
from sluicegate.policy import Policy
from sluicegate.policy.explain import asked as in_words
from sluicegate.policy.trace import Explanation, MaskTrace, RuleTrace, Trace

if TYPE_CHECKING:
    from sluicegate.pipeline.rehearsal import Asked, Judged

STATEMENT = 2_000
"""Characters of a statement that are shown."""
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
    found = judged.explained(policy)
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
            for trace in found.traces
        ],
        "within": list(found.within),
        "outside": found.outside,
        "effect": judged.effect,
        "verdict": _verdict(judged.verdict),
        "told": _told(judged.refusal),
    }


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
    field(console, "Who", f"{who.label} ({groups}; {who.kind}, {who.assurance})")
    field(console, "Request", f"{request.method} {request.url}")
    found = judged.explained(policy)
    for number, trace in enumerate(found.traces):
        _operation(console, trace, number, judged)
    _jobs(console, found)
    console.print()
    _effect(console, judged)
    if judged.verdict is not None and judged.verdict.reasons and judged.refusal is None:
        field(console, "Because", " ".join(judged.verdict.reasons))
    if judged.refusal is not None:
        refusal = judged.refusal
        field(console, "Told", f"{refusal.status} {refusal.title}. {refusal.detail}")
        if refusal.next_step:
            field(console, "Next step", refusal.next_step)
    elif judged.verdict is not None and judged.verdict.effect == "hold":
        field(console, "Approvers", ", ".join(judged.verdict.approvers))
        if judged.verdict.next_step:
            field(console, "Next step", judged.verdict.next_step)


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
    field(console, "Verdict", Text.assemble((text, f"bold {_COLOURS[judged.effect]}"), safe(by)))


def _jobs(console: Console, found: Explanation) -> None:
    if found.within or found.outside:
        console.print()
        field(console, "Job", found.outside or f"within {', '.join(found.within)}")


def _operation(console: Console, trace: Trace, number: int, judged: Judged) -> None:
    operation = trace.operation
    label = "Read as" if number == 0 else f"Part {number}"
    field(console, label, f"{in_words(operation)} (kind {operation.kind}, service {operation.service})")
    if operation.chunks:
        more = f" and {len(operation.chunks) - 8} more" if len(operation.chunks) > 8 else ""
        field(console, "Chunks", ", ".join(operation.chunks[:8]) + more)
    if operation.predicates:
        field(console, "Filters", ", ".join(operation.predicates))
    if operation.into:
        field(console, "Goes into", ", ".join(operation.into))
    if operation.statement is not None:
        field(console, "Statement", _beginning(operation.statement))
    if operation.opaque or operation.kind == "unknown":
        field(console, "Why", operation.opaque or operation.route)
    elif operation.route:
        field(console, "Route", operation.route)
    console.print()
    # What matched stands first: it is what the verdict comes from.
    rules = sorted(trace.rules, key=lambda rule: not rule.matched)
    denied = judged.effect == "deny"
    rows(console, [*map(_rule, rules), *(_mask(mask, denied) for mask in trace.masks)])


def _rule(rule: RuleTrace) -> Row:
    name = Text(safe(f"{rule.effect} {rule.id}"))
    if rule.matched:
        return (Text("matched", f"bold {_COLOURS[rule.effect]}"), name), ""
    return (Text("no match", "dim"), name), rule.why


def _mask(mask: MaskTrace, denied: bool) -> Row:
    columns = ", ".join(mask.columns)
    said = ": ".join(filter(None, (columns, mask.why)))
    style = "bold" if mask.outcome in ("owed", "guards") else "dim"
    word = "would mask" if denied and mask.outcome == "owed" else _OUTCOMES[mask.outcome]
    return (Text(word, style), Text(safe(f"mask {mask.id} ({mask.method})"))), said


def _beginning(text: str) -> str:
    """Of a long statement what fits a screen; the rest is counted."""
    rest = len(text) - STATEMENT
    return text if rest <= 0 else f"{text[:STATEMENT]} ... and {rest:,} more characters"
