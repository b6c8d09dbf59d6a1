"""How long it takes to read SQL: seen before, small and unseen, with CTEs; and what the cache takes of memory.

Run as `python -m bench.sql`. Each unseen text differs from all before it in one number, so the cache never answers.
Times are CPU time of the thread, with the garbage collector on; beside each unseen text stands what sqlglot takes to
parse it, and to parse it and write it anew, and nothing else: reading does both, and parses again what it wrote.
"""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from rich.console import Console
from rich.table import Table
from sqlglot.dialects.dialect import Dialect

from sluicegate.operations.dialect import Known
from sluicegate.operations.sql import read_sql
from sluicegate.operations.sql.cache import Cache
from sluicegate.operations.sql.reader import key_of
from sluicegate.operations.sql.reading import read_now

ROUNDS = 300
KNOWN = Known(
    "wh",
    {"emp": "emp", "dept": "dept"},
    {"emp": frozenset({"ssn"}), "dept": frozenset()},
    (),
    {"emp": ("id", "name", "ssn", "salary", "dept_id"), "dept": ("id", "dname", "budget")},
)
MANY = replace(
    KNOWN,
    datasets={**{f"hr.part{n % 9}.table{n}": f"table{n}" for n in range(500)}, **KNOWN.datasets},
    columns={**{f"table{n}": frozenset({"ssn", "name"}) for n in range(500)}, **KNOWN.columns},
)
SEEN = 10.0
"""The bar for what was seen before."""
SMALL = "select id, ssn from emp where id = {n}"
STAR = "select e.*, d.dname from emp e join dept d on e.dept_id = d.id where d.budget > {n} and e.name like 'a%'"
CTES = """with a as (select id, ssn s1, dept_id from emp where salary > {n}),
b as (select s1 s2, id, row_number() over (partition by dept_id order by id) rn from a),
c as (select dname, id from dept union all select name, id from emp)
select b.s2, c.dname, count(*) n, max(b.rn) from b join c on b.id = c.id
where b.rn < 5 group by 1, 2 having count(*) > 1 order by 3 desc limit 100"""
WIDE = "select " + ", ".join(f"coalesce(e.name, 'x{n}') as c{n}" for n in range(200)) + " from emp e where id = {n}"


def middle(run: Callable[[int], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """Median and best time of one call, in microseconds."""
    gc.collect()
    run(-1)
    times = []
    for n in range(rounds):
        start = time.thread_time_ns()
        run(n)
        times.append(time.thread_time_ns() - start)
    return median(times) / 1000, min(times) / 1000


def unseen(text: str, known: Known = KNOWN) -> Callable[[int], object]:
    """Reads a text that nobody has seen yet."""
    return lambda n: read_now(text.format(n=n), "trino", known, None, None, {})


def parsed(text: str) -> Callable[[int], object]:
    """Parses a text, and nothing else."""
    trino = Dialect.get_or_raise("trino")
    parser = trino.parser()
    return lambda n: parser.parse(trino.tokenize(text.format(n=n)), "")


def written(text: str) -> Callable[[int], object]:
    """Parses a text and writes it anew."""
    trino = Dialect.get_or_raise("trino")
    parser = trino.parser()
    return lambda n: parser.parse(trino.tokenize(text.format(n=n)), "")[0].sql(trino, comments=False, copy=False)  # type: ignore[union-attr]


def memory() -> tuple[int, int, int]:
    """What a full cache of 4 MiB really takes, by tracemalloc; what it thinks; how many statements it holds."""
    cache = Cache(4 << 20)
    gc.collect()
    tracemalloc.start()
    for n in range(4000):
        text = (CTES if n % 2 else SMALL).format(n=n)
        cache.put(key_of(text, "trino", KNOWN, None, None, {}), KNOWN, read_now(text, "trino", KNOWN, None, None, {}))
        if n % 500 == 499:
            gc.collect()
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken, cache.bytes, len(cache)


def verdict(missed: bool) -> str:
    """What stands behind a bar."""
    return "[red]missed[/]" if missed else "[green]met[/]"


def main() -> int:
    """Print the figures beside the bars; 1 when one is missed."""
    read_sql(SMALL, "trino", KNOWN)
    rows: list[tuple[str, str, Known, float | None]] = [
        ("small", SMALL, KNOWN, 1000.0),
        ("small, 500 datasets", SMALL, MANY, 1000.0),
        ("star and join", STAR, KNOWN, 1000.0),
        ("three CTEs, window and union", CTES, KNOWN, 5000.0),
        ("200 columns, 7 kB", WIDE, KNOWN, None),
    ]
    table = Table(title="Reading SQL, microseconds of CPU time")
    for name in ("statement", "median", "best", "parsed alone", "and written", "bar", ""):
        table.add_column(name, justify="left" if name == "statement" else "right")
    median_, best = middle(lambda n: read_sql(SMALL, "trino", KNOWN))
    missed = median_ > SEEN
    table.add_row("seen before", f"{median_:,.1f}", f"{best:,.1f}", "", "", f"{SEEN:,.0f}", verdict(missed))
    for name, text, known, bar in rows:
        rounds = 50 if bar is None else ROUNDS
        median_, best = middle(unseen(text, known), rounds)
        alone, anew = middle(parsed(text), rounds)[0], middle(written(text), rounds)[0]
        missed |= bar is not None and median_ > bar
        said = ("", "") if bar is None else (f"{bar:,.0f}", verdict(median_ > bar))
        table.add_row(f"unseen, {name}", f"{median_:,.1f}", f"{best:,.1f}", f"{alone:,.1f}", f"{anew:,.1f}", *said)
    console = Console()
    console.print(table)
    taken, thought, held = memory()
    console.print(f"Cache of 4 MiB: {held:,} statements, {thought:,} bytes by its estimate, {taken:,} by tracemalloc.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
