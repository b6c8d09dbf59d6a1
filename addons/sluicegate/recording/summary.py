"""What is kept of an exchange besides its messages: plain values for the flow's metadata, the intent and the index."""

from __future__ import annotations

import math
from typing import Any

from sluicegate.exchange import Exchange, Finding, Operation
from sluicegate.recording.redact import Redactor

VERSION = 1
_LISTED = 100
"""How many chunks and columns are named; the request itself is in the flow file."""
_PARTS = 20
"""How many parts and findings are described."""


def summarise(exchange: Exchange, redact: Redactor, finished: float) -> dict[str, Any]:
    """The metadata of a flow: only None, numbers, text, tuples and tables. `finished` is event time in seconds.

    Tuples and no lists, since the flow writer remembers encodings by these values.
    """
    principal, verdict, operation = exchange.principal, exchange.verdict, exchange.operation
    exposure, refusal = exchange.exposure, exchange.refusal
    return {
        "version": VERSION,
        "id": exchange.id,
        "started": float(exchange.started),
        "finished": float(finished),
        "subject": principal.subject if principal else None,
        "name": principal.label if principal else None,
        "issuer": principal.issuer if principal else None,
        "session": principal.session if principal else None,
        "principal_kind": principal.kind if principal else None,
        "groups": tuple(sorted(principal.groups)) if principal else (),
        "assurance": principal.assurance if principal else None,
        "authenticated": principal.authenticated if principal else None,
        "device": principal.device if principal else None,
        "client": exchange.client,
        "service": exchange.service,
        "dataset": operation.dataset if operation else None,
        "kind": operation.kind if operation else None,
        "operation": describe(operation, redact) if operation else None,
        "parts": tuple([describe(part, redact) for part in operation.parts[:_PARTS]]) if operation else (),
        "part_count": len(operation.parts) if operation else 0,
        "method": exchange.method,
        "scheme": exchange.scheme,
        "host": exchange.host,
        "port": exchange.port,
        "path": redact.target(exchange.target),
        "effect": verdict.effect if verdict else None,
        "rules": verdict.rules if verdict else (),
        "reasons": verdict.reasons if verdict else (),
        "masks": (
            tuple([(o.mask, o.method, tuple(sorted(o.columns)), o.path) for o in verdict.obligations])
            if verdict
            else ()
        ),
        "lifted": verdict.lifted if verdict else (),
        "policy": verdict.policy if verdict else "",
        "reported": verdict.reported if verdict else (),
        "job": exchange.job,
        "risk": None if math.isnan(exchange.risk) else float(exchange.risk),
        "known": tuple(sorted(exchange.known)),
        "findings": tuple([_finding(finding, redact) for finding in exchange.findings[:_PARTS]]),
        "approval": exchange.approval,
        "exposure": (
            {"columns": dict(exposure.columns), "rows": exposure.rows, "masks": dict(exposure.masks)}
            if exposure
            else None
        ),
        "socket": exchange.opened.id if exchange.opened else None,
        "refusal": refusal.code if refusal else None,
        "weighed": exchange.weighed if refusal else None,
        "detail": refusal.detail if refusal else None,
    }


def delivered(exchange: Exchange, kept: bytes | None) -> tuple[int, str, bool] | None:
    """Of a response that passed piece by piece: how many bytes left, their SHA-256, and whether they are on the record.
    None for all others."""
    found = exchange.delivered
    if found is None:
        return None
    return found.size, found.digest, kept is not None


def describe(operation: Operation, redact: Redactor) -> dict[str, Any]:
    """What an operation asks for, without its statement (which is in the request)."""
    return {
        "kind": operation.kind,
        "dataset": operation.dataset,
        "declared": operation.declared,
        "chunks": operation.chunks[:_LISTED],
        "chunk_count": len(operation.chunks),
        "columns": operation.columns[:_LISTED],
        "column_count": len(operation.columns),
        "column_scope": operation.column_scope,
        "destination": redact.target(operation.destination) if operation.destination is not None else None,
        "destination_side": operation.destination_side,
        **({"into": operation.into[:_LISTED]} if operation.into else {}),
        "script_digest": operation.script_digest,
        "statements": tuple(dict.fromkeys([word for one in (operation, *operation.parts) for word in one.statements])),
        "route": operation.route,
        "owners": operation.owners,
    }


def _finding(finding: Finding, redact: Redactor) -> dict[str, Any]:
    return {
        "indicator": finding.indicator,
        "detail": finding.detail,
        "evidence": {name: redact.target(value) for name, value in finding.evidence.items()},
    }


def valid_text(value: Any) -> Any:
    """The same value with all text in valid Unicode and without NUL: names off the wire may hold anything."""
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        return value.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {valid_text(key): valid_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [valid_text(item) for item in value]
    return value
