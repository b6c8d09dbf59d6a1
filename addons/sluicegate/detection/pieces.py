"""What is sent elsewhere in small pieces: a row in each of several requests is as good as several rows in one.

So are single values; and to however many places, since who has one host has a thousand names for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from sluicegate.detection.day import Day
from sluicegate.detection.look import Signal

ROWS = 3
"""Rows in different requests of a day that are strong evidence. No proof: foreign lists share a row by accident."""
VALUES, BITS, MOST_BITS = 3, 12.0, 16.0
"""Values that identify somebody: as many as in one request, and what they are worth; twice as many are one bit more."""
_KINDS = 32
_REQUESTS = 64


def together(day: Day, asked: int, signals: Iterable[Signal]) -> list[Signal]:
    """The signals of a request; what it holds of somebody's data is put beside what the day's others did. What is no
    evidence, with them either, is left out.

    `asked` is the key of the request.
    """
    found = []
    for signal in signals:
        if signal.indicator == "taint" and not signal.certain:
            dataset = signal.evidence.get("dataset", "")
            rows, of_rows = _added(day, dataset, "rows", asked, signal)
            values, of_values = _added(day, dataset, "identifying values", asked, signal)
            if rows >= ROWS and of_rows > 1:
                signal = _pieces(signal, dataset, f"{rows} rows", "rows", rows, of_rows, 20.0, 3.0)
            elif values >= VALUES and of_values > 1:
                bits = max(signal.bits, min(MOST_BITS, BITS + math.log2(values / VALUES)))
                signal = _pieces(
                    signal, dataset, f"{values} identifying values", "identifying values", values, of_values, bits, 2.0
                )
        if signal.bits:
            found.append(signal)
    return found


def _added(day: Day, dataset: str, kind: str, asked: int, signal: Signal) -> tuple[int, int]:
    """So many of them in so many different requests of the day, this one with them; nothing where it has none."""
    count, about = int(signal.evidence.get(kind, 0)), f"{dataset} {kind}"
    if not count or (about not in day.pieces and len(day.pieces) >= _KINDS):
        return 0, 0
    pieces = day.pieces.setdefault(about, {})
    if len(pieces) < _REQUESTS:  # the same sent again is no other
        what = signal.what or asked
        pieces[what] = max(pieces.get(what, 0), count)
    return sum(pieces.values()), len(pieces)


def _pieces(
    signal: Signal, dataset: str, words: str, kind: str, count: int, requests: int, bits: float, weight: float
) -> Signal:
    return replace(
        signal,
        about=f"{dataset} in pieces"[:200],
        bits=bits,
        weight=weight,
        detail=f"{words} of {dataset} that this person received were found in {requests} requests of a day, "
        f"the last to {signal.evidence.get('sent to', '')}",
        evidence={**signal.evidence, kind: str(count), "requests of the day": str(requests)},
    )
