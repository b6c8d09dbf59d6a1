"""Rows that go from one table into another: whoever may read the other sees them there, under names of its own.

A copy or a view is not declared, so no mask knows its columns. That values of declared columns go into one is therefore
a kind of its own, `share`: a rule that lets somebody read and write does not cover it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sluicegate.exchange import Operation
from sluicegate.operations.dialect import Known

SOMEWHERE = "another table"
"""Stands for a table that is not named, or not by a plain name."""


def targets(written: Iterable[Operation]) -> tuple[str, ...]:
    """What the rows go into, by what is written."""
    return tuple(dict.fromkeys(one.dataset or SOMEWHERE for one in written))


def copied(operations: Iterable[Operation], into: tuple[str, ...], known: Known) -> list[Operation]:
    """The same reads, as reads whose rows go into other tables."""
    return [
        replace(
            one,
            kind="share" if one.kind == "read" and _declared(one, known) else one.kind,
            outputs=None,
            rows=None,
            into=into,
        )
        for one in operations
    ]


def _declared(operation: Operation, known: Known) -> bool:
    """Whether columns that the policy declares are among those whose values go."""
    declared = known.columns.get(operation.dataset or "") if operation.declared else None
    if not declared or operation.column_scope == "none":
        return False
    return operation.column_scope != "listed" or not declared.isdisjoint(operation.columns)
