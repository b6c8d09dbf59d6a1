"""Small policies and people for the tests of this room."""

from __future__ import annotations

from typing import Any

import pytest

from sluicegate.exchange import Operation, Principal, Verdict
from sluicegate.policy import Policy, decide
from sluicegate.policy.context import NOTHING, Context
from sluicegate.settings import Settings

BASE: dict[str, Any] = {
    "identity": {"issuer": "https://idp.test"},
    "gateway": {"others": "inspect"},
    "dialects": {"chunks": {"routes": [{"request": "GET /", "kind": "read"}]}},
    "services": {
        "chunks": {"hosts": ["chunks.test"], "dialect": "chunks"},
        "second": {"hosts": ["second.test"], "dialect": "chunks"},
    },
    "datasets": {
        "customers": {
            "service": "chunks",
            "columns": {"ssn": "restricted", "email": "personal", "phone": "personal", "notes": "free"},
        },
        "orders": {"service": "chunks", "name": "prod.orders", "columns": {"card": "restricted"}},
        "logs": {"service": "chunks"},
        "far": {"service": "second", "columns": {"iban": "restricted"}},
    },
}


class Bench:
    """A policy made of these rules and masks, and questions to it."""

    def __init__(self, rules: list[dict[str, Any]], masks: list[dict[str, Any]]) -> None:
        named = [{"id": f"r{index}", **rule} for index, rule in enumerate(rules)]
        masked = [{"id": f"m{index}", **mask} for index, mask in enumerate(masks)]
        self.policy = Policy(Settings.model_validate({**BASE, "rules": named, "masks": masked}), "d" * 64)

    def verdict(self, operation: Operation, *groups: str, subject: str = "ada", context: Context = NOTHING) -> Verdict:
        return decide(self.policy, person(*groups, subject=subject), operation, context)

    def effect(self, operation: Operation, *groups: str, subject: str = "ada") -> str:
        return self.verdict(operation, *groups, subject=subject).effect


def person(*groups: str, subject: str = "ada") -> Principal:
    return Principal(subject, "https://idp.test", frozenset(groups), name=subject.title())


@pytest.fixture
def bench():
    def make(*rules: dict[str, Any], masks: list[dict[str, Any]] | None = None) -> Bench:
        return Bench(list(rules), masks or [])

    return make


@pytest.fixture
def ask():
    def make(
        *columns: str, kind: str = "read", dataset: str | None = "customers", service: str = "chunks", **more: Any
    ) -> Operation:
        more.setdefault("declared", dataset in BASE["datasets"])
        more.setdefault("column_scope", "listed" if columns else "all")
        return Operation(service, kind, dataset=dataset, columns=columns, **more)  # type: ignore[arg-type]

    return make
