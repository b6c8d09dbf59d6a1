"""What a masking did, in names and counts: which columns left masked or clear, how many rows, how many values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sluicegate import rows
from sluicegate.exchange import Exposure
from sluicegate.masking.hit import Hit
from sluicegate.masking.names import normal
from sluicegate.masking.walk import Counts

if TYPE_CHECKING:
    from sluicegate.masking.content import Content

Columns = dict[str, Literal["clear", "masked"]]


class Tally:
    """Collects what is known of one response."""

    __slots__ = ("_parts", "columns", "counts", "rows")

    def __init__(self) -> None:
        self.columns: Columns = {}
        self.counts: Counts = {}
        self._parts: dict[str, int] = {}
        self.rows = 0

    def column(self, name: str, masked: bool) -> None:
        """A column was met. One that is in clear in one of several tables is in clear."""
        if len(name) > rows.MAX_NAME or (len(self.columns) >= rows.MAX_COLUMNS and name not in self.columns):
            return  # data, not names
        if not masked:
            self.columns[name] = "clear"
        else:
            self.columns.setdefault(name, "masked")

    def hit(self, hit: Hit, count: int) -> None:
        """A mask replaced so many values."""
        if count:
            self.counts[hit] = self.counts.get(hit, 0) + count

    def add(self, counts: Counts) -> None:
        """What a walk replaced."""
        for hit, count in counts.items():
            self.hit(hit, count)

    def merge(self, other: Tally) -> None:
        """What was done in another document of the same response."""
        self.rows += other.rows
        self.add(other.counts)
        for name, word in other.columns.items():
            self.column(name, word == "masked")

    def include(self, part: Exposure) -> None:
        """What left in a part of the response."""
        self.rows += part.rows
        for name, word in part.columns.items():
            self.column(name, word == "masked")
        for mask, count in part.masks.items():
            self._parts[mask] = self._parts.get(mask, 0) + count

    def exposure(self, content: Content | None = None) -> Exposure:
        """All of it; columns that a mask met outside the rows too. `content`: where its detectors find a value in a
        name, that is said as it left.
        """
        masks = dict(self._parts)
        columns = dict(self.columns)
        listed = set(map(normal, columns))
        for hit, count in self.counts.items():
            masks[hit.mask] = masks.get(hit.mask, 0) + count
            if hit.column and hit.column not in listed and len(columns) < rows.MAX_COLUMNS:
                columns[hit.column] = "masked"
        return Exposure(columns if content is None else _shown(columns, content), self.rows, masks)


def _shown(columns: Columns, content: Content) -> Columns:
    """The columns without values in their names. One that is in clear under one of several names is in clear."""
    made = content.texts(list(columns), "", {})
    if made is None:
        return columns
    shown: Columns = {}
    for name, word in zip(made, columns.values(), strict=True):
        if word == "clear" or str(name) not in shown:
            shown[str(name)] = word
    return shown
