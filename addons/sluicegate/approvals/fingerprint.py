"""The fingerprint of a held request: what a grant is bound to. A request that differs in anything here is another."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
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
    dialect knows to be new each time (`Operation.once`). All of the operation and its parts is in, since a dialect may
    read them from headers that are not listed here, and from earlier requests: which statement a name was prepared for,
    in which database a session is.
    """
    told = lasting(target, headers, body, operation.once)
    document: list[Any] = [
        "sluicegate fingerprint 2",
        # A person's are as they were before machines were told apart, so that grants which wait are still found.
        [principal.issuer, principal.subject, *([] if principal.kind == "person" else [principal.kind])],
        sorted(set(rules)),
        method,
        origin,
        normal_target(told.target),
        sorted([name.lower(), value] for name, value in told.headers),
        hashlib.sha256(told.body).hexdigest(),
        [_plain(one) for one in (operation, *operation.parts)],
    ]
    # JSON of lists and strings has one reading only: no two different documents are written alike.
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(operation: Operation) -> list[Any]:
    """Every field by name, sets in order; but the parts, and the route, which is our word for it."""
    found: list[Any] = []
    for field in fields(operation):
        value = getattr(operation, field.name)
        if field.name == "outputs" and value is not None:
            value = [[o.name, None if o.origins is None else sorted(map(list, o.origins)), o.copied] for o in value]
        if field.name == "once":
            value = sorted(value)
        if field.name in ("into", "owner") and not value:
            continue  # approvals from before there were these fields still fit
        if field.name not in ("parts", "route"):
            found.append([field.name, value])
    return found


def normal_target(target: str) -> str:
    """Path and query with the parameters sorted by name. Parameters of one name keep their order, which may matter."""
    path, mark, query = target.partition("?")
    return path + mark + "&".join(sorted(query.split("&"), key=lambda pair: pair.partition("=")[0]))
