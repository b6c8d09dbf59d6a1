"""What each person has taken of each dataset today: the counters that budgets are held against.

Counted in quarters of an hour, since every time zone's midnight is at the end of one, so the day of any zone can be
added up. Times are event times. Used on the event loop alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sluicegate.exchange import Operation, Principal
from sluicegate.policy.circumstances import taken_from, takes
from sluicegate.policy.context import UNUSED, Taken, Use, kept_name
from sluicegate.settings.times import day_of

SLOT = 900
"""Seconds."""
KEPT_SECONDS = 26 * 3600
"""Counts that are older are part of no day that is still going on."""
NAMES = 50_000
"""Names of chunks that are kept for a person and dataset; each further one counts as different from all others."""
DATASETS = 500
"""Datasets that are told apart for one person, so that made-up names cannot fill the memory."""
FURTHER = "(further datasets)"


class Key(NamedTuple):
    """What is counted apart."""

    person: str
    """Issuer and subject."""
    dataset: str
    slot: int
    """Quarters of an hour since the epoch."""


@dataclass(slots=True)
class Count:
    """What was taken."""

    chunks: int = 0
    rows: int = 0
    bytes: int = 0
    names: set[str] = field(default_factory=set)
    unnamed: int = 0

    def add(self, chunks: Iterable[str], times: int, rows: int, size: int) -> None:
        """Add to it."""
        self.chunks += times
        self.rows += rows
        self.bytes += size
        for name in map(kept_name, chunks):
            if len(self.names) < NAMES:
                self.names.add(name)
            elif name not in self.names:
                self.unnamed += 1

    def merge(self, other: Count) -> None:
        """Add what another has."""
        self.add(other.names, other.chunks, other.rows, other.bytes)
        self.unnamed += other.unnamed


_Counts = dict[str, dict[str, dict[int, Count]]]


class _Day(NamedTuple):
    begin: float
    end: float
    taken: Count


class Usage:
    """The counters of everybody."""

    def __init__(self) -> None:
        self.counting = False
        """Whether the policy has budgets at all; without any, nothing is counted and nothing kept of anybody."""
        self._counts: _Counts = {}
        """By person, dataset and slot: what was counted here,"""
        self._before: _Counts = {}
        """and what was kept by others, or by an earlier run. It is not written again."""
        self._days: dict[tuple[str, str, str], _Day] = {}
        self._changed: set[Key] = set()
        self._pruned = 0.0

    def asked(self, principal: Principal, operation: Operation, now: float) -> None:
        """The request may go: its chunks count from now on, so that those in flight at once count together."""
        for one in (operation, *operation.parts):
            if takes(one):
                self._add(person_of(principal), taken_from(one), now, one.chunks, len(one.chunks) or 1, 0, 0)

    def left(self, principal: Principal, operation: Operation, now: float, rows: int, size: int) -> None:
        """So much went to the client. Of several datasets each counts all of it, since nobody knows whose it was."""
        for dataset in {taken_from(one) for one in (operation, *operation.parts) if takes(one)}:
            self._add(person_of(principal), dataset, now, (), 0, rows, size)

    def of(self, principal: Principal, now: float) -> Mapping[Taken, Use]:
        """What a person has taken, for a decision that is made at once."""
        return _Taken(self, person_of(principal), now)

    def use(self, person: str, dataset: str, zone: str, now: float) -> Use:
        """The use of one dataset on the zone's day that `now` is in."""
        dataset = self._told_apart(person, dataset)
        key = (person, dataset, zone)
        day = self._days.get(key)
        if day is None or not day.begin <= now < day.end:
            sides = [side.get(person, {}).get(dataset, {}) for side in (self._counts, self._before)]
            if not any(sides):
                return UNUSED
            begin, end = day_of(now, zone)
            day = self._days[key] = _Day(begin, end, Count())
            for slots in sides:
                for slot, count in slots.items():
                    if begin <= slot * SLOT < end:
                        day.taken.merge(count)
        count = day.taken
        return Use(count.chunks, count.rows, count.bytes, count.names, count.unnamed)

    def restore(self, counts: Iterable[tuple[Key, Count]]) -> None:
        """Put back what was kept."""
        for key, count in counts:
            slots = self._before.setdefault(key.person, {}).setdefault(key.dataset, {})
            slots.setdefault(key.slot, Count()).merge(count)
        self._days.clear()

    def take_up(self, counts: Iterable[tuple[Key, Count]], since: int) -> None:
        """What others have counted in slots from `since` on, in place of what was known of that."""
        for datasets in self._before.values():
            for slots in datasets.values():
                for slot in [slot for slot in slots if slot >= since]:
                    del slots[slot]
        self.restore(counts)

    def changed(self) -> list[tuple[Key, Count]]:
        """Copies of what changed since this was last asked."""
        found = []
        for key in self._changed:
            count = self._counts.get(key.person, {}).get(key.dataset, {}).get(key.slot)
            if count is not None:
                found.append((key, Count(count.chunks, count.rows, count.bytes, set(count.names), count.unnamed)))
        self._changed.clear()
        return found

    def again(self, keys: Iterable[Key]) -> None:
        """These could not be kept: they count as changed."""
        self._changed.update(keys)

    def _add(
        self, person: str, dataset: str, now: float, chunks: tuple[str, ...], times: int, rows: int, size: int
    ) -> None:
        dataset = self._told_apart(person, dataset)
        slot = int(now // SLOT)
        slots = self._counts.setdefault(person, {}).setdefault(dataset, {})
        slots.setdefault(slot, Count()).add(chunks, times, rows, size)
        self._changed.add(Key(person, dataset, slot))
        for key in [key for key in self._days if key[0] == person and key[1] == dataset] if self._days else ():
            day = self._days[key]
            if day.begin <= now < day.end:
                day.taken.add(chunks, times, rows, size)
        if now - self._pruned > SLOT:
            self._prune(now)

    def _told_apart(self, person: str, dataset: str) -> str:
        known, before = self._counts.get(person, {}), self._before.get(person, {})
        dataset = kept_name(dataset)
        return dataset if dataset in known or dataset in before or len(known) < DATASETS else FURTHER

    def _prune(self, now: float) -> None:
        self._pruned = now
        oldest = int((now - KEPT_SECONDS) // SLOT)
        self._counts = _since(oldest, self._counts)
        self._before = _since(oldest, self._before)
        self._days = {key: day for key, day in self._days.items() if day.end > now}


class _Taken(Mapping[Taken, Use]):
    """One person's use, added up when a budget asks for it."""

    def __init__(self, usage: Usage, person: str, now: float) -> None:
        self._usage = usage
        self._person = person
        self._now = now

    def __getitem__(self, key: Taken) -> Use:
        dataset, zone = key
        return self._usage.use(self._person, dataset, zone, self._now)

    def __iter__(self) -> Iterator[Taken]:
        return iter(())

    def __len__(self) -> int:
        return 0


def person_of(principal: Principal) -> str:
    """Subjects are unique within an issuer only."""
    return kept_name(f"{principal.issuer} {principal.subject}", 500)


def _since(oldest: int, counts: _Counts) -> _Counts:
    found: _Counts = {}
    for person, datasets in counts.items():
        for dataset, slots in datasets.items():
            recent = {slot: count for slot, count in slots.items() if slot >= oldest}
            if recent:
                found.setdefault(person, {})[dataset] = recent
    return found
