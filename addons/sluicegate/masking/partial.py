"""The first or the last characters of a value: never more than half of it, and never how long it was."""

from __future__ import annotations

from typing import Any

from sluicegate.masking.values import single

HIDDEN = "****"
"""Stands for everything that is not shown."""


def last(value: Any, keep: int) -> Any:
    """The last characters. Null stays null; a truth value, an object, an array, or a text that holds one shows nothing:
    their ends are not the end of one value.
    """
    if value is None:
        return None
    shown = single(value)
    if shown is None:
        return HIDDEN
    return HIDDEN + shown[len(shown) - min(keep, len(shown) // 2) :]


def first(value: Any, keep: int) -> Any:
    """The first characters; otherwise as `last`."""
    if value is None:
        return None
    shown = single(value)
    return HIDDEN if shown is None else shown[: min(keep, len(shown) // 2)] + HIDDEN
