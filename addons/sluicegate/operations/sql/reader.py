"""The way in: bounded in bytes and time, and remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sluicegate.operations.dialect import Known
from sluicegate.operations.sql.reading import Read, opaque, read_now

INLINE = 64 << 10
"""Longest text, in characters, that is read at once."""


def read_sql(
    text: str,
    language: str,
    known: Known,
    *,
    catalog: str | None = None,
    schema: str | None = None,
    prepared: Mapping[str, str] = {},
) -> Read:
    """What a text asks. Never raises: what is not understood is of kind `unknown`, with the reason in `opaque`."""
    if len(text) > INLINE:
        return Read(replace(opaque(known.service, "the statement is too long"), statement=text))
    return read_now(text, language, known, catalog, schema, prepared)
