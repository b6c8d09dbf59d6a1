"""What a person has to see of a refusal: our sentence, once; and that the client asked once and no more."""

from __future__ import annotations

from typing import Any

from tests.interop.serving import Said

REASON = "Salaries are for payroll."
NEXT = "Leave the column out."


def assert_said_once(said: Said, *parts: str) -> None:
    """Each part is in what the client printed, and only once (a traceback shows an exception's text once)."""
    for part in parts or (REASON, NEXT):
        assert said.all.count(part) == 1, said.all


def since(gate: Any, before: int) -> list[dict[str, Any]]:
    """The exchanges that were recorded after the first `before`."""
    found: list[dict[str, Any]] = gate.recorded()[before:]
    return found
