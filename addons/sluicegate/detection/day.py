"""One day of one person, in the time zone of that person: what adds up before it becomes habit at the day's end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sluicegate.detection.event import SAMPLE
from sluicegate.detection.recent import hours_of
from sluicegate.detection.sketches.distinct import Distinct
from sluicegate.settings.times import zone_named

MEASURES = ("rows", "bytes", "chunks", "subjects", "sent", "unread", "share")
"""What is added up by days: rows, bytes, different chunks and different rows that were taken, bytes that were sent to
other hosts and those of them that could not be read, and the largest part of a dataset (in thousandths) that was
covered in the last 30 days."""
TIERED = ("night", "walk", "refusals")
"""What is nothing on most days: how often the same thing was asked for at odd hours, the longest walk, refusals."""
_EVEN = 946_684_800.0
"""1 January 2000, UTC."""
_COLUMNS = 512
_DATASETS = 16


def local(at: float, zone: str) -> tuple[int, int]:
    """The day (counted from 1 January of year 1) and the hour of the week, Monday first. Raises as datetime does."""
    # Since the leap seconds of 1972, all zones are set off by whole quarters of an hour.
    return _local(at // 900 * 900, zone) if at > _EVEN else _local.__wrapped__(at, zone)


@lru_cache(maxsize=1024)
def _local(at: float, zone: str) -> tuple[int, int]:
    moment = datetime.fromtimestamp(at, zone_named(zone))
    return moment.toordinal(), moment.weekday() * 24 + moment.hour


@dataclass(slots=True)
class Day:
    """What was done since midnight."""

    number: int = 0
    rows: int = 0
    bytes: int = 0
    refusals: int = 0
    sent: int = 0
    walk: int = 0
    unread: int = 0
    share: float = 0.0
    night: int = 0
    """How often the thing that came most often at odd hours did, with the weeks before."""
    hours: int = 0
    """Hours of the week in which something was done, as bits."""
    signs: int = 0
    """What the day had of `recent.SIGNS`, as bits."""
    tried: int = 0
    """Different things that were refused, and never had been before."""
    score: float = 0.0
    """The weighed points of this day."""
    chunks: Distinct = field(default_factory=Distinct)
    subjects: Distinct = field(default_factory=Distinct)
    columns: dict[str, set[str]] = field(default_factory=dict)
    """By dataset, the columns that were received in clear."""
    steps: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0, 0.0])
    """When something was collected, packed, sent and removed last, on this day or before; 0 is never."""
    done: int = 0
    """Which of these steps were done on this day, as bits."""
    places: set[int] = field(default_factory=set)
    """Keys of the places outside that data was sent to."""
    pieces: dict[str, dict[int, int]] = field(default_factory=dict)
    """What rows of received data were found in what was sent: by dataset and place, their number in each request."""
    loud: bool = False
    """Whether something was found on this day: then it is no example of what is usual."""

    counted: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """By dataset, the columns and classes that were counted last, which need not be counted again on it. Not kept."""

    def amount(self, measure: str) -> float:
        """The day's total of a measure."""
        value = getattr(self, measure)
        if isinstance(value, Distinct):
            return value.estimate * (SAMPLE if measure == "subjects" else 1)
        return float(value)

    def column(self, dataset: str, names: tuple[str, ...]) -> None:
        """Columns were received."""
        known = self.columns.get(dataset)
        if known is None:
            if len(self.columns) >= _DATASETS:
                return
            known = self.columns[dataset] = set()
        if len(known) < _COLUMNS:
            known.update(names)

    @property
    def packed(self) -> list[Any]:
        """Plain values."""
        columns = {dataset: sorted(names) for dataset, names in self.columns.items()}
        totals = [
            self.number,
            self.rows,
            self.bytes,
            self.refusals,
            self.sent,
            self.walk,
            self.unread,
            self.night,
            self.done,
            self.signs,
            self.tried,
        ]
        hours = hours_of(self.hours)
        return [
            totals,
            [self.share, self.score],
            hours,
            self.chunks.packed,
            self.subjects.packed,
            columns,
            list(self.steps),
            sorted(self.places),
            self.loud,
            {about: dict(pieces) for about, pieces in self.pieces.items()},
        ]

    @classmethod
    def unpacked(cls, value: Any) -> Day:
        """From what `packed` gave. Raises TypeError, ValueError."""
        totals, (share, score), hours, chunks, subjects, columns, steps, places, loud, *more = value
        number, rows, size, refusals, sent, walk, unread, night, done, signs, tried = map(int, totals)
        return cls(
            number, rows, size, refusals, sent, walk, unread, float(share), night,
            sum(1 << hour for hour in {int(hour) % 168 for hour in hours}), signs, tried, float(score),
            Distinct(chunks), Distinct(subjects),
            {str(dataset): set(map(str, names)) for dataset, names in columns.items()},
            [float(at) for at in steps][:4],
            done,
            {int(place) for place in places},
            {str(about): {int(k): int(n) for k, n in one.items()} for about, one in (more[0] if more else {}).items()},
            bool(loud),
        )  # fmt: skip
