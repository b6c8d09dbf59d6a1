"""What the names of a query may mean: its sources, then those of the queries around it, and the CTEs."""

from __future__ import annotations

from sqlglot import exp

from sluicegate.operations.sql.sources import Item, Origins, Source

Scalars = dict[str, Origins]


class Env:
    """The CTEs that can be seen from a query."""

    __slots__ = ("ctes", "scalars")

    def __init__(self, ctes: dict[str, tuple[str, list[Item] | None]], scalars: Scalars) -> None:
        self.ctes = ctes
        """Folded name to the exact name and its columns; None where they are not known yet."""
        self.scalars = scalars


class Scope:
    """The sources that the names of one query may mean; then those of the queries around it."""

    __slots__ = ("aliases", "busy", "env", "known", "merged", "parent", "sources")

    def __init__(self, parent: Scope | None, env: Env) -> None:
        self.parent, self.env = parent, env
        self.sources: list[Source] = []
        self.aliases: dict[str, list[exp.Expr]] = {}
        self.known: dict[str, Origins] = {}
        self.busy: set[str] = set()
        self.merged = False
        """Whether joins put columns together, so that `*` has an order that services do not agree on."""


def around(scope: Scope) -> list[Source]:
    found: list[Source] = []
    level: Scope | None = scope
    while level is not None and not found:
        found = level.sources
        level = level.parent
    return found
