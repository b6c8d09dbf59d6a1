"""The fingerprint of a held request: what a grant is bound to. A request that differs in anything here is another."""

from __future__ import annotations

import hashlib
import json

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

    Trace ids, dates and user agents are left out, so that a retry is the same request. All of the operation is in,
    since a dialect may read parts of it from headers that are not listed here.
    """
    document = [
        "sluicegate fingerprint 1",
        [principal.issuer, principal.subject],
        sorted(set(rules)),
        method,
        origin,
        normal_target(target),
        sorted([name.lower(), value] for name, value in headers),
        hashlib.sha256(body).hexdigest(),
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
    # JSON of lists and strings has one reading only: no two different documents are written alike.
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def normal_target(target: str) -> str:
    """Path and query with the parameters sorted by name. Parameters of one name keep their order, which may matter."""
    path, mark, query = target.partition("?")
    return path + mark + "&".join(sorted(query.split("&"), key=lambda pair: pair.partition("=")[0]))
