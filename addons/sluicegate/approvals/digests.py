"""Short digests of what a request is made of: enough to say what differs from another one, and no data."""

from __future__ import annotations

import hashlib
from typing import Any

from sluicegate.approvals.again import members_of

MOST = 200
"""Things that are told apart; of a request with more only whether the body differs is known."""


def digests(target: str, headers: tuple[tuple[str, str], ...], body: bytes) -> dict[str, str]:
    """By what it is: `query NAME`, `header NAME`, `member NAME` of a JSON object, and `body`."""
    found: dict[str, list[Any]] = {"body": [len(body), hashlib.sha256(body).hexdigest()]}
    for pair in target.partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        if name:
            found.setdefault(f"query {name}", []).append(value)
    for name, value in headers:
        found.setdefault(f"header {name}", []).append(value)
    for name, member in (members_of(headers, body) or {}).items():
        found.setdefault(f"member {name}", []).append(member)
    if len(found) > MOST:
        found = {"body": found["body"]}
    # Forty bits tell two values apart, and leave a guesser with many that fit.
    return {what: hashlib.sha256(repr(values).encode()).hexdigest()[:10] for what, values in found.items()}
