"""[recording]: how exchanges are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluicegate.settings.model.base import Seconds, Table, Text


class Recording(Table):
    """[recording]: how exchanges are kept."""

    durability: Literal["strict", "group"] = "strict"
    """`strict`: on the disk (fdatasync) before bytes move. `group`: written before, synced within `sync_seconds`."""
    sync_seconds: Seconds = 1.0
    """With `group`: how long a record may be written and not yet synced."""
    segment_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 32)] = 64 << 20
    """A new file is begun when one has grown to this size,"""
    segment_seconds: Seconds = 3600.0
    """or to this age."""
    secret_query: list[Text] = []
    """Further query parameters whose values are never recorded."""
