"""Accept-Encoding (RFC 9110 section 12.5.3): what a client takes, and what the service is told instead."""

from __future__ import annotations

from sluicegate.codings import NAMES


def accepted(value: str) -> tuple[str, ...]:
    """The codings that both the client and we can read, the client's favourite first. Identity is always possible.

    `value` is the client's field, all lines joined; without one, a client gets identity.
    """
    weights: dict[str, float] = {}
    for part in value.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weights["gzip" if name == "x-gzip" else name] = _weight(parameters)
    anything = weights.get("*", 0.0)
    usable = [name for name in NAMES if weights.get(name, anything) > 0]
    return tuple(sorted(usable, key=lambda name: -weights.get(name, anything)))


def offered(codings: tuple[str, ...]) -> str:
    """The Accept-Encoding that the service gets."""
    return ", ".join(codings) or "identity"


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
