"""Tables by name: which of the datasets that the policy declares a statement means."""

from __future__ import annotations

import unicodedata
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


@dataclass(frozen=True)
class Tables:
    """The declared tables of a service, with the session's defaults."""

    declared: tuple[tuple[Path, str], ...]
    all_columns: Mapping[str, tuple[str, ...]]
    catalog: str | None
    schema: str | None

    @classmethod
    def of(cls, known: Known, catalog: str | None, schema: str | None) -> Tables:
        """`catalog` and `schema` are the session's; where they are None, those of the policy hold."""
        paths = []
        for name, key in known.datasets.items():
            path = tuple(fold(part.strip('"`[]')) for part in name.split("."))
            paths.append((_complete(path, known.catalog, known.schema), key))
        return cls(tuple(paths), known.all_columns or {}, catalog or known.catalog, schema or known.schema)

    def find(self, path: Path, shown: str) -> Table:
        """The table of that name. `shown` is what it is called when nothing is declared."""
        asked = _complete(tuple(map(fold, path)), self.catalog, self.schema)
        found = tuple(dict.fromkeys(key for declared, key in self.declared if _same(declared, asked)))
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


def path_of(table: exp.Table) -> Path:
    """The parts of a table's name. Raises Opaque for what is no plain name: a stage, a file, an address."""
    parts: list[str] = []
    for part in table.parts:
        if not isinstance(part, exp.Identifier):
            raise Opaque("a table is named by something else than a name")
        name = part.name
        if any(c in name for c in "/\\:@*?") or name != name.strip():
            raise Opaque("a file, stage or address is read as if it were a table")
        parts.append(name)
    if parts and "." in parts[0] and len(parts) == 1:
        parts = parts[0].split(".")  # BigQuery quotes whole paths: `project.dataset.table`
    return tuple(parts)
