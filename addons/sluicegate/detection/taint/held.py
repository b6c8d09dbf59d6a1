"""What one person holds: the cells that they received and that are not forgotten, ready to be looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sluicegate.detection.look import Signal
from sluicegate.detection.taint.cells import Cell, unpack
from sluicegate.detection.taint.judge import canary, count, index, judge
from sluicegate.detection.taint.searching import Searched, firsts

MOST = 400_000
"""Cells of one person that are looked for; of more, those that were received longest ago are not."""


class Received(NamedTuple):
    """Cells that one response held."""

    dataset: str
    service: str
    at: float
    cells: bytes


@dataclass(slots=True)
class Held:
    """The cells by dataset, and how their values may begin. Made once, and used until more was received."""

    begin: bytes = b""
    by_dataset: dict[str, tuple[str, dict[int, list[tuple[int, int]]]]] = field(default_factory=dict)
    """The service, and rows and columns by value."""

    @classmethod
    def of(cls, received: Iterable[Received], elsewhere: Callable[[str], bool], canaries: Iterable[Cell]) -> Held:
        """From what was received, the newest first. Only data of services to which the request does not go counts."""
        cells: dict[str, list[Cell]] = {}
        services: dict[str, str] = {}
        total = 0
        for one in received:
            if total >= MOST or not elsewhere(one.service):
                continue
            found = list(unpack(one.cells))
            total += len(found)
            cells.setdefault(one.dataset, []).extend(found)
            services[one.dataset] = one.service
        every = [cell for several in cells.values() for cell in several]
        return cls(
            firsts([*every, *canaries]),
            {dataset: (services[dataset], index(several)) for dataset, several in cells.items()},
        )

    def judge(self, searched: Searched, place: str, canaries: frozenset[int]) -> tuple[Signal, ...]:
        """What was found again in what is sent to `place`."""
        found = []
        for dataset, (_, known) in self.by_dataset.items():
            signal = judge(count(searched.values, known), dataset, place)
            if signal is not None:
                found.append(signal)
        known_canaries = searched.values & canaries
        if known_canaries:
            found.append(canary(len(known_canaries), place))
        return tuple(found)
