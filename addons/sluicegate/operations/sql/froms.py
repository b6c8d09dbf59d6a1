"""What stands in FROM: tables, CTEs, subqueries, joins and functions, as sources of columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlglot import exp

from sluicegate.operations.sql import functions
from sluicegate.operations.sql.expressions import Expressions
from sluicegate.operations.sql.lexical import Opaque
from sluicegate.operations.sql.nodes import strange
from sluicegate.operations.sql.scope import Env, Scope
from sluicegate.operations.sql.sources import EVERY, UNKNOWN, Item, Source, nested, union
from sluicegate.operations.sql.tables import fold, path_of

_LATERAL = frozenset({"duckdb", "bigquery", "clickhouse", ""})
"""Languages in which a subquery in FROM may read what stands before it without the word LATERAL."""


class Froms(Expressions):
    """Sources, for the names of expressions to be looked up in."""

    def _with(self, node: exp.Expr, parent: Scope | None, env: Env) -> Env:
        raise NotImplementedError

    def _ordered(self, node: exp.Expr, items: list[Item], parent: Scope | None, env: Env) -> None:
        raise NotImplementedError

    def _values(self, node: exp.Values, scope: Scope) -> list[Item]:
        raise NotImplementedError

    def _joins(self, joins: Iterable[exp.Join], scope: Scope, env: Env) -> None:
        joins = list(joins)
        for join in joins:
            self._source(join.this, scope, env)
            args = join.args
            if str(args.get("kind") or "").upper() not in ("", "INNER", "CROSS", "OUTER") or args.get("method"):
                scope.merged = True
            if args.get("pivots") or args.get("expressions") or args.get("nearest"):
                self._blur("a join has a clause that is not looked into")
            if args.get("using"):
                scope.merged = True
            if str(args.get("method") or "").upper() == "NATURAL":
                self._natural(scope)
        for join in joins:
            self._predicate(join.args.get("on"), scope)
            self._predicate(join.args.get("match_condition"), scope)
            for name in join.args.get("using") or ():
                self._add(self._named(name.name, bool(name.args.get("quoted")), scope, ""), predicate=True)

    def _natural(self, scope: Scope) -> None:
        """A natural join compares all columns that both sides have, and says none of them."""
        left, right = scope.sources[:-1], scope.sources[-1]
        for source in left:
            for item in source.columns():
                for other in right.columns():
                    if item.source or other.source or not item.name or fold(item.name) == fold(other.name):
                        self._add(item.origins | other.origins, predicate=True)

    def _source(self, node: exp.Expr, scope: Scope, env: Env) -> None:
        if isinstance(node, exp.Final):
            node = node.this
        if isinstance(node, exp.Table):
            scope.sources.append(self._table(node, scope, env))
        elif isinstance(node, exp.Subquery):
            self._derived(node, scope, env)
        elif isinstance(node, exp.Values):
            scope.sources.append(self._aliased(node, self._values(node, scope)))
        elif isinstance(node, exp.Lateral | exp.Unnest | exp.TableFromRows | exp.Func):
            scope.sources.append(self._function(node, scope))
        else:
            self._blur(f"{type(node).__name__} in FROM is not looked into")
            scope.sources.append(Source((), "", blur=UNKNOWN))
        self._joins(node.args.get("joins") or (), scope, env)
        for lateral in node.args.get("laterals") or ():
            self._source(lateral, scope, env)

    def _derived(self, node: exp.Subquery, scope: Scope, env: Env) -> None:
        env = self._with(node, scope.parent, env)
        if strange(node, exp.Subquery):
            self._blur("a subquery has a clause that is not looked into")
        outer = scope if self._name in _LATERAL else scope.parent
        if isinstance(node.this, exp.Query):
            items = self._query(node.this, outer, env)
        else:  # (a join b) as x
            within = Scope(outer, env)
            self._source(node.this, within, env)
            if not node.alias:
                scope.sources += within.sources
                scope.merged |= within.merged
                return
            items = self._spread(within)
        self._ordered(node, items, outer, env)
        scope.sources.append(self._aliased(node, items))

    def _aliased(self, node: exp.Expr, items: list[Item]) -> Source:
        alias = node.args.get("alias")
        if not isinstance(alias, exp.TableAlias) or alias.this is None:
            return Source((), "", renamed(items, alias))
        return Source((fold(alias.name),), self._exact(alias.this), renamed(items, alias))

    def _table(self, node: exp.Table, scope: Scope, env: Env) -> Source:
        self._seen.add(id(node))
        if strange(node, exp.Table):
            self._blur("a table has a clause that is not looked into")
        if isinstance(node.this, exp.Func):
            return self._function(node, scope)
        for name in ("version", "when", "sample", "system_time"):
            self._predicate(node.args.get(name), scope)
        if not node.args.get("db") and isinstance(node.this, exp.Identifier):
            known = env.ctes.get(fold(node.name))
            if known is not None:
                exact, items = known
                if items is not None and exact == self._exact(node.this):
                    if node.alias:
                        return self._aliased(node, items)
                    return Source((fold(node.name),), exact, renamed(items, node.args.get("alias")))
                self._blur("it is not clear whether a CTE or a table of the same name is meant")
        return self._base(node)

    def _base(self, node: exp.Table) -> Source:
        self._seen.add(id(node))
        if isinstance(node.this, exp.Func):
            return Source((), "", blur=UNKNOWN)
        path = path_of(node)
        table = self._tables.find(path, ".".join(path))
        self.found[table.datasets] = table
        names = self._declared.get(table.datasets[0], {}) if len(table.datasets) == 1 else {}
        alias = node.args.get("alias")
        items: list[Item] | None = None
        if table.columns is not None:
            key = table.datasets[0]
            items = [
                Item(name, frozenset((key, each) for each in (name, *nested(fold(name), names))), copied=True)
                for name in table.columns
            ]
        if alias is not None and alias.args.get("columns"):
            items = renamed(
                items or [Item("", frozenset((key, EVERY) for key in table.datasets), Source((), ""))], alias
            )
        if alias is not None and alias.this is not None:
            return Source((fold(alias.name),), self._exact(alias.this), items, table, names)
        return Source(tuple(map(fold, path)), self._exact(node.this), items, table, names)

    def _function(self, node: exp.Expr, scope: Scope) -> Source:
        """A function in FROM: each of its columns may be made from each of its arguments."""
        alias = node.args.get("alias")
        inner: list[Any] = [node.this] if not isinstance(node, exp.Unnest) else list(node.expressions)
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery | exp.Query):
            query = node.this
            items = self._query(query, scope, scope.env)
            return self._aliased(node if alias else query, items)
        if isinstance(node, exp.TableFromRows) and not isinstance(node.this, exp.Func):
            raise Opaque("a table is named in a text")
        blur = union(self._origins(part, scope) for part in inner if isinstance(part, exp.Expr))
        if any(isinstance(part, exp.Func) and functions.unknown(part) for part in inner):
            self._blur("a function in FROM may read anything")
            blur |= UNKNOWN
        if alias is None or not isinstance(alias, exp.TableAlias):
            return Source((), "", blur=blur)
        columns = [fold(column.name) for column in alias.columns]
        name = fold(alias.name) if alias.this is not None else ""
        only = frozenset([*columns, name]) if columns and self._name != "bigquery" else None
        return Source((name,) if name else (), self._exact(alias.this) if name else "", blur=blur, only=only)

    def _spread(self, scope: Scope) -> list[Item]:
        """The columns that `*` stands for."""
        if scope.merged or not scope.sources:
            everything = Source((), "", [Item("", source.whole(), source) for source in scope.sources])
            return [Item("", everything.whole() if scope.sources else UNKNOWN, everything)]
        self._spend(sum(len(source.items or ()) for source in scope.sources))
        return [item for source in scope.sources for item in source.columns()]


def renamed(items: list[Item], alias: Any) -> list[Item]:
    """The columns under the names that an alias gives them."""
    columns = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
    if not columns:
        return items
    if any(item.source is not None for item in items):
        everything = union(item.origins for item in items)
        return [Item("", everything, Source((), "", blur=everything))]
    return [item._replace(name=columns[at].name) if at < len(columns) else item for at, item in enumerate(items)]
