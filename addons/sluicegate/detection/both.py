"""What the messages of a WebSocket handed over together."""

from __future__ import annotations

from collections import Counter

from sluicegate.exchange import Exposure
from sluicegate.rows import MAX_COLUMNS


def both(one: Exposure | None, other: Exposure) -> Exposure:
    """What two messages handed over. A column that is in clear in one of them is in clear."""
    if one is None:
        return other
    columns = {**one.columns, **other.columns}
    columns |= {name: "clear" for each in (one, other) for name, word in each.columns.items() if word == "clear"}
    masks = Counter(one.masks)
    masks.update(other.masks)
    return Exposure(columns if len(columns) <= MAX_COLUMNS else one.columns, one.rows + other.rows, dict(masks))
