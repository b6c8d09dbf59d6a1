"""The fingerprint of a held request: what a grant is bound to. A request that differs in anything here is another."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sluicegate.approvals.again import lasting
from sluicegate.exchange import Operation, Principal


def fingerprint(
    *,
    principal: Principal,
    rules: tuple[str, ...],
    method: str,
    origin: str,
    target: str,
    headers: tuple[tuple[str, str], ...],
    body: bytes,
    operation: Operation,
) -> str:
    """SHA-256, hex. `origin` is scheme, host and port; `target` path and query; `headers` those that give the body
    its meaning.

    Trace ids, dates and user agents are left out, so that a retry is the same request, and so is what the service's
    dialect knows to be new each time (`Operation.once`). All of the operation is in,
    since a dialect may read parts of it from headers that are not listed here.
    """
    told = lasting(target, headers, body, operation.once)
    document: list[Any] = [
        "sluicegate fingerprint 1",
        [principal.issuer, principal.subject],
        sorted(set(rules)),
        method,
        origin,
        normal_target(told.target),
        sorted([name.lower(), value] for name, value in told.headers),
        hashlib.sha256(told.body).hexdigest(),
        [
            operation.service,
            operation.kind,
            operation.dataset,
            operation.column_scope,
            list(operation.columns),
            list(operation.chunks),
            operation.destination,
            operation.statement,
            operation.script_digest,
        ],
    ]
    if operation.once or operation.place:
        document.append([sorted(operation.once), operation.place, [_part(part) for part in operation.parts]])
    # JSON of lists and strings has one reading only: no two different documents are written alike.
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _part(part: Operation) -> list[Any]:
    return [part.kind, part.dataset, part.column_scope, list(part.columns), part.destination]


def normal_target(target: str) -> str:
    """Path and query with the parameters sorted by name. Parameters of one name keep their order, which may matter."""
    path, mark, query = target.partition("?")
    return path + mark + "&".join(sorted(query.split("&"), key=lambda pair: pair.partition("=")[0]))
