"""What a response that owed no masks handed over: the columns and the number of its rows, as far as that is cheap."""

from __future__ import annotations

import orjson

from sluicegate import codings, rows
from sluicegate.exchange import Exposure

LIMIT = 1 << 20
"""Decoded bytes up to which a body is read; what is larger has unknown columns."""


def read(body: bytes, coding: str, content_type: str, limit: int = LIMIT) -> Exposure:
    """The exposure of a JSON body; without columns when it is no JSON, broken, or too large. Never raises."""
    if not body or len(body) > limit or "json" not in content_type.lower():
        return Exposure()
    try:
        document = orjson.loads(codings.decode(body, coding, limit))
    except ValueError:  # the errors of the codings and of orjson both are
        return Exposure()
    found = rows.tables(document)
    names = [column for table in found for column in table.columns]
    return Exposure(dict.fromkeys(names[: rows.MAX_COLUMNS], "clear"), sum(table.count for table in found))
