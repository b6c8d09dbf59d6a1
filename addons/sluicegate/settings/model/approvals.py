"""[approvals]: held requests."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sluicegate.settings.model.base import Seconds, Table, Text


class Terms(Table):
    """approval = { ... }: what it takes to approve what a rule holds, and what a yes is good for.

    Where several rules hold one request, the strictest of each key counts.
    """

    quorum: Annotated[int, Field(ge=1, le=20)] = 1
    """How many different people have to say yes. One no ends it."""
    reason: bool = False
    """Whether a yes needs a reason. A no always does."""
    fresh_seconds: Seconds | None = None
    """Who decides has signed in no longer ago than this. The tokens of the provider must say `auth_time`."""
    conflicts: list[Text] = []
    """`group:GLOB` and `claim:NAME`: who shares such a group, or the value of such a claim, with the person who asked
    may not decide. Claims must be listed in [identity].relation_claims; where one is missing, there is a conflict."""
    uses: Annotated[int, Field(ge=1, le=10_000)] = 1
    """How often the request may go through, once approved."""
    grant_seconds: Seconds | None = None
    """How long the yes is good for, where it differs from [approvals]."""
    break_glass: list[Text] = []
    """`group:NAME` and `person:SUBJECT`, who may let the request through without an approval, in an emergency. They
    need a reason, everybody who could have approved is alarmed, and somebody else must review it."""


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
    review_seconds: Annotated[float, Field(gt=0, le=30 * 86_400)] = 86_400.0
    """How long the review of a broken glass may take. While one is overdue, who broke it cannot do so again."""
