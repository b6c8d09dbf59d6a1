"""What the dialects see of a request: plain values, so that they can be tested without a proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple


class Unreadable(ValueError):
    """The request cannot be understood, and why. It becomes an operation of kind `unknown`, never an error."""


class Lines(Mapping[str, tuple[str, ...]]):
    """Header lines by lower-case name, read from the wire's bytes when somebody asks: for most requests nobody does."""

    __slots__ = ("_fields", "_lines")

    def __init__(self, fields: tuple[tuple[bytes, bytes], ...]) -> None:
        self._fields = fields
        self._lines: dict[str, tuple[str, ...]] | None = None

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> dict[str, tuple[str, ...]]:
        if self._lines is None:
            lines: dict[str, tuple[str, ...]] = {}
            for name, value in self._fields:
                key = name.decode("latin-1").lower()
                lines[key] = (*lines.get(key, ()), value.decode("latin-1"))
            self._lines = lines
        return self._lines


class RequestView(NamedTuple):
    """A request as it was sent: nothing is decoded yet."""

    method: str
    path: str
    """Absolute path, percent-encoded, without the query."""
    query: str = ""
    """What stood behind the first `?`, percent-encoded."""
    headers: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """Lower-case name to the values of all its lines, in their order."""
    body: bytes = b""
    """As sent, with its content coding still on."""
    host: str = ""
    """The host that lockdown verified, lower case, without the port."""

    def header(self, name: str) -> str | None:
        """The value of a header (lower-case name) or None. Raises Unreadable when it was sent more than once."""
        values = self.headers.get(name, ())
        if len(values) > 1:
            raise Unreadable(f"the header {name} was sent more than once")
        return values[0] if values else None


class ReplyView(NamedTuple):
    """A response as the service sent it."""

    status: int
    headers: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """Lower-case name to the values of all its lines, in their order."""
    body: bytes = b""
    """Decoded: its content coding is off. Empty where there is none, or where it could not be decoded."""
    decoded: bool = True
    """Whether `body` is the whole body, decoded."""

    def header(self, name: str) -> str | None:
        """The first value of a header (lower-case name), or None."""
        values = self.headers.get(name, ())
        return values[0] if values else None
