"""What the columns of a table owe that is no JSON: CSV, Arrow, Parquet. Known by position, by origin and by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sluicegate.exchange import Rows
from sluicegate.jsonpath import Below, Elements, Names, Step
from sluicegate.masking.hit import Hit
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.methods import Action
from sluicegate.masking.names import normal
from sluicegate.masking.owed import action_of, hidden
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

MAX_COLUMNS = 10_000
"""Columns that a table may have."""


def owed_by_name(plan: Plan) -> Mapping[str, Action]:
    """Column name in normal form to what it owes. Raises Unfit where a mask's path says no column of a table.

    `$..ssn` and `$.rows[*].ssn` mean the column `ssn`, wherever it is. Other paths have no meaning in a table.
    """
    if not plan.paths:
        return plan.columns
    named = type(plan.columns)(plan.columns)
    for steps, action in plan.paths:
        for name in _last_names(steps):
            key = normal(name)
            named[key] = min(action, dict.get(named, key, action))
    return named


def _last_names(steps: tuple[Step, ...]) -> frozenset[str]:
    match steps:
        case (*_, Below() | Elements(None, None, None) | Names(frozenset()), Names(names)) if names:
            before = steps[-2]
            if not isinstance(before, Names) or not before.names:
                return names
    raise Unfit("one of them has a path, which has no meaning in rows that are no JSON")


class Columns:
    """What is owed, column by column."""

    def __init__(self, names: Sequence[str], rows: Rows, plan: Plan, tally: Tally) -> None:
        """`names` are those in the body. Raises Unfit when they are not as many as `rows.columns`."""
        by_name = owed_by_name(plan)
        if rows.columns is not None and len(rows.columns) != len(names):
            raise Unfit("its columns and its rows do not agree")
        self.names = tuple(names)
        self.hits: list[Hit | None] = []
        """What becomes of each column; None where it owes nothing."""
        for place, name in enumerate(names):
            key = normal(name)
            named = action_of(by_name, name)
            domain, found = name, [named]
            if rows.columns is not None:
                output = rows.columns[place]
                domain, found = plan.origins.domain(output), [plan.origins.owes(output)]
                # owes() knows the name that the statement gives; the service may have another, and a path yet another.
                if named is not None and (key != normal(output.name) or plan.columns.get(key) is not named):
                    found.append(hidden(named))
            action = min((action for action in found if action is not None), default=None)
            self.hits.append(None if action is None else plan.hit(action, domain))
            tally.column(name, action is not None)

    @property
    def any(self) -> bool:
        """Whether any column owes a mask."""
        return any(hit is not None for hit in self.hits)

    def count(self, rows: int, tally: Tally) -> None:
        """So many rows were masked."""
        tally.rows += rows
        for hit in self.hits:
            if hit is not None:
                tally.hit(hit, rows)
