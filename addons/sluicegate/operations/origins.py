"""The columns of a response by position, and the base columns that each is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sluicegate.exchange import Operation, Output


def outputs(names: Sequence[str], operation: Operation) -> tuple[Output, ...]:
    """The columns that a response names. A statement says what each is made from; a table's columns are its own.

    Where the statement's columns are not known, or there are more or fewer of them, nothing is known of any.
    """
    if operation.statement is None:
        dataset = operation.dataset or ""
        return tuple(Output(name, frozenset({(dataset, name)}), copied=True) for name in names)
    exact = operation.outputs
    if exact is None or len(exact) != len(names):
        return tuple(Output(name, None) for name in names)
    return tuple(replace(output, name=name) for name, output in zip(names, exact, strict=True))
