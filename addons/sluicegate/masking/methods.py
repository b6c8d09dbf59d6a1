"""What becomes of a masked value. Each method takes any JSON value, a whole object or array too, and never fails."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from sluicegate.mask_method import PLACEHOLDER, USUAL, Manner, Method, Strictness, strictness
from sluicegate.masking import fpe, generalise, partial, pseudonyms
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.keys import Keys
from sluicegate.masking.values import NUMBERS

Masker = Callable[[list[Any]], list[Any]]
"""Masks the values of one column: as many as it gets, in their order."""

REDACTED = "[redacted]"
"""What redact leaves, whatever there was, null included."""


class Action(NamedTuple):
    """A mask that wants a value. Actions sort by strictness."""

    strictness: Strictness
    mask: str
    method: Method
    manner: Manner = USUAL

    @classmethod
    def of(cls, mask: str, method: Method, manner: Manner = USUAL) -> Action:
        """The action of a mask."""
        return cls(strictness(method, manner), mask, method, manner)


class Forbidden(Unfit):
    """A value was met that a mask with `on_match = "refuse"` does not let out."""

    def __init__(self, mask: str) -> None:
        super().__init__(f"the mask {mask} does not let such values out at all")
        self.mask = mask


class Methods:
    """The methods, with the key that pseudonyms are made with."""

    def __init__(self, key: bytes, tenant: str = "", version: int = 1) -> None:
        if len(key) < 16:
            raise ValueError("a masking key has at least 16 bytes")
        self._keys = Keys(key, tenant, version)

    def masker(self, method: Method, domain: str, manner: Manner = USUAL, mask: str = "") -> Masker:
        """The function that masks values. `domain` is the column's normal name: equal values join within it."""
        if manner.on_match == "refuse":
            return _refuser(mask)
        found = self._of(method, manner.domain or domain, manner)
        return _typed(found) if manner.typed and method not in ("drop", "null") else found

    def _of(self, method: Method, domain: str, manner: Manner) -> Masker:
        match method:
            case "redact":
                return lambda values: [REDACTED] * len(values)  # whatever there was, null included
            case "null" | "drop":
                return lambda values: [None] * len(values)  # who can take a member out of its object does
            case "last4":
                return lambda values: [partial.last(value, 4) for value in values]
            case "last":
                return lambda values: [partial.last(value, manner.keep) for value in values]
            case "first":
                return lambda values: [partial.first(value, manner.keep) for value in values]
            case "date":
                return lambda values: [generalise.date(value, manner.grain, REDACTED) for value in values]
            case "number":
                step = Decimal(manner.step)
                return lambda values: [generalise.number(value, step, REDACTED) for value in values]
            case "fpe":
                return fpe.masker(self._keys, domain, manner.alphabet, lambda _value: REDACTED)
            case "template":
                return _template(manner.text, pseudonyms.masker(self._keys, domain))
            case "hmac":
                return pseudonyms.masker(self._keys, domain, typed=manner.typed)


def _refuser(mask: str) -> Masker:
    def refuse(values: list[Any]) -> list[Any]:
        if values:
            raise Forbidden(mask)
        return values

    return refuse


def _template(text: str, names: Masker) -> Masker:
    parts = list(PLACEHOLDER.finditer(text))
    if not parts:
        return lambda values: [text] * len(values)

    def mask(values: list[Any]) -> list[Any]:
        named = names(values) if any(part[3] for part in parts) else values
        return [None if value is None else _filled(value, name) for value, name in zip(values, named, strict=True)]

    def _filled(value: Any, name: str) -> str:
        def part(match: Any) -> str:
            if match[3]:
                return name
            shown = (partial.first if match[1] == "first" else partial.last)(value, int(match[2]))
            return str(shown).replace(partial.HIDDEN, "")

        return PLACEHOLDER.sub(part, text)

    return mask


def _typed(apply: Masker) -> Masker:
    """The same, where a value that is no text stays of its kind."""

    def mask(values: list[Any]) -> list[Any]:
        return [_as(value, new) for value, new in zip(values, apply(values), strict=True)]

    return mask


def _as(value: Any, new: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool):
        return False
    if isinstance(value, NUMBERS):
        return new if isinstance(new, NUMBERS) and not isinstance(new, bool) else 0
    if isinstance(value, list):
        return []
    return {} if isinstance(value, dict) else new
