"""What masks owe together: for each column and each path the strictest method, whatever the order of the masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sluicegate.exchange import Method, Obligation, Operation
from sluicegate.policy.match import People, Test, asked_columns

STRICTNESS: dict[Method, int] = {"null": 3, "redact": 2, "hmac": 1, "last4": 0}
"""The higher one wins. `null` and `redact` tell equally little; one of them has to come first."""


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask, resolved for one place of the index."""

    id: str
    method: Method
    columns: frozenset[str]
    path: str | None
    unless: People
    test: Test | None
    """What is left to test of the operation; None when the mask always applies."""
    guarded: frozenset[str]
    """The columns that a statement may not read."""
    folded: frozenset[str]
    """The words by which a statement would read them."""

    def concerns(self, operation: Operation) -> bool:
        """Whether the operation asks for something that this masks, as far as the request says."""
        if operation.column_scope != "listed" or not self.columns:
            return True
        return not self.folded.isdisjoint(asked_columns(operation.columns))


def strictest(masks: Sequence[Mask]) -> tuple[Obligation, ...]:
    """One method for each column and each path. Of two that are as strict, the first id has it."""
    columns: dict[str, Mask] = {}
    paths: dict[str, Mask] = {}
    for mask in sorted(masks, key=lambda mask: (-STRICTNESS[mask.method], mask.id)):
        for column in mask.columns:
            columns.setdefault(column, mask)
        if mask.path is not None:
            paths.setdefault(mask.path, mask)
    owed = []
    for mask in masks:
        kept = frozenset(column for column in mask.columns if columns[column] is mask)
        if kept:
            owed.append(Obligation(mask.id, mask.method, kept))
        if mask.path is not None and paths[mask.path] is mask:
            owed.append(Obligation(mask.id, mask.method, path=mask.path))
    return tuple(owed)
