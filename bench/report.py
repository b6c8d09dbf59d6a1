"""What the benchmark prints: the medians of the rounds, their ratios to bare mitmdump, and whether the bar is met."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.rounds import Sample

BARE = "bare mitmdump"
GATE = "sluicegate up"
WORKERS = "sluicegate up, 2 workers"
BAR = 1.2
"""Requests per second of the gate with everything on, at least this many times those of a bare mitmdump."""
GROWTH_BAR = 1 << 20
"""Bytes that memory may grow by in 100,000 requests: less than 16 bytes each, the smallest object of CPython."""


def ratios(samples: Sequence[Sample], target: str, connections: int) -> list[float]:
    """Requests per second to those of bare mitmdump, round by round."""
    mine, bare = (
        [sample.rps for sample in samples if sample.target == name and sample.connections == connections]
        for name in (target, BARE)
    )
    return [one / other for one, other in zip(mine, bare, strict=False)]


def print_table(console: Console, samples: Sequence[Sample], rounds: int) -> None:
    """One line for each target and number of connections."""
    table = Table(title=f"1 kB JSON, explicit HTTPS, keep-alive; medians of {rounds} interleaved rounds")
    for column in ("connections", "target", "requests/s", "p50 ms", "p99 ms", "CPU ms/request", "to bare", "range"):
        table.add_column(column, justify="left" if column == "target" else "right")
    previous = None
    for connections, target in dict.fromkeys((s.connections, s.target) for s in sorted(samples, key=_place)):
        if previous not in (None, connections):
            table.add_section()
        previous = connections
        mine = [s for s in samples if (s.connections, s.target) == (connections, target)]
        found = ratios(samples, target, connections)
        cpu = [s.cpu for s in mine if s.cpu is not None]
        table.add_row(
            str(connections),
            target,
            f"{_middle(mine, lambda s: s.rps):,.0f}",
            f"{_middle(mine, lambda s: s.p50):.3f}",
            f"{_middle(mine, lambda s: s.p99):.3f}",
            f"{median(cpu):.3f}" if cpu else "-",
            f"{median(found):.2f}" if found else "-",
            f"{min(found):.2f} to {max(found):.2f}" if found else "-",
        )
    console.print(table)


def bar_met(console: Console, samples: Sequence[Sample]) -> bool:
    """Whether the gate meets the bar at every number of connections, one way or the other; says so of each."""
    seen = {sample.target for sample in samples}
    ways = [name for name in (GATE, WORKERS) if name in seen]
    if not ways or BARE not in seen:
        console.print("the bar was not looked at: it takes both the gate and bare mitmdump")
        return True
    met = True
    for connections in dict.fromkeys(sample.connections for sample in samples):
        found = {name: median(ratios(samples, name, connections)) for name in ways}
        met &= max(found.values()) >= BAR
        for name, ratio in found.items():
            word = "met" if ratio >= BAR else "NOT met"
            console.print(f"bar {BAR} times bare mitmdump, {connections} connections, {name}: {ratio:.2f}, {word}")
    return met


def growth_met(console: Console, sizes: Sequence[int], requests: int) -> bool:
    """Whether memory stayed where it was; `sizes` are bytes, the first after warming up, evenly spread."""
    growth = sizes[-1] - sizes[0]
    print_sizes(console, sizes, requests)
    met = growth * 100_000 <= GROWTH_BAR * requests
    word = "met" if met else "NOT met"
    console.print(f"bar 0 growth (less than 1 MB in 100,000 requests): {growth / 2**10:+,.0f} kB, {word}")
    return met


def print_sizes(console: Console, sizes: Sequence[int], requests: int) -> None:
    """Memory, in bytes, while so many requests passed."""
    shown = " ".join(f"{size / 2**20:.1f}" for size in sizes)
    console.print(f"memory in MB while {requests:,} requests passed: {shown}")


def _place(sample: Sample) -> int:
    return sample.connections


def _middle(samples: Sequence[Sample], number: Callable[[Sample], float]) -> float:
    return median(number(sample) for sample in samples)
