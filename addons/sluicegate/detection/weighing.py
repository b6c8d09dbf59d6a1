"""What the policy says of datasets, jobs, people and indicators, ready to be looked up for each event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sluicegate.detection.event import Event
from sluicegate.detection.indicators import NAMES

if TYPE_CHECKING:
    from sluicegate.settings import Settings

CLASS_WEIGHT = 2.0
"""What a class weighs of which the policy says nothing."""
_REMEMBERED = 64
"""So many columns of an event at most are remembered with their weight."""
_NONE: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Weighing:
    """The settings, as detection uses them."""

    settings: Settings
    on: frozenset[str] = field(init=False)
    weights: Mapping[str, Mapping[str, float]] = field(init=False)
    """Weight of each column that has a class, by dataset."""
    classes: Mapping[str, Mapping[str, str]] = field(init=False)
    half_life: float = field(init=False)
    """Seconds."""
    _remembered: Callable[[str, tuple[str, ...]], float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        told = self.settings.detection
        put = object.__setattr__
        put(self, "on", frozenset(NAMES) - frozenset(told.off))
        put(self, "half_life", told.half_life_days * 86_400)
        known = self.settings.datasets
        put(self, "classes", {name: table.columns for name, table in known.items()})
        put(
            self,
            "weights",
            {
                name: {column: told.weights.get(one, CLASS_WEIGHT) for column, one in table.columns.items()}
                for name, table in known.items()
            },
        )
        put(self, "zone", lru_cache(maxsize=4096)(self._zone))
        put(self, "_remembered", lru_cache(maxsize=1024)(self._weight))

    def zone(self, person: str, groups: tuple[str, ...]) -> str:
        """The time zone of a person."""
        return self._zone(person, groups)

    def _zone(self, person: str, groups: tuple[str, ...]) -> str:
        told = self.settings.detection
        subject = person.partition(" ")[2]
        for name in (f"person:{subject}", *(f"group:{group}" for group in groups)):
            if name in told.time_zones:
                return told.time_zones[name]
        return told.time_zone

    def of_dataset(self, event: Event) -> tuple[Mapping[str, float], Mapping[str, str]]:
        """Weights and classes of the columns of the dataset that an event is about."""
        name = event.dataset or ""
        return self.weights.get(name, _NONE), self.classes.get(name, _NONE)

    def weight(self, event: Event) -> float:
        """What the columns that an event received weigh together: as much as the heaviest of them."""
        if len(event.clear) > _REMEMBERED:
            return self._weight(event.dataset or "", event.clear)
        return self._remembered(event.dataset or "", event.clear)

    def _weight(self, dataset: str, clear: tuple[str, ...]) -> float:
        weights = self.weights.get(dataset, _NONE)
        return max([weights[name] for name in clear if name in weights], default=1.0)

    def job_columns(self, event: Event) -> frozenset[str] | None:
        """The columns that the event's job may receive; None where there is no job, or it may receive all."""
        job = self.settings.jobs.get(event.job) if event.job else None
        if job is None or job.columns is None or event.dataset != job.dataset:
            return None
        classes = self.classes.get(job.dataset, _NONE)
        named = set(job.columns)
        return frozenset(named | {column for column, one in classes.items() if one in named})
