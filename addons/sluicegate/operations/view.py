"""What the dialects see of a request: plain values, so that they can be tested without a proxy."""

from __future__ import annotations

from dataclasses import dataclass, field


class Unreadable(ValueError):
    """The request cannot be understood, and why. It becomes an operation of kind `unknown`, never an error."""


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request as it was sent: nothing is decoded yet."""

    method: str
    path: str
    """Absolute path, percent-encoded, without the query."""
    query: str = ""
    """What stood behind the first `?`, percent-encoded."""
    headers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Lower-case name to the values of all its lines, in their order."""
    body: bytes = b""
    """As sent, with its content coding still on."""

    def header(self, name: str) -> str | None:
        """The value of a header (lower-case name) or None. Raises Unreadable when it was sent more than once."""
        values = self.headers.get(name, ())
        if len(values) > 1:
            raise Unreadable(f"the header {name} was sent more than once")
        return values[0] if values else None
