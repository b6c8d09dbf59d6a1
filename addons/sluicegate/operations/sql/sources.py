"""What stands in FROM: tables, subqueries and functions, and from which base columns their columns are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sluicegate.operations.sql.tables import Path, Table, fold

Pair = tuple[str, str]
"""Dataset and column. The column `*` stands for all columns of a dataset of which not all are known."""
Origins = frozenset[Pair]

EVERY = "*"
NOTHING: Origins = frozenset()
UNKNOWN: Origins = frozenset({("", EVERY)})
"""Made from columns that cannot be told."""


class Item(NamedTuple):
    """A column of a result; or, with `source`, the columns of a source, of which neither number nor names are known."""

    name: str
    """Empty where the service makes a name up."""
    origins: Origins
    source: Source | None = None
    copied: bool = False
    """Whether each value is a value of a base column, whole and unchanged."""


class Source:
    """A row source in a FROM clause."""

    __slots__ = ("_named", "_nameless", "_spread", "blur", "exact", "items", "names", "only", "path", "table")

    def __init__(
        self,
        path: Path,
        exact: str,
        items: list[Item] | None = None,
        table: Table | None = None,
        names: dict[str, str] | None = None,
        blur: Origins | None = None,
        only: frozenset[str] | None = None,
    ) -> None:
        self.path = path
        """How its columns may be qualified, folded: the alias, or the parts of the table's name."""
        self.exact = exact
        """Its last part as the engine keeps it."""
        self.items = items
        self.table = table
        self.names = names or {}
        """Of a base table: folded name to the name that the policy declares."""
        self.blur = blur
        """What any column of it is made from, where its columns cannot be told apart."""
        self.only = only
        """With `blur`: the only names that it has."""
        named: dict[str, Origins] = {}
        nameless = NOTHING
        spread: list[Source] = []
        for item in items or ():
            if item.source is not None:
                spread.append(item.source)
            elif item.name:
                name = fold(item.name)
                named[name] = named.get(name, NOTHING) | item.origins
            else:
                nameless |= item.origins
        self._named, self._nameless, self._spread = named, nameless, spread

    def column(self, name: str, quoted: bool) -> tuple[Origins | None, bool]:
        """What the column of that name is made from, None where there is none; and whether that is certain."""
        folded = fold(name)
        if "\\" in name:  # some engines read escapes in quoted names
            return self.whole(), False
        if self.blur is not None:
            return (None, False) if self.only is not None and folded not in self.only else (self.blur, False)
        if self.items is None:
            return self._leaf(name, folded, quoted), False
        found = self._named.get(folded)
        if found is not None and not self._spread:
            return found, True
        for source in self._spread:
            more, _ = source.column(name, quoted)
            if more is not None:
                found = (found or NOTHING) | more
        if found is None and self._nameless:
            return self._nameless, False  # `_col0`, `count`, `max(x)`: made-up names
        return found, False

    def _leaf(self, name: str, folded: str, quoted: bool) -> Origins:
        if self.table is None:
            return UNKNOWN
        shown = (self.names.get(folded) or (name if quoted else folded), *nested(folded, self.names))
        return frozenset((dataset, each) for dataset in self.table.datasets for each in shown)

    def copies(self, name: str) -> bool:
        """Whether the column of that name certainly holds values of one base column, whole and unchanged."""
        if self.blur is not None or "\\" in name:
            return False
        if self.items is None:
            return self.table is not None and len(self.table.datasets) == 1
        matches = [item for item in self.items if item.name and fold(item.name) == fold(name)]
        return not self._spread and len(matches) == 1 and matches[0].copied

    def whole(self) -> Origins:
        """What all of its columns are made from."""
        if self.blur is not None:
            return self.blur
        if self.items is None:
            return frozenset((dataset, EVERY) for dataset in self.table.datasets) if self.table else UNKNOWN
        return union(item.origins for item in self.items)

    def columns(self) -> list[Item]:
        """Its columns, in order, as `*` has them."""
        if self.blur is not None or self.items is None:
            return [Item("", self.whole(), self)]
        return self.items


def nested(name: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """The fields inside a column that the policy declares by a path (`info.ssn`). `names` are by folded name."""
    return tuple(said for key, said in names.items() if "." in key and key.startswith(f"{name}."))


def union(sets: Iterable[Origins]) -> Origins:
    """All of them together."""
    return NOTHING.union(*sets)


def merged(arms: list[list[Item]]) -> list[Item]:
    """The columns of a set operation: by position, named as in the first arm."""
    first = arms[0]
    if len(arms) == 1:
        return first
    width = len(first)
    if any(len(arm) != width for arm in arms) or any(item.source is not None for arm in arms for item in arm):
        everything = union(item.origins for arm in arms for item in arm)
        return [Item("", everything, Source((), "", blur=everything))]
    return [
        Item(item.name, union(arm[at].origins for arm in arms), copied=all(arm[at].copied for arm in arms))
        for at, item in enumerate(first)
    ]
