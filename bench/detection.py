"""Detection, measured: who is found, at which alert budget, how soon, and how often somebody is pointed to for nothing.

python -m bench.detection [--people N] [--days N] [--seed N] [--ablations]

The organisation (bench/organisation) knows nothing of the code that detects. The first weeks are work alone; then some
people do, on top of it, what insiders do. The same events are played with each alert budget.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import random
import statistics
import sys
import time
from collections import defaultdict
from typing import Any

from bench.organisation.insiders import KINDS
from bench.organisation.people import people
from bench.organisation.work import DAY, START, workday
from sluicegate.detection.budget import LEAST
from sluicegate.detection.event import SAMPLE, Event, key
from sluicegate.detection.indicators import NAMES
from sluicegate.detection.watching import Watching
from sluicegate.detection.weighing import Weighing
from sluicegate.exchange import OTHERS
from sluicegate.settings import Settings

BUDGETS = (0.5, 2.0, 10.0)
SHARES = (0.01, 0.05, 0.2)
BEGIN = 28
"""The day on which the insiders begin."""


def settings(per_thousand: float, off: list[str], zones: dict[str, str]) -> Settings:
    """The policy that is measured: defaults, but for the budget and where people work."""
    return Settings.model_validate(
        {
            "identity": {"issuer": "https://idp.test"},
            "dialects": {"chunks": {"routes": [{"request": "GET /", "kind": "read"}]}},
            "services": {"chunks": {"hosts": ["chunks.test"], "dialect": "chunks"}},
            "datasets": {
                "customers": {
                    "service": "chunks",
                    "columns": {"ssn": "restricted", "email": "personal", "phone": "personal", "name": "personal"},
                }
            },
            "detection": {"alerts_per_thousand": per_thousand, "off": off, "time_zones": zones},
        }
    )


def event(number: int, row: dict[str, Any]) -> Event:
    """A row of the organisation as the gateway sees it."""
    kind = row["kind"]
    upload, refused = kind == "upload", kind == "refused"
    subjects = [key("row", "customers", str(one)) for one in row.get("subjects", ())]
    return Event(
        f"e{number}", row["at"], f"https://idp.test {row['who']}", row["groups"], False, row["who"],
        OTHERS if upload else "chunks", row.get("dataset"), "dataset" in row, "read" if refused else kind,
        row.get("chunks", ()), len(row.get("chunks", ())), "POST" if upload else "GET", "/", "",
        row.get("destination"), row.get("external", False), (), None, 403 if refused else 200,
        "policy-denied" if refused else "", row.get("columns", ()), row.get("rows", 0), row.get("bytes", 0),
        row.get("sent", 0), tuple(one // SAMPLE for one in subjects if not one % SAMPLE), row.get("packed", False),
    )  # fmt: skip


def organisation(count: int, days: int, seed: int) -> tuple[list[Event], dict[str, tuple[str, float]], dict[str, str]]:
    """The events of everybody in their order, who is an insider of which kind and share, and where people work."""
    chance = random.Random(seed)
    everybody = people(count, days, chance)
    rows = [row for person in everybody for day in range(days) for row in workday(person, day, chance)]
    able = [one for one in everybody if one.joins < BEGIN - 14]
    chosen = chance.sample(able, len(KINDS) * len(SHARES))
    insiders = {}
    for index, person in enumerate(chosen):
        kind, share = list(KINDS)[index % len(KINDS)], SHARES[index // len(KINDS)]
        insiders[f"https://idp.test {person.name}"] = (kind, share)
        rows += [{**row, "bad": True} for row in KINDS[kind](person, range(BEGIN, days), share, chance)]
    rows.sort(key=lambda row: row["at"])
    zones = {f"person:{one.name}": one.zone for one in everybody}
    return [event(number, row) for number, row in enumerate(rows)], insiders, zones


@dataclasses.dataclass
class Played:
    """What one run of the organisation came to."""

    steps: dict[tuple[str, int], list[tuple[float, float]]] = dataclasses.field(
        default_factory=lambda: defaultdict(list)
    )
    """By person and day, when the day's score rose, and to what."""
    by: dict[str, dict[str, float]] = dataclasses.field(default_factory=lambda: defaultdict(dict))
    """By person, the highest score that each indicator gave."""
    micro: list[float] = dataclasses.field(default_factory=list)


def play(events: list[Event], told: Settings) -> Played:
    """Feed everything, in order, and note how each day's score rises once insiders have begun."""
    watching, played = Watching(Weighing(told)), Played()
    begin = START + BEGIN * DAY
    for one in events:
        before = time.thread_time_ns()
        watching.before(one.person, one.at)
        watching.after(one)
        played.micro.append((time.thread_time_ns() - before) / 1000)
        watching.settle()
        if one.at < begin:
            continue
        habit = watching.people[one.person]
        rises = played.steps[one.person, habit.day.number]
        if habit.day.score > (rises[-1][1] if rises else 0.0):
            rises.append((one.at, habit.day.score))
            for point in habit.points:
                if point.day == habit.day.number:
                    best = played.by[one.person]
                    best[point.indicator] = max(best.get(point.indicator, 0.0), point.score)
    return played


def wilson(good: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    if not of:
        return 0.0, 1.0
    z, share = 1.96, good / of
    middle, width = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - width) / (1 + z * z / of), (middle + width) / (1 + z * z / of)


class Judged:
    """A run at an alert budget: the line is where so many days of those who only work lie above it."""

    def __init__(
        self, played: Played, insiders: dict[str, tuple[str, float]], per_thousand: float, measured: float
    ) -> None:
        tops = {who: rises[-1][1] for who, rises in played.steps.items() if rises}
        benign = sorted((score for (who, _), score in tops.items() if who not in insiders), reverse=True)
        allowed = int(per_thousand * measured)
        self.line = max(LEAST, benign[allowed] if allowed < len(benign) else 0.0)
        self.false = sum(score > self.line for score in benign)
        self.true = sum(score > self.line for (who, _), score in tops.items() if who in insiders)
        self.first: dict[str, float] = {}
        for (who, _), rises in sorted(played.steps.items()):
            at = next((at for at, score in rises if score > self.line), None)
            if who in insiders and at is not None:
                self.first[who] = min(at, self.first.get(who, at))


def report(worlds: list[World], judged: list[Judged], played: list[Played], measured: float) -> None:
    """The figures at one budget, of all worlds together."""
    true, false = sum(one.true for one in judged), sum(one.false for one in judged)
    low, high = wilson(true, true + false)
    print(
        f"  line {', '.join(f'{one.line:.1f}' for one in judged)}; false alerts "
        f"{false / measured / len(worlds):.2f} per 1,000 people a day; precision {true}/{true + false} = "
        f"{true / max(1, true + false):.2f} ({low:.2f} to {high:.2f})"
    )
    for kind in KINDS:
        cells = []
        best: dict[str, int] = defaultdict(int)
        for share in SHARES:
            mine = [
                (world, one, run, who)
                for world, one, run in zip(worlds, judged, played, strict=True)
                for who, what in world.insiders.items()
                if what == (kind, share)
            ]
            found = [(world, one.first[who], who) for world, one, _, who in mine if who in one.first]
            for _, one, run, who in mine:
                if who in one.first and run.by[who]:
                    best[max(run.by[who], key=run.by[who].__getitem__)] += 1
            text = f"{len(found)}/{len(mine)}"
            if found:
                hours = statistics.median((at - START - BEGIN * DAY) / 3600 for _, at, _ in found)
                left = statistics.median(world.left(who, at) for world, at, who in found)
                text += f" {hours:.0f} h {left / 1e6:.2f} MB"
            cells.append(f"{text:19}")
        by = ", ".join(f"{name} {count}" for name, count in sorted(best.items(), key=lambda pair: -pair[1])[:3])
        print(f"  {kind:16} {' '.join(cells)} {by}")


@dataclasses.dataclass
class World:
    """One seeded organisation."""

    events: list[Event]
    insiders: dict[str, tuple[str, float]]
    zones: dict[str, str]

    def left(self, who: str, until: float) -> int:
        """Bytes that an insider took, their work included, from the day on which insiders begin."""
        begin = START + BEGIN * DAY
        return sum(one.size + one.sent for one in self.events if one.person == who and begin <= one.at < until)


def main() -> int:
    """Print the figures."""
    options = argparse.ArgumentParser()
    options.add_argument("--people", type=int, default=200)
    options.add_argument("--days", type=int, default=42)
    options.add_argument("--seeds", type=int, default=2)
    options.add_argument("--ablations", action="store_true")
    given = options.parse_args()
    measured = given.people * (given.days - BEGIN) / 1000
    worlds = [World(*organisation(given.people, given.days, seed)) for seed in range(1, given.seeds + 1)]
    # Every score counts here; the line is drawn afterwards, for each budget.
    played = [play(world.events, settings(1000.0, [], world.zones)) for world in worlds]
    for number, world in enumerate(worlds, 1):
        print(f"seed {number}: {len(world.events):,} requests of {given.people} people, {len(world.insiders)} insiders")
    shares = ", ".join(f"{share:.0%}" for share in SHARES)
    print(f"insiders at {shares} of their usual amount: found, hours until then, bytes taken by then, strongest sign")
    for budget in BUDGETS:
        print(f"budget {budget} false alerts per 1,000 people a day")
        judged = [Judged(run, world.insiders, budget, measured) for run, world in zip(played, worlds, strict=True)]
        report(worlds, judged, played, measured)
    micro = sorted(played[0].micro)
    print(
        f"processor time of an event, us: median {micro[len(micro) // 2]:.0f}, p99 {micro[len(micro) * 99 // 100]:.0f}"
    )
    if given.ablations:
        world = worlds[0]
        for name, on in (
            ("the clock alone", {"night-repeat"}),
            ("amounts alone", {"volume", "breadth", "outflow"}),
            ("columns alone", {"unusual-columns", "first-class"}),
            ("all without the clock", set(NAMES) - {"night-repeat"}),
        ):
            run = play(world.events, settings(1000.0, [name for name in NAMES if name not in on], world.zones))
            one = Judged(run, world.insiders, 2.0, measured)
            print(f"{name}, budget 2: {len(one.first)} of {len(world.insiders)} insiders, {one.false} false alerts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
