"""Tables by name: which of the datasets that the policy declares a statement means."""

from __future__ import annotations

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect, NormalizationStrategy

from sluicegate.operations.dialect import Known
from sluicegate.operations.sql.lexical import Opaque

Path = tuple[str, ...]


def fold(name: str) -> str:
    """A name in the form in which names are compared when in doubt: compatibility forms and without case."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFKC", name).casefold()


class Case(NamedTuple):
    """How a language folds names that are not quoted, and whether it then looks at their case."""

    upper: bool
    lower: bool
    exact: bool

    def normal(self, name: str, quoted: bool) -> str:
        """The name as the engine keeps it."""
        if not self.exact:
            return fold(name)
        if quoted or not (self.upper or self.lower):
            return name
        return name.upper() if self.upper else name.lower()


def case_of(language: Dialect) -> Case:
    """The rule of a language."""
    strategy = language.normalization_strategy
    insensitive = strategy in (
        NormalizationStrategy.CASE_INSENSITIVE,
        NormalizationStrategy.CASE_INSENSITIVE_UPPERCASE,
    )
    return Case(
        strategy is NormalizationStrategy.UPPERCASE, strategy is NormalizationStrategy.LOWERCASE, not insensitive
    )


class Table(NamedTuple):
    """A table that a statement names."""

    datasets: tuple[str, ...]
    """Table keys, or the one name on the wire where nothing is declared. Several: it is not clear which is meant."""
    declared: bool
    columns: tuple[str, ...] | None
    """Every column in the service's order, where the policy says them and there is one dataset."""


class Declared:
    """What the policy declares of a service, in the form that names are compared in."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.every: list[tuple[Path, str]] = []
        self._ending: dict[str, list[tuple[Path, str]]] = {}
        for name, key in known.datasets.items():
            path = tuple(fold(part.strip('"`[]')) for part in name.split("."))
            entry = (_complete(path, known.catalog, known.schema), key)
            self.every.append(entry)
            self._ending.setdefault(entry[0][-1], []).append(entry)
        self.columns: dict[str, dict[str, str]] = {
            key: {fold(column): column for column in columns} for key, columns in known.columns.items()
        }
        """Table key to its columns: folded name to the name that the policy declares."""

    def ending(self, last: str) -> list[tuple[Path, str]]:
        """The tables whose last part may be that name. An empty part (`db.`) may be any."""
        return self.every if not last or "" in self._ending else self._ending.get(last, [])


_KEPT = 16
_kept: OrderedDict[int, Declared] = OrderedDict()


def declared_in(known: Known) -> Declared:
    """The same for each statement under one policy: with hundreds of datasets it takes longer than reading one."""
    found = _kept.get(id(known))
    if found is None or found.known is not known:
        found = _kept[id(known)] = Declared(known)
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
    return found


@dataclass(frozen=True)
class Tables:
    """The declared tables of a service, with the session's defaults."""

    declared: Declared
    all_columns: Mapping[str, tuple[str, ...]]
    catalog: str | None
    schema: str | None

    @classmethod
    def of(cls, known: Known, catalog: str | None, schema: str | None) -> Tables:
        """`catalog` and `schema` are the session's; where they are None, those of the policy hold."""
        return cls(declared_in(known), known.all_columns or {}, catalog or known.catalog, schema or known.schema)

    def find(self, path: Path, shown: str) -> Table:
        """The table of that name. `shown` is what it is called when nothing is declared."""
        asked = _complete(tuple(map(fold, path)), self.catalog, self.schema)
        near = self.declared.ending(asked[-1] if asked else "")
        found = tuple(dict.fromkeys(key for declared, key in near if _same(declared, asked)))
        if not found:
            return Table((shown,), False, None)
        columns = self.all_columns.get(found[0]) if len(found) == 1 else None
        return Table(found, True, columns)


def _complete(path: Path, catalog: str | None, schema: str | None) -> Path:
    if len(path) == 1 and schema:
        path = (*(fold(part) for part in schema.split(".")), *path)
    if len(path) == 2 and catalog:
        path = (fold(catalog), *path)
    return path


def _same(one: Path, other: Path) -> bool:
    """Whether the shorter is how the longer ends. An empty part (`db..t`) may be any."""
    return all(a == b or not a or not b for a, b in zip(reversed(one), reversed(other), strict=False))


_FILE = re.compile(
    r"\.(?:csv|tsv|txt|json|jsonl|ndjson|parquet|orc|avro|arrow|xlsx|db|sqlite|duckdb|gz|zst)$", re.IGNORECASE
)
"""DuckDB and others read a file where a table has such a name."""


def path_of(table: exp.Table) -> Path:
    """The parts of a table's name. Raises Opaque for what is no plain name: a stage, a file, an address."""
    parts: list[str] = []
    for part in table.parts:
        if not isinstance(part, exp.Identifier):
            raise Opaque("a table is named by something else than a name")
        name = part.name
        if any(c in name for c in "/\\:@*?,") or name != name.strip() or _FILE.search(name):
            raise Opaque("a file, stage or address is read as if it were a table")
        parts.append(name)
    if parts and "." in parts[0] and len(parts) == 1:
        parts = parts[0].split(".")  # BigQuery quotes whole paths: `project.dataset.table`
    return tuple(parts)
