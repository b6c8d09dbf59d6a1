"""From hits to evidence: how many rows have how many of their columns in what was sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sluicegate.detection.look import Signal
from sluicegate.detection.taint.cells import STRONG, Cell

ROWS, COLUMNS = 3, 2
"""So many rows with so many of their columns each are proof: of 3,197 files that had nothing to do with it none did."""
_COMMON = 4
"""A value that so many rows have says nothing about a row."""


@dataclass(frozen=True, slots=True)
class Hits:
    """What was found again."""

    rows: int = 0
    """Rows with two columns and more."""
    cells: int = 0
    strong: int = 0
    """Values that identify somebody by themselves."""
    what: int = 0
    """A number for all of the values."""


def index(cells: Iterable[Cell]) -> dict[int, list[tuple[int, int]]]:
    """Rows and columns by value."""
    found: dict[int, list[tuple[int, int]]] = {}
    for cell in cells:
        places = found.setdefault(cell.value, [])
        if (cell.row, cell.column) not in places and len(places) <= _COMMON:
            places.append((cell.row, cell.column))
    return found


def count(values: Collection[int], known: Mapping[int, list[tuple[int, int]]]) -> Hits:
    """What of the values is known."""
    columns: dict[int, set[int]] = {}
    strong: set[int] = set()
    met = what = 0
    for value in values:
        places = known.get(value)
        if places is None or len(places) > _COMMON:
            continue
        met += 1
        what ^= value
        for row, column in places:
            columns.setdefault(row, set()).add(column)
            if column & STRONG:
                strong.add(value)
    return Hits(sum(len(found) >= COLUMNS for found in columns.values()), met, len(strong), what)


def judge(hits: Hits, dataset: str, place: str) -> Signal | None:
    """The evidence. None where what was found can be an accident: two people share a birthday, a town and a name. A few
    identifying values are evidence only with those of other requests (`pieces`): of no bits by themselves."""
    if hits.rows >= ROWS:
        bits, certain, words = 20.0, True, f"{hits.rows} rows of {dataset}"
    elif hits.rows:
        bits, certain, words = 13.0, False, f"{hits.rows} row{'s' if hits.rows > 1 else ''} of {dataset}"
    elif hits.strong >= ROWS:
        bits, certain, words = 12.0, False, f"{hits.strong} identifying values of {dataset}"
    elif hits.strong:
        bits, certain, words = 0.0, False, f"{hits.strong} identifying values of {dataset}"
    else:
        return None
    return Signal(
        "taint",
        f"{dataset} {place}"[:200],
        bits,
        3.0 if certain else 2.0,
        f"{words} that this person received were found in what they sent to {place}",
        {
            "dataset": dataset, "sent to": place, "rows": str(hits.rows), "values": str(hits.cells),
            "identifying values": str(hits.strong),
        },
        certain,
        hits.what,
    )  # fmt: skip


def canary(found: int, place: str) -> Signal:
    """A value that nobody has a reason to send was sent."""
    return Signal(
        "canary", place[:200], 20.0, 3.0, f"a canary value was found in what was sent to {place}",
        {"sent to": place, "values": str(found)}, certain=True,
    )  # fmt: skip
