"""Detection, measured: who is found, at which alert budget, how soon, and how often somebody is pointed to for nothing.

python -m bench.detection [--worlds N] [--long N] [--seed N] [--ablations N]
python -m bench.detection --speed

The seeds of what is published are from 1001 on; what indicators were worked on with are others (from 101 on).
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from bench.detection_worlds import LONG, QUICK, SHARES, Played, Shape, least, play
from sluicegate.detection.budget import LEAST
from sluicegate.detection.indicators import NAMES

BUDGETS = (0.5, 2.0, 10.0)
BAR = 100.0
"""Microseconds that an event may take on its way (p99)."""
ABLATIONS = {
    "the clock alone": {"night-repeat"},
    "amounts alone": {"volume", "breadth", "outflow", "unexplained-bytes"},
    "columns alone": {"unusual-columns", "first-class"},
    "places alone": {"new-destination", "often-outside", "copy-out", "sequence"},
    "all without the clock": set(NAMES) - {"night-repeat"},
    "all without walks": set(NAMES) - {"walk"},
    "all without places": set(NAMES) - {"new-destination", "often-outside", "copy-out", "sequence"},
    "all without columns": set(NAMES) - {"unusual-columns", "first-class"},
    "all without amounts": set(NAMES) - {"volume", "breadth", "outflow", "unexplained-bytes"},
}


def wilson(good: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    if not of:
        return 0.0, 1.0
    z, share = 1.96, good / of
    middle, width = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - width) / (1 + z * z / of), (middle + width) / (1 + z * z / of)


class Judged:
    """Runs at an alert budget: the line is where so many days of those who only work lie above it."""

    def __init__(self, runs: list[Played], per_thousand: float) -> None:
        self.runs = runs
        days = [(who in run.insiders, rises[-1][1]) for run in runs for (who, _), rises in run.steps.items() if rises]
        benign = sorted((score for bad, score in days if not bad), reverse=True)
        measured = sum(run.measured for run in runs)
        allowed = int(per_thousand * measured)
        self.line = max(LEAST, benign[allowed] if allowed < len(benign) else 0.0)
        self.false = sum(score > self.line for score in benign)
        self.true = sum(score > self.line for bad, score in days if bad)
        self.rate = self.false / measured
        self.found: list[dict[str, tuple[float, int]]] = [self._first(run) for run in runs]
        """For each run, the insiders above the line: when for the first time, and on which day."""

    def _first(self, run: Played) -> dict[str, tuple[float, int]]:
        first: dict[str, tuple[float, int]] = {}
        for (who, day), rises in run.steps.items():
            at = next((at for at, score in rises if score > self.line), None)
            if at is not None and who in run.insiders:
                first[who] = min((at, day), first.get(who, (at, day)))
        return first

    def row(self, kind: str) -> str:
        """What came of the insiders of one kind."""
        cells, signs = [], Counter[str]()
        for share in SHARES:
            mine = [(run, who, found.get(who)) for run, found in zip(self.runs, self.found, strict=True)
                    for who, what in run.insiders.items() if what == (kind, share)]  # fmt: skip
            hours, left = [], []
            for run, who, first in mine:
                if first is None:
                    continue
                at, day = first
                hours.append((at - run.left[who][0][0]) / 3600)
                left.append(max(taken for when, taken in run.left[who] if when <= at))
                best = run.by[who, day]
                signs[max(best, key=best.__getitem__)] += 1
            cell = f"{len(hours):2}/{len(mine)}"
            if hours:
                cell += f" {statistics.median(hours):.0f} h {statistics.median(left) / 1e6:.2f} MB"
            cells.append(f"{cell:20}")
        return f"  {kind:16} {' '.join(cells)} {', '.join(f'{name} {count}' for name, count in signs.most_common(3))}"

    def __str__(self) -> str:
        low, high = wilson(self.true, self.true + self.false)
        return (
            f"  line {self.line:.1f}; false alerts {self.rate:.2f} per 1,000 people a day; precision "
            f"{self.true}/{self.true + self.false} = {self.true / max(1, self.true + self.false):.2f} "
            f"({low:.2f} to {high:.2f})"
        )


def report(runs: list[Played], shape: Shape) -> None:
    """The figures of one shape of world, at each budget."""
    days, number = shape.days - shape.begin, len(runs)
    print(f"{number} worlds of {shape.people} people over {shape.days} days, {sum(run.requests for run in runs):,} "
          f"requests; {sum(len(run.insiders) for run in runs)} insiders in the last {days} days, at "
          f"{', '.join(f'{share:.0%}' for share in SHARES)} of their usual amount: found, hours from their first day's "
          "begin, bytes by then, strongest sign")  # fmt: skip
    for budget in BUDGETS:
        judged = Judged(runs, budget)
        print(f"budget {budget}\n{judged}")
        for kind in shape.kinds:
            print(judged.row(kind))
        if budget == BUDGETS[1]:
            false = Counter(
                max(best, key=best.__getitem__) for run in runs for (who, day), best in run.by.items()
                if who not in run.insiders and run.steps[who, day][-1][1] > judged.line
            )  # fmt: skip
            print(f"  false alerts by their strongest sign: {dict(false.most_common())}")


def ablation(name: str, runs: list[Played]) -> None:
    """A line of what is found with some of the indicators alone."""
    said = []
    for budget in BUDGETS:
        judged = Judged(runs, budget)
        found, of = sum(map(len, judged.found)), sum(len(run.insiders) for run in runs)
        low, high = wilson(judged.true, judged.true + judged.false)
        said.append(f"at {budget}: {found}/{of}, {judged.false} false, {low:.2f} to {high:.2f}")
    print(f"  {name:24} {'; '.join(said)}", flush=True)


def speed(seed: int) -> int:
    """What an event costs on its way, beside the bar. 1 where that is not held."""
    micro = least(QUICK, seed, 4)
    spent("detection of an exchange on its way, processor time in us, the least of four runs of each", micro)
    held = sorted(micro)[int(len(micro) * 0.99)] < BAR
    print(f"{'the bar':>20}: p99 under {BAR:.0f} us: {'held' if held else 'NOT HELD'}")
    return 0 if held else 1


def spent(what: str, micro: list[float]) -> None:
    """A line of how long events took."""
    micro = sorted(micro)
    shares = (("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("most", 1.0))
    said = [f"{name} {micro[min(len(micro) - 1, int(len(micro) * at))]:.0f}" for name, at in shares]
    print(f"{what}: {', '.join(said)} (of {len(micro):,})")


def main() -> int:
    """Print the figures."""
    options = argparse.ArgumentParser()
    options.add_argument("--worlds", type=int, default=5)
    options.add_argument("--long", type=int, default=2)
    options.add_argument("--seed", type=int, default=1001)
    options.add_argument("--ablations", type=int, default=0, help="on so many of the worlds")
    options.add_argument("--speed", action="store_true", help="only what an event costs on its way")
    given = options.parse_args()
    if given.speed:
        return speed(given.seed)
    short = Shape()
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as processes:
        runs = list(processes.map(partial(play, short), range(given.seed, given.seed + given.worlds)))
        report(runs, short)
        sizes = sorted(runs[0].sizes)
        spent("processor time of an event, us", [one for run in runs for one in run.micro])
        spent("the least of four runs of each, us", least(QUICK, given.seed, 4))
        print(f"bytes kept of a person: median {sizes[len(sizes) // 2]:,}, most {sizes[-1]:,}")
        if given.long:
            report(list(processes.map(partial(play, LONG), range(given.seed, given.seed + given.long))), LONG)
        if given.ablations:
            some = runs[: given.ablations]
            print(f"with some indicators alone, on {len(some)} of the worlds: insiders found, false alerts, precision")
            ablation("everything", some)
            seeds = range(given.seed, given.seed + len(some))
            for name, on in ABLATIONS.items():
                off = tuple(sorted(set(NAMES) - on))
                ablation(name, list(processes.map(partial(play, short, off=off), seeds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
