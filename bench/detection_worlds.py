"""Organisations of the detection bench as the gateway sees them, and what detection makes of them.

The organisation (bench/organisation) knows nothing of the code that detects. The first weeks are work alone; then some
people do, on top of it, what insiders do.
"""

from __future__ import annotations

import gc
import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from bench.organisation.insiders import KINDS
from bench.organisation.people import people
from bench.organisation.work import DAY, START, workday
from sluicegate.detection.event import SAMPLE, Event, key
from sluicegate.detection.habit import pack
from sluicegate.detection.watching import Watching
from sluicegate.detection.weighing import Weighing
from sluicegate.exchange import OTHERS
from sluicegate.settings import Settings

SHARES = (0.01, 0.05, 0.2)
SLOW = ("low-and-slow", "two-halves")
"""Kinds that are looked for over 30 days: they are measured in a longer run as well."""


@dataclass(frozen=True)
class Shape:
    """How large a world is, and when its insiders begin."""

    people: int = 200
    days: int = 42
    begin: int = 28
    each: int = 2
    """Insiders of each kind and share."""
    kinds: tuple[str, ...] = tuple(KINDS)


LONG = Shape(120, 90, 45, 4, SLOW)


QUICK = Shape(40, 34, 28, 0)


def settings(off: list[str], zones: dict[str, str]) -> Settings:
    """The policy that is measured: defaults, but for where people work. Every score counts; lines are drawn later."""
    return Settings.model_validate(
        {
            "identity": {"issuer": "https://idp.test"},
            "dialects": {"chunks": {"routes": [{"request": "GET /", "kind": "read"}]}},
            "services": {"chunks": {"hosts": ["chunks.test"], "dialect": "chunks"}},
            "datasets": {
                "customers": {
                    "service": "chunks",
                    "columns": {"ssn": "restricted", "email": "personal", "phone": "personal", "name": "personal"},
                },
                "contracts": {"service": "chunks", "columns": {"price": "restricted"}},
            },
            "detection": {"alerts_per_thousand": 1000.0, "off": off, "time_zones": zones},
        }
    )


def event(number: int, row: dict[str, Any]) -> Event:
    """A row of the organisation as the gateway sees it."""
    kind = row["kind"]
    upload, refused = kind == "upload", kind == "refused"
    dataset = f"set-{row['what'] % 12}" if refused else row.get("dataset")
    subjects = [key("row", dataset or "", str(one)) for one in row.get("subjects", ())]
    return Event(
        f"e{number}", row["at"], f"https://idp.test {row['who']}", row["groups"], False, row["who"],
        OTHERS if upload else "chunks", dataset, dataset is not None, "read" if refused else kind,
        row.get("chunks", ()), len(row.get("chunks", ())), "POST" if upload else "GET", "/", "",
        row.get("destination"), row.get("external", False), (), None, 403 if refused else 200,
        "policy-denied" if refused else "", row.get("columns", ()), row.get("rows", 0), row.get("bytes", 0),
        row.get("sent", 0), tuple(one // SAMPLE for one in subjects if not one % SAMPLE), row.get("packed", False),
        rules=(f"rule-{row['what']}",) if refused else (),
    )  # fmt: skip


@dataclass
class World:
    """One seeded organisation."""

    events: list[Event]
    insiders: dict[str, tuple[str, float]]
    """Who they are: kind and share."""
    zones: dict[str, str]


def world(shape: Shape, seed: int) -> World:
    """The events of everybody in their order."""
    chance = random.Random(seed)
    everybody = people(shape.people, shape.days, chance)
    rows = [row for person in everybody for day in range(shape.days) for row in workday(person, day, chance)]
    able = [one for one in everybody if one.joins < shape.begin - 14]
    planted = [(kind, share) for kind in shape.kinds for share in SHARES for _ in range(shape.each)]
    insiders = {}
    for person, (kind, share) in zip(chance.sample(able, len(planted)), planted, strict=True):
        insiders[f"https://idp.test {person.name}"] = (kind, share)
        rows += KINDS[kind](person, range(shape.begin, shape.days), share, chance)
    rows.sort(key=lambda row: row["at"])
    zones = {f"person:{one.name}": one.zone for one in everybody}
    return World([event(number, row) for number, row in enumerate(rows)], insiders, zones)


@dataclass
class Played:
    """What one run of a world came to."""

    insiders: dict[str, tuple[str, float]]
    measured: float
    """Thousands of days of people that were looked at."""
    requests: int
    steps: dict[tuple[str, int], list[tuple[float, float]]] = field(default_factory=dict)
    """By person and day, when the day's score rose, and to what."""
    by: dict[tuple[str, int], dict[str, float]] = field(default_factory=dict)
    """By person and day, the highest score that each indicator gave."""
    left: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    """By insider, when something left from the day on which they begin, and how many bytes by then, work included."""
    micro: list[float] = field(default_factory=list)
    """Processor time of each event, microseconds."""
    sizes: list[int] = field(default_factory=list)
    """Bytes of what is kept of each person, packed."""


def as_a_gateway() -> None:
    """Collect garbage as a gateway's process does (`pipeline.embedded.tune`), and not the bench's own list of events,
    which no gateway has."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 5, 5)


def least(shape: Shape, seed: int, times: int) -> list[float]:
    """Processor time of each event of a world, microseconds: the least of so many runs, so that what else the machine
    does counts for little."""
    here, found = world(shape, seed), list[float]()
    as_a_gateway()
    for _ in range(times):
        watching, micro = Watching(Weighing(settings([], here.zones))), list[float]()
        for one in here.events:
            before = time.thread_time_ns()
            watching.before(one.person, one.at)
            watching.after(one)
            micro.append((time.thread_time_ns() - before) / 1000)
            watching.settle()
        found = list(map(min, found, micro)) if found else micro
    return found


def play(shape: Shape, seed: int, off: tuple[str, ...] = ()) -> Played:
    """Feed a world, in order, and note how each day's score rises once insiders have begun."""
    here = world(shape, seed)
    watching = Watching(Weighing(settings(list(off), here.zones)))
    worked = sum(1 for one in {(one.person, int((one.at - START) // DAY)) for one in here.events}
                 if one[1] >= shape.begin)  # fmt: skip
    played = Played(here.insiders, worked / 1000, len(here.events))
    begin = START + shape.begin * DAY
    as_a_gateway()
    for one in here.events:
        before = time.thread_time_ns()
        watching.before(one.person, one.at)
        watching.after(one)
        played.micro.append((time.thread_time_ns() - before) / 1000)
        watching.settle()
        if one.at < begin:
            continue
        if one.person in here.insiders:
            left = played.left[one.person]
            left.append((one.at, (left[-1][1] if left else 0) + one.size + one.sent))
        habit = watching.people[one.person]
        rises = played.steps.setdefault((one.person, habit.day.number), [])
        if habit.day.score > (rises[-1][1] if rises else 0.0):
            rises.append((one.at, habit.day.score))
            best = played.by.setdefault((one.person, habit.day.number), {})
            for point in habit.points:
                if point.day == habit.day.number:
                    best[point.indicator] = max(best.get(point.indicator, 0.0), point.score)
    played.sizes = [len(pack(habit.plain())) for habit in watching.people.values()]
    return played
