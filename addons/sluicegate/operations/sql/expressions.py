"""What an expression is made from: every name that it reads, in every meaning that the name may have."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from sluicegate.operations.sql import functions
from sluicegate.operations.sql.lexical import Opaque
from sluicegate.operations.sql.scope import Env, Scope, around
from sluicegate.operations.sql.sources import NOTHING, UNKNOWN, Item, Origins, Pair, Source, union
from sluicegate.operations.sql.tables import Table, Tables, case_of, fold

MAX_WORK = 100_000
"""How many columns, sources and queries are looked at; each counts again whenever recursion has to be followed."""
_ALIASES = {
    "clickhouse": "any",
    **dict.fromkeys(("snowflake", "redshift", "databricks", "spark", "hive", "duckdb", "sqlite", ""), "after"),
}
"""Languages in which a select list may use its own aliases: instead of columns, or where there is no such column."""
_BINDINGS = frozenset(
    {"postgres", "redshift", "duckdb", "bigquery", "sqlite", "clickhouse", "trino", "presto", "athena"}
)
"""Languages in which `$1` and `@x` are parameters of the request; elsewhere they are columns or variables."""
_ATTRIBUTES = frozenset({"postgres", "redshift"})
"""Languages in which `e.f` may be the function f of the whole row e."""
_DISGUISES = {
    **dict.fromkeys(("databricks", "spark", "hive"), re.compile(r"[^\w\s-]")),  # patterns, if a setting says so
    "clickhouse": re.compile(r"\."),  # what is qualified, in one pair of quotes
    "sqlite": re.compile(r"\A(?:rowid|oid|_rowid_)\Z", re.IGNORECASE),  # the key, whatever it is called
}
"""Names that may mean columns of other names, by language."""
_QUANTIFIED = (exp.Exists, exp.In, exp.SubqueryPredicate, exp.Any, exp.All)
_LEAVES = (exp.Literal, exp.Identifier, exp.DataType, exp.JSONPath, exp.Var, exp.Null, exp.Boolean, exp.Placeholder)


class Expressions:
    """What expressions are made from. Names are looked up in a scope; queries inside are left to `_query`."""

    def __init__(self, tables: Tables, language: Dialect, name: str, declared: dict[str, dict[str, str]]) -> None:
        self._tables, self._name = tables, name
        self._case = case_of(language)
        self._declared = declared
        self._aliases = _ALIASES.get(name, "")
        self._disguises = _DISGUISES.get(name)
        self._work = 0
        self._seen: set[int] = set()
        self._named_tables: list[exp.Table] = []
        """Every table in the text, by the words alone."""
        self.touched: set[Pair] = set()
        self.predicates: set[Pair] = set()
        self.found: dict[tuple[str, ...], Table] = {}
        """The tables that are read, by their datasets."""
        self.coarse = ""
        """Why nothing more exact is known."""
        self._idle = False
        """Whether the next query is one of which only the existence of rows counts: its plain columns are not read."""
        self.functions: dict[str, None] = {}
        """Names of functions that are not known to be harmless."""

    def _query(self, node: exp.Expr, parent: Scope | None, env: Env) -> list[Item]:
        raise NotImplementedError

    def _predicate(self, node: Any, scope: Scope, aliases: bool = False) -> None:
        if node is None:
            return
        for part in node if isinstance(node, list) else [node]:
            if isinstance(part, exp.Expr):
                before, self.touched = self.touched, set()
                self._origins(part, scope, "any" if aliases else None)
                inner, self.touched = self.touched, before
                self.touched |= inner
                self.predicates |= inner

    def _add(self, origins: Origins, predicate: bool = False) -> None:
        self.touched |= origins
        if predicate:
            self.predicates |= origins

    def _origins(self, node: exp.Expr, scope: Scope, aliases: str | None = None) -> Origins:
        """What an expression is made from. Whatever it reads is touched."""
        mode = self._aliases if aliases is None else aliases
        found: set[Pair] = set()
        stack: list[exp.Expr] = [node]
        while stack:
            part = stack.pop()
            if isinstance(part, exp.Column):
                if isinstance(part.this, exp.Star):
                    if not isinstance(part.parent, exp.Count):
                        found |= union(source.whole() for source in around(scope))
                else:
                    found |= self._column(part, scope, mode)
            elif isinstance(part, _LEAVES):
                continue
            elif isinstance(part, exp.Query) and not (
                isinstance(part, exp.Subquery) and not isinstance(part.this, exp.Query)
            ):
                found |= self._subquery(part, scope)
            elif isinstance(part, exp.Star):
                if not isinstance(part.parent, exp.Count):
                    found |= union(source.whole() for source in around(scope)) | UNKNOWN
            elif isinstance(part, exp.Parameter | exp.SessionParameter):
                if self._name not in _BINDINGS:
                    found |= UNKNOWN
            else:
                if isinstance(part, exp.Func) and type(part) not in functions.TYPED and functions.unknown(part):
                    found |= UNKNOWN  # nobody knows what it looks at besides its arguments
                if isinstance(part, exp.In) and self._names_table(part):
                    raise Opaque("a table, or a list in a column, is named after IN")
                for value in part.args.values():
                    if isinstance(value, exp.Expr):
                        stack.append(value)
                    elif isinstance(value, list):
                        stack += [inner for inner in value if isinstance(inner, exp.Expr)]
        self._spend(len(found))
        self.touched |= found
        return frozenset(found)

    def _names_table(self, node: exp.In) -> bool:
        if node.args.get("field") is not None:
            return True
        # ClickHouse drops the brackets: `x IN (t)` is `x IN t`.
        return self._name == "clickhouse" and [type(one) for one in node.expressions] == [exp.Column]

    def _subquery(self, node: exp.Expr, scope: Scope) -> Origins:
        around = node.parent
        while isinstance(around, exp.Paren | exp.Subquery):
            around = around.parent
        before, self.touched = self.touched, set()
        self._idle = isinstance(around, exp.Exists) and isinstance(node, exp.Select)
        items = self._query(node, scope, scope.env)
        self._idle = False
        inner, self.touched = self.touched, before
        self.touched |= inner
        if isinstance(around, _QUANTIFIED):
            return frozenset(inner)  # true or false, by all that it looks at
        # Its predicates choose one of several values, so they are not what the value is made from.
        return union(item.origins for item in items)

    def _column(self, node: exp.Column, scope: Scope, mode: str) -> Origins:
        parts = list(node.parts)
        if not all(isinstance(part, exp.Identifier) for part in parts):  # `e.$3`
            return union(source.whole() for source in around(scope)) | UNKNOWN
        if len(parts) == 1:
            name = parts[0]
            return self._named(name.name, bool(name.args.get("quoted")), scope, mode)
        folded = tuple(fold(part.name) for part in parts)
        found: set[Pair] = set()
        level: Scope | None = scope
        any_found = False
        while level is not None:
            certain = False
            self._spend(len(level.sources) + 1)
            for source in level.sources:
                for width in range(len(parts) - 1, 0, -1):
                    if source.path[-width:] != folded[:width]:
                        continue
                    part = parts[width]
                    origins, _ = self._of(source, part.name, bool(part.args.get("quoted")))
                    if origins is None:
                        origins = source.whole() | UNKNOWN
                    elif self._name in _ATTRIBUTES and _is_function(part.name) and not source.items:
                        origins |= source.whole()
                    found |= origins
                    any_found = True
                    certain |= source.exact == self._exact(parts[width - 1])
                    break
            if certain:
                break
            level = level.parent
        first = parts[0]
        if not any_found:  # the field of a value in a column
            found |= self._named(first.name, bool(first.args.get("quoted")), scope, mode)
        else:
            found |= self._fields(first, scope)
        return frozenset(found)

    def _of(self, source: Source, name: str, quoted: bool) -> tuple[Origins | None, bool]:
        """What a source's column of that name is made from, where the name may be another one's in disguise."""
        origins, sure = source.column(name, quoted)
        if origins is None or sure or self._disguises is None or self._disguises.search(name) is None:
            return origins, sure
        return (origins, False) if fold(name) in source.names else (origins | source.whole(), False)

    def _fields(self, first: exp.Expr, scope: Scope) -> Origins:
        """A column that is called as a source is, whose field may be meant."""
        found: set[Pair] = set()
        for source in scope.sources:
            if source.items is not None or fold(first.name) in source.names:
                origins, _ = source.column(first.name, bool(first.args.get("quoted")))
                found |= origins or NOTHING
        return frozenset(found)

    def _named(self, name: str, quoted: bool, scope: Scope, mode: str) -> Origins:
        """A name that is not qualified: a column of any source here or further out, an alias, or a whole row."""
        folded = fold(name)
        # What WITH calls an expression is meant before a column of that name.
        scalar = scope.env.scalars.get(folded)
        found: set[Pair] = set(scalar or ())
        hit = scalar is not None
        level: Scope | None = scope
        while level is not None:
            certain = False
            self._spend(len(level.sources) + 1)
            for source in level.sources:
                origins, sure = self._of(source, name, quoted)
                if origins is not None:
                    found |= origins
                    hit = True
                    certain |= sure
            if not certain:
                for source in level.sources:
                    if source.path and source.path[-1] == folded:
                        found |= source.whole()
                        hit = True
            if folded in level.aliases and (mode == "any" or (mode and not certain)):
                found |= self._alias(folded, level)
                hit = True
            if certain:
                return frozenset(found)
            level = level.parent
        return frozenset(found) if hit else UNKNOWN

    def _alias(self, name: str, scope: Scope) -> Origins:
        known = scope.known.get(name)
        if known is not None:
            return known
        if name in scope.busy:
            return NOTHING
        scope.busy.add(name)
        found = union(self._origins(node, scope) for node in scope.aliases[name])
        scope.busy.discard(name)
        if not scope.busy:
            scope.known[name] = found
        return found

    def _exact(self, node: Any) -> str:
        return self._case.normal(node.name, bool(node.args.get("quoted"))) if isinstance(node, exp.Expr) else ""

    def _spend(self, work: int) -> None:
        self._work += work
        if self._work > MAX_WORK:
            raise Opaque("the statement is too large to be followed")

    def _blur(self, why: str) -> None:
        self.coarse = self.coarse or why


def _is_function(name: str) -> bool:
    lower = name.lower()
    return lower in functions.NAMED or lower.upper() in exp.FUNCTION_BY_NAME
