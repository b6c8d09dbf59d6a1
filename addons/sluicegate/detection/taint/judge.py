"""From hits to evidence: how many rows have how many of their columns in what was sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sluicegate.detection.look import Signal
from sluicegate.detection.taint.cells import STRONG, Cell

ROWS, COLUMNS = 3, 2
"""So many rows with so many of their columns each are proof: of 3,197 files that had nothing to do with it none did."""
_COMMON, _COMMON_STRONG = 4, 64
"""A value that more rows have says nothing about a row; what identifies somebody has many where one row was received in
many ways."""


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
        most = _COMMON_STRONG if cell.column & STRONG else _COMMON
        if len(places) <= most and (cell.row, cell.column) not in places:
            places.append((cell.row, cell.column))
    return found


def count(values: Collection[int], known: Mapping[int, list[tuple[int, int]]]) -> Hits:
    """What of the values is known."""
    columns: dict[int, dict[int, int]] = {}
    strong: set[int] = set()
    met = what = 0
    for value in values:
        places = known.get(value)
        if places is None or len(places) > (_COMMON_STRONG if places[0][1] & STRONG else _COMMON):
            continue
        met += 1
        what ^= value
        for row, column in places:
            columns.setdefault(row, {})[column] = value
            if column & STRONG:
                strong.add(value)
    return Hits(_rows(set(found.values()) for found in columns.values()), met, len(strong), what)


def _rows(found: Iterable[set[int]]) -> int:
    """How many rows there are, of each of which some values were found. The same row may have been received several
    times, with other columns and under another name: it counts once, so one counts that has a value of its own."""
    counted: set[int] = set()
    rows = 0
    for values in sorted(found, key=len, reverse=True):
        if len(values) >= COLUMNS and not values <= counted:
            rows += 1
            counted |= values
    return rows


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
