"""A refusal in a service's own words: one sentence that its client shows, with a status on which it does not retry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sluicegate.errors import Refusal
from sluicegate.problem import Answer, render

_TRIED_AGAIN = frozenset({407, 408, 409, 423, 425, 429})
"""Statuses below 500 on which one client or another asks again, or asks for credentials that would not help."""


def sentence(refusal: Refusal) -> str:
    """All that a person needs, in one text: what happened, why, and what can be done."""
    parts = (f"{refusal.title}:", refusal.detail, refusal.next_step)
    return " ".join(" ".join(part.split()) for part in parts if part)


def status(refusal: Refusal) -> int:
    """The refusal's own status where clients take it as final; 403 instead of one that they try again on."""
    return 403 if refusal.status >= 500 or refusal.status in _TRIED_AGAIN else refusal.status


def as_json(refusal: Refusal, document: Mapping[str, Any], code: int | None = None) -> Answer:
    """A JSON document instead of the problem; its headers stay, but for the type."""
    body = json.dumps(document).encode() + b"\n"
    return _answer(refusal, "application/json", body, code)


def as_text(refusal: Refusal) -> Answer:
    """The sentence as plain text, for clients that show the body as it is."""
    return _answer(refusal, "text/plain; charset=utf-8", sentence(refusal).encode() + b"\n", None)


def _answer(refusal: Refusal, media: str, body: bytes, code: int | None) -> Answer:
    said = render(refusal, "")
    headers = (("content-type", media), *(pair for pair in said.headers if pair[0].lower() != "content-type"))
    return Answer(code or status(refusal), said.reason, headers, body)
