"""Selectors: where in a request a part of the operation stands.

`path:NAME`, `query:NAME` and `header:NAME` name one value; a JSONPath (`$...`) selects values of the JSON body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from sluicegate import jsonpath
from sluicegate.operations.view import RequestView

_HEADER = re.compile(r"^[A-Za-z0-9-]{1,64}$")
_WORDS = ("path", "query", "header")


class Parts(NamedTuple):
    """A request taken apart: the values of the placeholders, the query parameters, the headers, the JSON body."""

    view: RequestView
    path: Mapping[str, str] = MappingProxyType({})
    query: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    body: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Selector:
    """A compiled selector. `name` is empty for a body selector, `steps` for the others."""

    source: Literal["path", "query", "header", "body"]
    name: str = ""
    steps: tuple[jsonpath.Step, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Selector:
        """Raises ValueError, with the reason, for anything else than the four forms."""
        if text.startswith("$"):
            steps = jsonpath.parse(text)
            if not steps:
                raise ValueError("`$` alone selects the whole body")
            return cls("body", steps=steps)
        word, colon, name = text.partition(":")
        if not colon or word not in _WORDS or not name:
            raise ValueError(f"`{text}` is not `path:NAME`, `query:NAME`, `header:NAME` or a JSONPath")
        if word == "header" and not _HEADER.match(name):
            raise ValueError(f"`{name}` is not the name of a header")
        return cls(word, name.lower() if word == "header" else name)  # type: ignore[arg-type]

    def select(self, parts: Parts) -> list[Any]:
        """The values that the request has there; none is an empty list. Raises Unreadable for a repeated header."""
        value: str | None
        if self.source == "body":
            return jsonpath.select(parts.body, self.steps)
        if self.source == "path":
            value = parts.path.get(self.name)
        elif self.source == "query":
            return list(parts.query.get(self.name, ()))
        else:
            value = parts.view.header(self.name)
        return [] if value is None else [value]

    @property
    def members(self) -> frozenset[str] | None:
        """Top-level members that a body selector reads; None when it can read any."""
        first = self.steps[0]
        return first.names if isinstance(first, jsonpath.Names) and first.names else None
