"""What is sent elsewhere in small pieces: a row in each of several requests is as good as several rows in one."""

from __future__ import annotations

from collections.abc import Iterable

from sluicegate.detection.day import Day
from sluicegate.detection.event import Event, key
from sluicegate.detection.look import Signal

ROWS = 3
"""Rows in different requests of a day that are strong evidence. No proof: foreign lists share a row by accident."""
_PLACES = 16
_REQUESTS = 64


def together(day: Day, event: Event, signals: Iterable[Signal]) -> list[Signal]:
    """The signals of a request; a row of somebody's data that it holds is put beside those of the day's others."""
    found = []
    for signal in signals:
        rows = int(signal.evidence.get("rows", 0)) if signal.indicator == "taint" and not signal.certain else 0
        if rows and (signal.about in day.pieces or len(day.pieces) < _PLACES):
            pieces = day.pieces.setdefault(signal.about, {})
            if len(pieces) < _REQUESTS:  # the same sent again is no other row
                pieces[key(event.service, event.method, event.target, event.asked)] = rows
            total = sum(pieces.values())
            if len(pieces) > 1 and total >= ROWS:
                signal = _pieces(signal, total, len(pieces))
        found.append(signal)
    return found


def _pieces(signal: Signal, rows: int, requests: int) -> Signal:
    dataset, place = signal.evidence.get("dataset", ""), signal.evidence.get("sent to", "")
    return Signal(
        "taint",
        signal.about,
        20.0,
        3.0,
        f"{rows} rows of {dataset} that this person received were found in {requests} requests of a day to {place}",
        {**signal.evidence, "rows": str(rows), "requests of the day": str(requests)},
    )
