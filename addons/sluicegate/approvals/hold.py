"""A hold: everything about a held request that an approver must see and a grant is bound to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from sluicegate.approvals.again import lasting
from sluicegate.approvals.digests import digests
from sluicegate.approvals.fingerprint import fingerprint
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Operation, Principal, Terms

SHOWN_LIMIT = 65_536
"""Characters that an approver is shown at most. Nothing is ever cut: nobody approves what they cannot see."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What is asked of the approvers."""

    fingerprint: str
    requester: Principal
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    approvers: tuple[str, ...]
    method: str
    target: str
    """Scheme, host, path, and the names of the query's parameters: their values may be secrets."""
    operation: Operation
    exchange: str
    terms: Terms = field(default_factory=Terms)
    purpose: str = ""
    """Why, in the words of the person who asks."""
    risk: float = 0.0
    job: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    """What the request is made of, by name: what a later one that differs is compared with."""


def hold_of(exchange: Exchange, headers: tuple[tuple[str, str], ...], body: bytes) -> Hold:
    """The hold for an exchange whose verdict is to hold.

    `headers` are those that give the body its meaning, `body` its bytes as sent. Raises ValueError when something
    that must have been set before this is missing, Refusal when there is more in it than a person can be asked about.
    """
    principal, operation, verdict = exchange.principal, exchange.operation, exchange.verdict
    if principal is None or operation is None or verdict is None or verdict.effect != "hold":
        raise ValueError("only an exchange with a principal, an operation and a hold can be held")
    host = f"[{exchange.host}]" if ":" in exchange.host else exchange.host
    origin = f"{exchange.scheme}://{host}:{exchange.port}"
    reasons = (*verdict.reasons, *_besides(operation))
    if _shown(exchange.target, operation) + sum(map(len, reasons)) > SHOWN_LIMIT:
        raise Refusal(
            403,
            "too-large-to-approve",
            "Too large to approve",
            f"This request is held for approval, and names more than the {SHOWN_LIMIT} characters that an approver "
            "can be shown.",
            next_step="Ask for less at a time.",
            rules=verdict.rules,
        )
    mark = fingerprint(
        principal=principal,
        rules=verdict.rules,
        method=exchange.method,
        origin=origin,
        target=exchange.target,
        headers=headers,
        body=body,
        operation=operation,
    )
    return Hold(
        fingerprint=mark,
        requester=principal,
        rules=verdict.rules,
        reasons=reasons,
        approvers=verdict.approvers,
        method=exchange.method,
        target=origin + _without_values(exchange.target),
        operation=operation,
        exchange=exchange.id,
        terms=verdict.terms,
        purpose=exchange.purpose,
        risk=100.0 if math.isnan(exchange.risk) else exchange.risk,  # not known: shown as the highest there is
        job=exchange.job,
        digests=digests(*lasting(exchange.target, headers, body, operation.once)),
    )


def _besides(operation: Operation) -> tuple[str, ...]:
    """What else the request does, in words: an approval is for all of it."""
    said = []
    for part in operation.parts:
        what = ", ".join(part.columns) or {"all": "all columns", "unknown": "columns that nobody knows"}.get(
            part.column_scope, ""
        )
        of = f" of {part.dataset}" if part.dataset else ""
        to = f" to {part.destination}" if part.destination else ""
        to += f" into {', '.join(part.into[:12])}" if part.into else ""
        said.append(f"Besides: {part.kind}{of}{to}{f' ({what})' if what else ''}.")
    return tuple(dict.fromkeys(said))


def _without_values(target: str) -> str:
    path, mark, query = target.partition("?")
    return path + mark + "&".join(pair.partition("=")[0] for pair in query.split("&"))


def _shown(target: str, operation: Operation) -> int:
    texts = (target, operation.statement or "", operation.destination or "", operation.dataset or "")
    return sum(map(len, texts + operation.columns + operation.chunks))
