"""How long it takes to read SQL: seen before, small and unseen, with CTEs; and what the cache takes of memory.

Run as `python -m bench.sql`. Each unseen text differs from all before it in one number, so the cache never answers.
"""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from collections.abc import Callable
from statistics import median

from rich.console import Console
from rich.table import Table

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
    gc.disable()
    try:
        times = []
        for n in range(rounds):
            start = time.perf_counter_ns()
            run(n)
            times.append(time.perf_counter_ns() - start)
    finally:
        gc.enable()
    return median(times) / 1000, min(times) / 1000


def unseen(text: str) -> Callable[[int], object]:
    """Reads a text that nobody has seen yet."""
    return lambda n: read_now(text.format(n=n), "trino", KNOWN, None, None, {})


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


def main() -> int:
    """Print the figures beside the bars; 1 when one is missed."""
    read_sql(SMALL, "trino", KNOWN)
    rows: list[tuple[str, Callable[[int], object], float | None]] = [
        ("seen before", lambda n: read_sql(SMALL, "trino", KNOWN), 10.0),
        ("unseen, small", unseen(SMALL), 1000.0),
        ("unseen, star and join", unseen(STAR), 1000.0),
        ("unseen, three CTEs, window and union", unseen(CTES), 5000.0),
        ("unseen, 200 columns, 7 kB", unseen(WIDE), None),
    ]
    table = Table(title="Reading SQL, microseconds")
    for name in ("statement", "median", "best", "bar", ""):
        table.add_column(name, justify="left" if name == "statement" else "right")
    missed = False
    for name, run, bar in rows:
        run(-1)
        middle_, best = middle(run, 50 if bar is None else ROUNDS)
        missed |= bar is not None and middle_ > bar
        said = "" if bar is None else "[red]missed[/]" if middle_ > bar else "[green]met[/]"
        table.add_row(name, f"{middle_:,.1f}", f"{best:,.1f}", "" if bar is None else f"{bar:,.0f}", said)
    console = Console()
    console.print(table)
    taken, thought, held = memory()
    console.print(f"Cache of 4 MiB: {held:,} statements, {thought:,} bytes by its estimate, {taken:,} by tracemalloc.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
