"""Bodies with very many things of one kind take as long as they are large: squared, these would take minutes."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from sluicegate.exchange import Obligation
from sluicegate.masking.body import Reply, mask
from sluicegate.masking.content import Content
from sluicegate.masking.content_walk import mask_content_of
from sluicegate.masking.methods import Methods
from sluicegate.masking.rules import Plan

METHODS = Methods(b"k" * 32)
SSN = Plan((Obligation("m", "redact", frozenset({"ssn"})),), METHODS)
MAIL = Plan((Obligation("d", "redact", detect=frozenset({"email"})),), METHODS)


def masked(body: bytes, plan: Plan, media: str = "application/json") -> bytes:
    reply = Reply("GET", 200, ((b"content-type", media.encode()),), body)
    return mask(reply, plan, (), 64 << 20).body


def test_events() -> None:
    body = b"data: {}\n\n" * 200_000
    assert masked(body, SSN, "text/event-stream") == body


@pytest.mark.parametrize("lists", [0, 1, 20_000])
def test_tables_in_one_object(lists: int) -> None:
    shapes: dict[str, Any] = {f"shape {number}": [[1, 2]] for number in range(20_000)}
    named = {f"list {number}": ["id", "ssn"] for number in range(lists)}
    found = json.loads(masked(json.dumps(named | shapes).encode(), SSN))
    assert found["shape 7"] == [[1, "[redacted]" if lists else 2]]


def test_columns_of_each_width_beside_many_tables() -> None:
    tables: dict[str, Any] = {f"t{number}": [[1] * (number % 3 + 1)] for number in range(20_000)}
    body = json.dumps({"columns": ["a", "b"], **tables}).encode()
    assert masked(body, SSN) == json.dumps({"columns": ["a", "b"], **tables}, separators=(",", ":")).encode()


def test_keys_that_are_values() -> None:
    body = json.dumps({f"ada{number}@example.org": number for number in range(60_000)}).encode()
    found = json.loads(masked(body, MAIL))
    assert len(found) == 60_000
    assert found["[redacted] 60000"] == 59_999


class _Cut:
    """Finds that every text is cut by its border with the next."""

    provable = False

    def cut(self, texts: list[str]) -> range:
        return range(len(texts) - 1)

    def across(self, one: str, other: str, _counts: Any) -> tuple[str, str]:
        return f"{one[:1]}.", f"{other[:1]}.."

    def texts(self, texts: list[str], *_: Any, **__: Any) -> list[str]:
        return texts


def test_texts_that_are_cut() -> None:
    texts = [f"{number} a" for number in range(60_000)]
    found = mask_content_of(list(texts), cast(Content, _Cut()), {})
    assert found == [*(f"{text[:1]}." for text in texts[:-1]), "5.."]
