"""A Refusal as an HTTP answer: problem+json (RFC 9457) with Proxy-Status (RFC 9209)."""

from __future__ import annotations

import json
from typing import NamedTuple

from sluicegate.errors import Refusal


class Answer(NamedTuple):
    """A complete HTTP answer: status, reason phrase, header pairs and body."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def render(refusal: Refusal, exchange_id: str) -> Answer:
    """The answer for a refused exchange. Text that came from outside is escaped by the JSON encoder."""
    document = {
        "type": f"urn:sluicegate:{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "instance": f"urn:uuid:{exchange_id}",
        **({"rules": list(refusal.rules)} if refusal.rules else {}),
        **({"next_step": refusal.next_step} if refusal.next_step else {}),
        **refusal.members,
    }
    headers = {
        "content-type": "application/problem+json",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "proxy-status": f'sluicegate; error=http_request_denied; details="{refusal.code}"',
        **refusal.headers,
    }
    body = json.dumps(document, indent=2).encode() + b"\n"
    return Answer(refusal.status, _phrase(refusal.title), tuple(headers.items()), body)


def _phrase(text: str) -> str:
    # A reason phrase is a single line of visible ASCII (RFC 9112 section 4).
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:200]
