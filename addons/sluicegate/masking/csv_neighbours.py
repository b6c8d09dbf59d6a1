"""Texts of a table's rows that were cut in two by the border of two rows, where rows come a few at a time.

The last row waits for the next one. What leaves is what would leave if all rows were here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from sluicegate.masking.hit import Hit
from sluicegate.masking.tally import Tally

if TYPE_CHECKING:
    from sluicegate.masking.content import Content

_LOOKED = 64
"""Rows that say whether a column holds texts with blanks, which may have been cut."""


class NeighbouringRows:
    """One table; `hits` says which of its columns owe a mask as a whole, and so need no look."""

    def __init__(self, content: Content, hits: Sequence[Hit | None], tally: Tally) -> None:
        self._content = content
        self._tally = tally
        self._columns = [place for place, hit in enumerate(hits) if hit is None]
        self._blanks: set[int] = set()
        self._seen = 0
        self._held: pa.RecordBatch | None = None

    def take(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The next rows; those that may leave."""
        fresh = max(0, _LOOKED - self._seen)
        self._seen += batch.num_rows
        if fresh:
            head = batch.slice(0, fresh)
            self._blanks.update(
                place for place in self._columns if any(" " in (text or "") for text in head.column(place).to_pylist())
            )
        here = batch
        if self._held is not None:
            here = pa.Table.from_batches([self._held, batch]).combine_chunks().to_batches()[0]
        arrays = list(here.columns)
        for place in self._columns:
            if place in self._blanks:
                arrays[place] = self._looked(arrays[place])
        here = pa.RecordBatch.from_arrays(arrays, schema=batch.schema)
        count = here.num_rows
        self._held = here.slice(count - 1) if count else None
        return here.slice(0, max(0, count - 1))

    def end(self) -> pa.RecordBatch | None:
        """No more come; the one that had to wait."""
        held, self._held = self._held, None
        return held

    def _looked(self, column: pa.Array) -> pa.Array:
        texts = column.to_pylist()
        changed = False
        for place in self._content.cut(texts):
            one, other = self._content.across(texts[place], texts[place + 1], self._tally.counts)
            changed = changed or one is not texts[place]
            texts[place], texts[place + 1] = one, other
        return pa.array(texts, column.type) if changed else column
