"""Lineage against a real engine: two databases differ in one column alone, and so may only what is made from it.

For statements made at random (joins, CTEs that shadow tables, recursion, set operations, correlated subqueries, aliases
that swap names) SQLite says which result columns differ. Each of them has to be one that lineage says is made from ssn.
"""

import random
import sqlite3
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.operations.sql import read_sql
from tests.operations.sql.tables import DEPT, EMP, KNOWN, PARTIAL, every, from_ssn, opaque, reads_ssn

NAMES = ("id", "name", "ssn", "salary", "dname", "x", "y", "emp")
CTES = ("a", "b", "emp", "dept", "EMP")
TABLES = {"emp": list(EMP), "dept": list(DEPT)}


@cache
def databases():
    """Two databases whose only difference is emp.ssn; the values correspond, so that equal ones stay equal."""
    found = []
    for form in ("1-{}", "{}-9"):
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.execute("create table emp(id, name, ssn, salary, dept_id)")
        connection.execute("create table dept(id, dname, budget)")
        for n in range(5):
            ssn = form.format("abcde"[(n * 3) % 4])
            connection.execute("insert into emp values (?, ?, ?, ?, ?)", (n, f"n{n}", ssn, n * 10 + 5, n % 3))
        connection.executemany("insert into dept values (?, ?, ?)", [(n, f"d{n}", n * 7) for n in range(3)])
        found.append(connection)
    return found


class Writer:
    """Writes statements. What it writes is often refused by SQLite, and then counts for nothing."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.aliases = 0

    def pick(self, values):
        return self.random.choice(list(values))

    def chance(self, share):
        return self.random.random() < share

    def alias(self):
        self.aliases += 1
        return self.pick(("t", "u", "e", "emp", "ssn")) + (str(self.aliases) if self.chance(0.8) else "")

    def query(self, depth, ctes, outer=(), width=None):
        """A query, and the names of its columns."""
        roll = self.random.random()
        if depth > 0 and roll < 0.25:
            return self.with_(depth, ctes, outer, width)
        if depth > 0 and roll < 0.45:
            width = width or self.random.randint(1, 3)
            arms = [self.select(depth - 1, ctes, outer, width) for _ in range(self.random.randint(2, 3))]
            joint = self.pick((" union all ", " union ", " except ", " intersect "))
            return joint.join(text for text, _ in arms), arms[0][1]
        return self.select(depth, ctes, outer, width)

    def with_(self, depth, ctes, outer, width):
        ctes = dict(ctes)
        parts = []
        for name in self.random.sample(CTES, self.random.randint(1, 2)):
            if self.chance(0.25):
                one, two = self.pick(EMP), self.pick(EMP)
                arms = f"select {one}, {two} from main.emp union select {self.pick(('p', 'q'))}, {self.pick(('p', 'q'))} from {name}"
                parts.append(f"{name}(p, q) as ({arms})")
                ctes[name] = ["p", "q"]
                continue
            text, columns = self.query(depth - 1, ctes, ())
            if self.chance(0.4) and None not in columns and len(columns) <= len(NAMES):
                columns = self.random.sample(NAMES, len(columns))
                parts.append(f"{name}({', '.join(columns)}) as ({text})")
            else:
                parts.append(f"{name} as ({text})")
            ctes[name] = columns
        text, columns = self.select(depth - 1, ctes, outer, width)
        return f"with {self.pick(('', 'recursive '))}{', '.join(parts)} {text}", columns

    def source(self, depth, ctes):
        roll = self.random.random()
        if depth > 0 and roll < 0.3:
            text, columns = self.query(depth - 1, ctes)
            alias = self.alias()
            return f"({text}) as {alias}", alias, columns
        if ctes and roll < 0.6:
            name = self.pick(ctes)
            columns = ctes[name]
        else:
            name = self.pick(TABLES)
            columns = TABLES[name]
        if self.chance(0.5):
            return name, name, columns
        alias = self.alias()
        return f"{name} {self.pick(('', 'as '))}{alias}", alias, columns

    def select(self, depth, ctes, outer=(), width=None):
        first = self.source(depth, ctes)
        sources = [first]
        text = first[0]
        if self.chance(0.4):
            other = self.source(depth, ctes)
            sources.append(other)
            kind = self.pick((" join ", ", ", " left join ", " natural join ", " join "))
            text += kind + other[0]
            shared = [name for name in first[2] if name in other[2] and name]
            if kind == " join " and shared and self.chance(0.4):
                text += f" using ({self.pick(shared)})"
            elif kind in (" join ", " left join "):
                text += f" on {self.column([first])} = {self.column([other])}"
        scope = [*sources, *outer]
        items, names = [], []
        if width is None and self.chance(0.15):
            items, names = ["*"], [name for source in sources for name in source[2]]
        elif width is None and self.chance(0.15):
            items, names = [f"{first[1]}.*", "1 as x"], [*first[2], "x"]
        for _ in range(0 if items else width or self.random.randint(1, 3)):
            expression = self.expression(depth, scope, ctes, sources)
            if self.chance(0.6):
                name = self.pick(NAMES)
                items.append(f"{expression} {self.pick(('', 'as '))}{name}")
                names.append(name)
            else:
                items.append(expression)
                names.append(
                    expression.split(".")[-1] if expression.replace(".", "").replace("_", "").isalnum() else None
                )
        out = f"select {self.pick(('', '', 'distinct '))}{', '.join(items)} from {text}"
        if self.chance(0.3):
            out += f" where {self.predicate(depth, scope, ctes)}"
        return out, names

    def column(self, sources):
        _, alias, columns = self.pick(sources)
        name = self.pick([name for name in columns if name] or ["id"])
        if self.chance(0.1):
            name = self.pick((name.upper(), f'"{name}"', f"[{name}]"))
        return f"{alias}.{name}" if self.chance(0.7) else name

    def predicate(self, depth, scope, ctes):
        column = self.column(scope)
        roll = self.random.random()
        if depth > 0 and roll < 0.2:
            text, _ = self.query(depth - 1, ctes, tuple(scope), 1)
            return f"{column} in ({text})"
        if depth > 0 and roll < 0.4:
            text, _ = self.query(depth - 1, ctes, tuple(scope))
            return f"exists ({text})"
        return f"{column} {self.pick(('>', '<>', '='))} {self.pick(('2', self.column(scope)))}"

    def expression(self, depth, scope, ctes, sources):
        column = self.column(scope)
        roll = self.random.random()
        if roll < 0.45:
            return column
        if roll < 0.55:
            return f"upper({column}) || {self.column(scope)}"
        if roll < 0.65:
            return f"case when {column} > '1-b' then 1 else {self.column(scope)} end"
        if roll < 0.72:
            return f"row_number() over (order by {column}, {self.column(scope)})"
        if depth > 0 and roll < 0.85:
            inner = self.source(depth - 1, ctes)
            both = [inner, *scope]
            text = f"select {self.pick(('max', 'min', 'count', 'group_concat'))}({self.column(both)}) from {inner[0]}"
            return f"({text})" if self.chance(0.5) else f"({text} where {self.column([inner])} = {self.column(both)})"
        if depth > 0 and roll < 0.92:
            text, _ = self.query(depth - 1, ctes, tuple(scope), 1)
            return f"{column} in ({text})"
        if depth > 0 and roll < 0.96:
            text, _ = self.query(depth - 1, ctes, tuple(scope))
            return f"exists ({text})"
        return self.pick(("1", "'ssn'", "null"))


def run(connection, text):
    """The columns of a result, each in an order of its own; None where the engine refuses the statement."""
    steps = [0]

    def stop():
        steps[0] += 1
        return steps[0] > 50  # a join of joins

    connection.set_progress_handler(stop, 20_000)
    try:
        cursor = connection.execute(text)
        rows = cursor.fetchmany(3_000)
    except (sqlite3.Error, sqlite3.Warning):
        return None
    finally:
        connection.set_progress_handler(None, 0)
    if len(rows) == 3_000:
        return None
    return (
        [sorted(map(repr, column)) for column in zip(*rows, strict=True)] if rows else [[] for _ in cursor.description]
    )


def compared(text, known):
    """What the engine and lineage say of a statement: whether it ran, and whether lineage was exact."""
    one, other = (run(connection, text) for connection in databases())
    if one is None or other is None:
        return False, False
    read = read_sql(text, "sqlite", known)
    operation = read.operation
    if opaque(operation):
        return True, False
    if read.regenerated is not None:
        assert run(databases()[0], read.regenerated) == one, (text, read.regenerated)
    if one != other:
        assert reads_ssn(operation), text
    made = from_ssn(operation)
    if made is None:
        return True, False
    assert len(operation.outputs) == len(one), text
    chosen = any(
        "ssn" in part.predicates or part.column_scope != "listed" for part in every(operation) if part.dataset == "emp"
    )
    if not chosen:  # otherwise ssn may decide which rows there are
        differing = [at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        assert set(differing) <= set(made), text
    return True, True


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 2**48), st.integers(0, 3), st.sampled_from((KNOWN, PARTIAL)))
def test_a_column_that_differs_is_said_to_be_made_from_it(seed, depth, known):
    text, _ = Writer(seed).query(depth, {})
    compared(text, known)


def test_the_comparison_means_something():
    """Enough statements run, enough are read exactly, and ssn reaches enough of their results."""
    ran = exact = differ = 0
    for seed in range(200):
        text, _ = Writer(seed).query(2, {})
        did, was = compared(text, KNOWN)
        ran += did
        exact += was
        if did:
            differ += run(databases()[0], text) != run(databases()[1], text)
    assert ran > 60 and exact > 0.6 * ran and differ > 15


@pytest.mark.parametrize("known", [KNOWN, PARTIAL])
@pytest.mark.parametrize(
    "text",
    [
        "with recursive r(a, b) as (select id, ssn from emp union select b, a from r) select a from r",
        "select max(ssn), name from emp",
        "with a as (select * from b), b as (select ssn x from emp) select x from a",
        "with dept as (select id, ssn dname from emp) select dname from dept",
        "with EMP as (select id, 1 ssn from dept), x as (select ssn from emp) select ssn from x",
        "select (select max(e.ssn) from emp e where e.dept_id = dept.id) from dept",
        "select x from (select ssn as x, id from emp union all select dname, id from dept)",
        'select "ssn", [ssn], `ssn` from emp',
        "select ssn id, id ssn from emp",
        "select name from (select name, row_number() over (order by ssn) r from emp) where r = 1",
        "select emp.ssn from dept emp, (select id, ssn from emp) x where 0 union select ssn from emp",
        "select t.id from (emp join dept using (id)) t",
        "values (1), ((select max(ssn) from emp))",
        "select * from (select ssn, name from emp) natural join (select name from emp)",
    ],
)
def test_cases_that_are_easy_to_get_wrong(text, known):
    compared(text, known)
