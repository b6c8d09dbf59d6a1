"""From which base columns each column of a result is made, in one pass over the syntax tree.

The walk keeps, for every query, a list of its columns by position with what each is made from. Where a name could
mean several things it means all of them, so what is reported may be too much and is never too little. Where the text
does not say (a `*` over a table of which not all columns are known, a natural join, syntax that is not looked into) it
is coarse.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from sluicegate.operations.sql import functions
from sluicegate.operations.sql.lexical import Opaque
from sluicegate.operations.sql.nodes import PLAIN, strange
from sluicegate.operations.sql.sources import EVERY, NOTHING, UNKNOWN, Item, Origins, Pair, Source, merged, union
from sluicegate.operations.sql.tables import Path, Table, Tables, case_of, fold, path_of

MAX_WORK = 20_000
"""How many queries are walked, counting each again where recursion has to be followed."""
_ROUNDS = 32

_ALIASES = {
    "clickhouse": "any",
    **dict.fromkeys(("snowflake", "redshift", "databricks", "spark", "hive", "duckdb", "sqlite", ""), "after"),
}
"""Languages in which a select list may use its own aliases: instead of columns, or where there is no such column."""
_SELF = frozenset({"snowflake", "sqlite", "tsql", "oracle", "teradata", ""})
"""Languages in which a CTE may name itself without the word RECURSIVE."""
_BINDINGS = frozenset(
    {"postgres", "redshift", "duckdb", "bigquery", "sqlite", "clickhouse", "trino", "presto", "athena"}
)
"""Languages in which `$1` and `@x` are parameters of the request; elsewhere they are columns or variables."""
_LATERAL = frozenset({"duckdb", "bigquery", "clickhouse", ""})
"""Languages in which a subquery in FROM may read what stands before it without the word LATERAL."""
_ATTRIBUTES = frozenset({"postgres", "redshift"})
"""Languages in which `e.f` may be the function f of the whole row e."""

_QUANTIFIED = (exp.Exists, exp.In, exp.SubqueryPredicate, exp.Any, exp.All)
_LEAVES = (exp.Literal, exp.Identifier, exp.DataType, exp.JSONPath, exp.Var, exp.Null, exp.Boolean, exp.Placeholder)
_MANY = (exp.Posexplode, exp.Inline, exp.Stack, exp.Explode, exp.Aliases)
"""Functions in a select list that may make several columns of one."""

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


class Lineage:
    """What one statement reads."""

    def __init__(self, tables: Tables, language: Dialect, name: str, declared: dict[str, dict[str, str]]) -> None:
        self._tables, self._name = tables, name
        self._case = case_of(language)
        self._declared = declared
        self._aliases = _ALIASES.get(name, "")
        self._work = 0
        self._seen: set[int] = set()
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

    def read(self, node: exp.Expr) -> list[Item]:
        """The columns of a query. Raises Opaque for what it makes no sense to read further."""
        self.screen(node)
        items = self._query(node, None, Env({}, {}))
        self._rest(node)
        return items

    def blot(self, node: exp.Expr) -> None:
        """Everything of every table that is named, for statements that are no queries."""
        self.screen(node)
        self.coarse = self.coarse or "it is not a plain query"
        self._rest(node)

    def screen(self, node: exp.Expr) -> None:
        """Look at every node once: functions, and syntax that may hide what is read."""
        for part in node.walk():
            kind = type(part)
            if isinstance(part, exp.Func):
                if kind not in functions.TYPED or isinstance(part.parent, exp.Dot):
                    name = functions.unknown(part)
                    if name is not None:
                        self.functions[name] = None
            elif kind not in PLAIN:
                self.coarse = self.coarse or f"{kind.__name__} is not looked into"

    def _rest(self, node: exp.Expr) -> None:
        """Tables that the walk has not come by, whatever CTEs are called: without exact lineage each may be read."""
        for table in node.find_all(exp.Table):
            if id(table) not in self._seen:
                self.coarse = self.coarse or "a table stands where none is expected"
                self._base(table)

    # Queries

    def _query(self, node: exp.Expr, parent: Scope | None, env: Env) -> list[Item]:
        self._work += 1
        if self._work > MAX_WORK:
            raise Opaque("the statement is too large to be followed")
        if isinstance(node, exp.Select):
            return self._select(node, parent, env)
        if isinstance(node, exp.SetOperation):
            return self._union(node, parent, env)
        if isinstance(node, exp.Subquery):
            return self._wrapped(node, parent, env)
        if isinstance(node, exp.Values):
            return self._values(node, Scope(parent, env))
        if isinstance(node, exp.Table):
            scope = Scope(parent, env)
            self._source(node, scope, env)
            return self._spread(scope)
        raise Opaque("something else than a query stands where a query is expected")

    def _wrapped(self, node: exp.Subquery, parent: Scope | None, env: Env) -> list[Item]:
        env = self._with(node, parent, env)
        if strange(node, exp.Subquery):
            self._blur("a subquery has a clause that is not looked into")
        if node.args.get("joins") or node.args.get("laterals") or not isinstance(node.this, exp.Query):
            scope = Scope(parent, env)
            self._source(node, scope, env)
            return self._spread(scope)
        items = self._query(node.this, parent, env)
        self._ordered(node, items, parent, env)
        return items

    def _union(self, node: exp.SetOperation, parent: Scope | None, env: Env) -> list[Item]:
        spine: list[exp.SetOperation] = []
        left: exp.Expr = node
        arms: list[tuple[exp.Expr, Env]] = []
        while isinstance(left, exp.SetOperation):
            if strange(left, exp.SetOperation):
                self._blur("a set operation goes by name, or has a clause that is not looked into")
            env = self._with(left, parent, env)
            spine.append(left)
            arms.append((left.expression, env))
            left = left.this
        items = merged([self._query(arm, parent, seen) for arm, seen in [(left, env), *reversed(arms)]])
        for operation in spine:
            self._ordered(operation, items, parent, env)
        return items

    def _ordered(self, node: exp.Expr, items: list[Item], parent: Scope | None, env: Env) -> None:
        """ORDER BY, LIMIT and so on, that stand behind a whole query and speak of its columns."""
        clauses = [node.args.get(name) for name in ("where", "order", "limit", "offset")]
        if any(clauses):
            scope = Scope(parent, env)
            scope.sources.append(Source((), "", items))
            for clause in clauses:
                self._predicate(clause, scope)

    def _with(self, node: exp.Expr, parent: Scope | None, env: Env) -> Env:
        clause = node.args.get("with_")
        if clause is None:
            return env
        inner = Env(dict(env.ctes), dict(env.scalars))
        ctes: list[exp.CTE] = clause.expressions
        for cte in ctes:
            if not cte.args.get("scalar"):
                inner.ctes[fold(cte.alias)] = (self._exact(cte.args["alias"].this), None)
        for cte in ctes:
            name = fold(cte.alias)
            if cte.args.get("scalar"):
                inner.scalars[name] = self._origins(cte.this, Scope(parent, inner))
                continue
            exact = inner.ctes[name][0]
            items = self._cte(cte, bool(clause.args.get("recursive")), env, inner, parent)
            inner.ctes[name] = (exact, _renamed(items, cte.args["alias"]))
        return inner

    def _cte(self, cte: exp.CTE, recursive: bool, outer: Env, inner: Env, parent: Scope | None) -> list[Item]:
        name, body = fold(cte.alias), cte.this
        itself = any(fold(table.name) == name and not table.args.get("db") for table in body.find_all(exp.Table))
        if not itself:
            return self._query(body, parent, inner)
        exact = inner.ctes[name][0]
        if not (recursive or self._name in _SELF) or not isinstance(body, exp.SetOperation):
            if recursive:
                self._blur("a recursive CTE has no first part")
            env = Env(dict(inner.ctes), inner.scalars)
            env.ctes.pop(name)
            if name in outer.ctes:
                env.ctes[name] = outer.ctes[name]
            return self._query(body, parent, env)
        if not recursive and self._tables.find((cte.alias,), name).declared:
            self._blur("it is not clear whether a CTE reads itself or the table of that name")
        items = self._query(_first(body), parent, inner)  # the first part reads no rows of its own
        for _ in range(_ROUNDS):
            env = Env({**inner.ctes, name: (exact, _renamed(items, cte.args["alias"]))}, inner.scalars)
            after = merged([items, self._query(body, parent, env)])
            if after == items:
                break
            items = after
        else:
            self._blur("a recursive CTE takes too many rounds")
        return items

    def _select(self, node: exp.Select, parent: Scope | None, env: Env) -> list[Item]:
        env = self._with(node, parent, env)
        args = node.args
        if strange(node, exp.Select):
            self._blur("a query has a clause that is not looked into")
        scope = Scope(parent, env)
        if args.get("from_"):
            self._source(args["from_"].this, scope, env)
        joins = args.get("joins") or ()
        self._joins(joins, scope, env)
        for lateral in args.get("laterals") or ():
            self._source(lateral, scope, env)
        self._name_aliases(node, scope)
        items: list[Item] = []
        idle, self._idle = self._idle, False
        for projection in node.expressions:
            if not (idle and isinstance(projection, exp.Star | exp.Column | exp.Literal)):
                self._project(projection, scope, items)
        for name in ("where", "prewhere"):
            self._predicate(args.get(name), scope)
        for name in (
            "group",
            "having",
            "qualify",
            "windows",
            "distribute",
            "sort",
            "cluster",
            "order",
            "limit",
            "offset",
            "distinct",
            "sample",
        ):
            self._predicate(args.get(name), scope, aliases=True)
        return items

    def _values(self, node: exp.Values, scope: Scope) -> list[Item]:
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions]
        return merged([[Item("", self._origins(value, scope)) for value in row] for row in rows] or [[]])

    # Sources

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
            return Source((), "", _renamed(items, alias))
        return Source((fold(alias.name),), self._exact(alias.this), _renamed(items, alias))

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
                    return Source((fold(node.name),), exact, _renamed(items, node.args.get("alias")))
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
            items = [Item(name, frozenset({(table.datasets[0], name)})) for name in table.columns]
        if alias is not None and alias.args.get("columns"):
            items = _renamed(
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

    # Select lists

    def _spread(self, scope: Scope) -> list[Item]:
        """The columns that `*` stands for."""
        if scope.merged or not scope.sources:
            everything = Source((), "", [Item("", source.whole(), source) for source in scope.sources])
            return [Item("", everything.whole() if scope.sources else UNKNOWN, everything)]
        return [item for source in scope.sources for item in source.columns()]

    def _project(self, node: exp.Expr, scope: Scope, items: list[Item]) -> None:
        if isinstance(node, exp.Star):
            items += self._starred(node, self._spread(scope), scope)
            return
        if isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            parts = tuple(fold(part.name) for part in node.parts[:-1])
            matches = [source for source in _around(scope) if source.path[-len(parts) :] == parts]
            if len(matches) != 1:
                self._blur("it is not clear whose columns are meant by a `*`")
            found = matches[0].columns() if matches else []
            if scope.merged and matches:
                found = [Item("", matches[0].whole(), matches[0])]
            items += self._starred(node.this, found, scope)
            return
        if node.is_star:
            self._blur("the fields of a value are spread")
        inner = node.this if isinstance(node, exp.Alias) else node
        if isinstance(inner, _MANY) and not (isinstance(inner, exp.Explode) and isinstance(node, exp.Alias)):
            self._blur("a function makes several columns of one")
        origins = self._origins(node, scope)
        named = isinstance(node, exp.Alias | exp.Subquery) and node.alias
        items.append(Item(named or (node.name if isinstance(node, exp.Column) else ""), origins))

    def _starred(self, star: exp.Expr, found: list[Item], scope: Scope) -> list[Item]:
        """What is left of the columns of a `*`, with EXCEPT, REPLACE and RENAME."""
        asked = {name for name, value in star.args.items() if value}
        if asked - {"except_", "replace", "rename"}:
            self._blur("a `*` is followed by what is not looked into")
        dropped = {fold(part.name) for part in star.args.get("except_") or ()}
        replaced = {fold(part.alias): self._origins(part.this, scope) for part in star.args.get("replace") or ()}
        renamed = {fold(part.this.name): part.alias for part in star.args.get("rename") or ()}
        if not any(item.source is not None for item in found):
            # Where names or numbers of columns are not known, what is left out cannot be told by position.
            found = [item for item in found if fold(item.name) not in dropped]
            found = [
                Item(renamed.get(fold(item.name), item.name), replaced.get(fold(item.name), item.origins))
                for item in found
            ]
        self._add(union(item.origins for item in found))
        return found

    def _name_aliases(self, node: exp.Select, scope: Scope) -> None:
        for projection in node.expressions:
            if isinstance(projection, exp.Alias):
                scope.aliases.setdefault(fold(projection.alias), []).append(projection.this)
        if self._aliases == "any":  # an alias may be given anywhere inside an expression
            for part in node.find_all(exp.Alias):
                if isinstance(part.parent, exp.Select):
                    continue
                scope.aliases.setdefault(fold(part.alias), []).append(part.this)

    # Expressions

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
                        found |= union(source.whole() for source in _around(scope))
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
                    found |= union(source.whole() for source in _around(scope)) | UNKNOWN
            elif isinstance(part, exp.Parameter | exp.SessionParameter):
                if self._name not in _BINDINGS:
                    found |= UNKNOWN
            else:
                if isinstance(part, exp.In) and part.args.get("field") is not None:
                    raise Opaque("a table, or a list in a column, is named after IN")
                for value in part.args.values():
                    if isinstance(value, exp.Expr):
                        stack.append(value)
                    elif isinstance(value, list):
                        stack += [inner for inner in value if isinstance(inner, exp.Expr)]
        self.touched |= found
        return frozenset(found)

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
        if len(parts) == 1:
            name = parts[0]
            return self._named(name.name, bool(name.args.get("quoted")), scope, mode)
        folded = tuple(fold(part.name) for part in parts)
        found: set[Pair] = set()
        level: Scope | None = scope
        any_found = False
        while level is not None:
            certain = False
            for source in level.sources:
                for width in range(len(parts) - 1, 0, -1):
                    if source.path[-width:] != folded[:width]:
                        continue
                    part = parts[width]
                    origins, _ = source.column(part.name, bool(part.args.get("quoted")))
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
        found: set[Pair] = set()
        hit = False
        level: Scope | None = scope
        while level is not None:
            certain = False
            for source in level.sources:
                origins, sure = source.column(name, quoted)
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
        scalar = scope.env.scalars.get(folded)
        if scalar is not None:
            return frozenset(found) | scalar
        if not hit:
            return UNKNOWN
        return frozenset(found)

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

    def _blur(self, why: str) -> None:
        self.coarse = self.coarse or why


def _around(scope: Scope) -> list[Source]:
    found: list[Source] = []
    level: Scope | None = scope
    while level is not None and not found:
        found = level.sources
        level = level.parent
    return found


def _first(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.SetOperation):
        if node.args.get("with_"):
            raise Opaque("a recursive CTE has CTEs of its own")
        node = node.this
    return node


def _renamed(items: list[Item], alias: Any) -> list[Item]:
    """The columns under the names that an alias gives them."""
    columns = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
    if not columns:
        return items
    if any(item.source is not None for item in items):
        everything = union(item.origins for item in items)
        return [Item("", everything, Source((), "", blur=everything))]
    return [Item(columns[at].name, item.origins) if at < len(columns) else item for at, item in enumerate(items)]


def _is_function(name: str) -> bool:
    lower = name.lower()
    return lower in functions.NAMED or lower.upper() in exp.FUNCTION_BY_NAME


__all__ = ["Lineage", "Path"]
