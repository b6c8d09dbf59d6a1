"""[approvals]: held requests."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sluicegate.settings.model.base import Seconds, Table


class Approvals(Table):
    """[approvals]: how long held requests wait and how long a yes is good for."""

    hold_seconds: Seconds = 20.0
    """How long a held request waits on its connection before it is refused with a way to retry."""
    pending_seconds: Seconds = 600.0
    """How long an approver has to decide."""
    grant_seconds: Seconds = 900.0
    """How long a grant may be redeemed by a retry."""
    max_pending: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """How many requests may be pending in all."""
    max_pending_per_person: Annotated[int, Field(ge=1, le=1000)] = 20
    """How many of one person."""
