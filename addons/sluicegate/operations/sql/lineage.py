"""From which base columns each column of a result is made, in one pass over the syntax tree.

The walk keeps, for every query, a list of its columns by position with what each is made from. Where a name could
mean several things it means all of them, so what is reported may be too much and is never too little. Where the text
does not say (a `*` over a table of which not all columns are known, a natural join, syntax that is not looked into) it
is coarse.
"""

from __future__ import annotations

from sqlglot import exp

from sluicegate.operations.sql import functions
from sluicegate.operations.sql.clickhouse import check
from sluicegate.operations.sql.froms import Froms, renamed
from sluicegate.operations.sql.lexical import Opaque
from sluicegate.operations.sql.nodes import PLAIN, strange
from sluicegate.operations.sql.scope import Env, Scope, around
from sluicegate.operations.sql.sources import Item, Source, merged, union
from sluicegate.operations.sql.tables import fold

_ROUNDS = 32
_SELF = frozenset({"snowflake", "sqlite", "tsql", "oracle", "teradata", ""})
"""Languages in which a CTE may name itself without the word RECURSIVE."""
_MANY = (exp.Posexplode, exp.Inline, exp.Stack, exp.Explode, exp.Aliases)
"""Functions in a select list that may make several columns of one."""
_CLAUSES = (
    *((name, False) for name in ("where", "prewhere")),
    *((name, True) for name in ("group", "having", "qualify", "windows", "distribute", "sort", "cluster", "order")),
    *((name, True) for name in ("limit", "offset", "distinct", "sample")),
)
"""The clauses that choose or order rows, and whether the aliases of the select list can be meant in them."""
_QUIET = frozenset(kind for kind in PLAIN if not issubclass(kind, exp.Func | exp.Table))
"""Syntax of which nothing more has to be known than that it is there."""
_CHANGES = (exp.DML, exp.DDL, exp.Command)


class Lineage(Froms):
    """What one statement reads."""

    def read(self, node: exp.Expr) -> list[Item]:
        """The columns of a query. Raises Opaque for what it makes no sense to read further."""
        self.screen(node, changes=False)
        items = self._query(node, None, Env({}, {}))
        self._rest()
        return items

    def blot(self, node: exp.Expr) -> None:
        """Everything of every table that is named, for statements that are no queries."""
        self.screen(node)
        self.coarse = self.coarse or "it is not a plain query"
        self._rest()

    def screen(self, node: exp.Expr, *, changes: bool = True) -> None:
        """Look at every node once: functions, tables, and syntax that may hide what is read.

        Raises Opaque for rows that go to a program, and without `changes` for a statement that changes something.
        """
        clickhouse = self._name == "clickhouse"
        for part in node.walk():
            kind = type(part)
            if clickhouse:
                check(part)
            if kind in _QUIET:
                continue
            if isinstance(part, exp.Table):
                self._named_tables.append(part)
                continue
            if not changes and isinstance(part, _CHANGES) and not isinstance(part, exp.Query):
                raise Opaque("a query changes something")
            if kind is exp.QueryTransform:
                raise Opaque("rows are handed to a program")
            if kind is exp.Columns:
                self._blur("columns are named by a pattern")
            if isinstance(part, exp.Func):
                if kind not in functions.TYPED or isinstance(part.parent, exp.Dot):
                    name = functions.unknown(part)
                    if name is not None and part.find_ancestor(exp.Hint) is None:
                        self.functions[name] = None
            elif kind not in PLAIN:
                self.coarse = self.coarse or f"{kind.__name__} is not looked into"

    def _rest(self) -> None:
        """Tables that the walk has not come by, whatever CTEs are called: without exact lineage each may be read."""
        for table in self._named_tables:
            if id(table) not in self._seen:
                self.coarse = self.coarse or "a table stands where none is expected"
                self._base(table)

    def _query(self, node: exp.Expr, parent: Scope | None, env: Env) -> list[Item]:
        self._spend(1)
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
        if any(operation.args.get("distinct") or not isinstance(operation, exp.Union) for operation in spine):
            self.predicates |= union(item.origins for item in items)  # equal rows are told by all of their values
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
            inner.ctes[name] = (exact, renamed(items, cte.args["alias"]))
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
            env = Env({**inner.ctes, name: (exact, renamed(items, cte.args["alias"]))}, inner.scalars)
            after = merged([items, self._query(body, parent, env)])
            if _told(after) == _told(items):
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
        if args.get("distinct"):
            self.predicates |= union(item.origins for item in items)
        if self._name == "sqlite":  # columns that stand beside min() and max() come from the row that these choose
            for chosen in node.find_all(exp.Max, exp.Min):
                self._predicate(chosen, scope)
        for name, aliases in _CLAUSES:
            clause = args.get(name)
            if clause is not None:
                self._predicate(clause, scope, aliases)
        return items

    def _values(self, node: exp.Values, scope: Scope) -> list[Item]:
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions]
        return merged([[Item("", self._origins(value, scope)) for value in row] for row in rows] or [[]])

    def _project(self, node: exp.Expr, scope: Scope, items: list[Item]) -> None:
        if isinstance(node, exp.Star):
            items += self._starred(node, self._spread(scope), scope)
            return
        if isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            parts = tuple(fold(part.name) for part in node.parts[:-1])
            matches = [source for source in around(scope) if source.path[-len(parts) :] == parts]
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
        name = named or (node.name if isinstance(node, exp.Column) else "")
        items.append(Item(name, origins, copied=_copied(inner, scope)))

    def _starred(self, star: exp.Expr, found: list[Item], scope: Scope) -> list[Item]:
        """What is left of the columns of a `*`, with EXCEPT, REPLACE and RENAME."""
        asked = {name for name, value in star.args.items() if value}
        left_out = star.args.get("except_") or ()
        if asked - {"except_", "replace", "rename"} or not all(_is_name(part) for part in left_out):
            self._blur("a `*` is followed by what is not looked into")
        dropped = {fold(part.name) for part in left_out}
        replaced = {fold(part.alias): self._origins(part.this, scope) for part in star.args.get("replace") or ()}
        renamed = {fold(part.this.name): part.alias for part in star.args.get("rename") or ()}
        if not any(item.source is not None for item in found):
            # Where names or numbers of columns are not known, what is left out cannot be told by position.
            found = [item for item in found if fold(item.name) not in dropped]
            found = [
                Item(
                    renamed.get(fold(item.name), item.name),
                    replaced.get(fold(item.name), item.origins),
                    copied=item.copied and fold(item.name) not in replaced,
                )
                for item in found
            ]
        self._spend(sum(len(item.origins) for item in found) + len(found))
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


def _is_name(node: exp.Expr) -> bool:
    return isinstance(node, exp.Identifier) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier))


def _told(items: list[Item]) -> list[tuple[object, ...]]:
    """What is known of columns. Of sources of which nothing is known there is a new one each time."""
    return [(item.name, item.origins, item.source is None, item.copied) for item in items]


def _copied(node: exp.Expr, scope: Scope) -> bool:
    """Whether an expression is a column and nothing else, and certainly the column of one source of this query."""
    if not isinstance(node, exp.Column):
        return False
    *qualifier, last = node.parts
    name, path = last.name, tuple(fold(part.name) for part in qualifier)
    if path:
        sources = [source for source in scope.sources if source.path[-len(path) :] == path]
    else:
        aliases = scope.aliases.get(fold(name), ())
        if fold(name) in scope.env.scalars:
            return False
        if any(not isinstance(alias, exp.Column) or fold(alias.name) != fold(name) for alias in aliases):
            return False  # whether the alias or the column is meant differs from service to service
        quoted = bool(last.args.get("quoted"))
        sources = [source for source in scope.sources if source.column(name, quoted)[0] is not None]
    return len(sources) == 1 and sources[0].copies(name)


def _first(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.SetOperation):
        if node.args.get("with_"):
            raise Opaque("a recursive CTE has CTEs of its own")
        node = node.this
    return node
