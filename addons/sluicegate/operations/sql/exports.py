"""Statements whose result leaves from the service's side: where to, and what goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sluicegate.exchange import Operation, Side
from sluicegate.operations.destination import SEVERAL, UNREADABLE, judge
from sluicegate.operations.sql.reading import Context


def exported(
    operations: Sequence[Operation], kind: str, places: Sequence[str], context: Context
) -> tuple[Operation, ...]:
    """The same operations, as exports to these places. What is not readable by itself stays so."""
    destination, side = place(places, context)
    found = []
    for operation in operations:
        change = replace(operation, destination=destination, destination_side=side, outputs=None, rows=None)
        if change.kind in ("read", "unknown", "write"):
            change = replace(change, kind="export")
        found.append(replace(change, statements=tuple(dict.fromkeys((kind, *operation.statements)))))
    return tuple(found)


def place(places: Sequence[str], context: Context) -> tuple[str, Side]:
    """The destination and its side; external where none can be told."""
    judged = [judge(text, context.known.ours) for text in dict.fromkeys(places)]
    if not judged:
        return f"{UNREADABLE}not said", "external"
    if len(judged) == 1:
        return judged[0]
    side: Side = "external" if any(one == "external" for _, one in judged) else "internal"
    return SEVERAL + ", ".join(text for text, _ in judged), side
