"""[[rules]]: what is allowed, denied and held."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluicegate.exchange import Assurance, Effect, Kind, Side
from sluicegate.settings.model.approvals import Terms
from sluicegate.settings.model.base import Network, Pattern, Seconds, Slug, Table, Text, Times, Zone


class Budget(Table):
    """budget = { ... }: how much one person may take of one dataset in a day. One measure above its limit is enough.

    What is asked counts with what was taken: chunks and rows as far as the request names them. A request that sets no
    limit to its rows is above the limit when nothing is left of it.
    """

    chunks: Annotated[int, Field(ge=0)] | None = None
    """Chunks, each time that they are asked for. A read that names no chunk counts as one."""
    distinct_chunks: Annotated[int, Field(ge=0)] | None = None
    """Different chunks."""
    rows: Annotated[int, Field(ge=0)] | None = None
    """Rows that left."""
    bytes: Annotated[int, Field(ge=0)] | None = None
    """Bytes of response bodies that left."""
    per: Literal["day"] = "day"
    """From midnight to midnight,"""
    zone: Zone = "UTC"
    """in this time zone."""


class Rule(Table):
    """[[rules]]: an effect, and what it applies to. A key that is left out matches everything.

    Any matching deny wins, else any hold, else any allow, else the default, which is deny. Where in doubt a deny or
    hold matches, and an allow does not.
    """

    id: Slug
    """Its name in verdicts, answers and recordings."""
    effect: Effect
    """`allow`, `deny` or `hold`."""
    mode: Literal["enforce", "report"] = "enforce"
    """`report`: counted and shown where it would have matched, never applied."""
    who: Annotated[list[Text], Field(min_length=1)] | None = None
    """`group:NAME`, `person:SUBJECT`, `machine:SUBJECT`, `kind:person` or `kind:machine`."""
    assurance: Assurance | None = None
    """How surely it is known who asks, at least: `network`, `account`, `bearer`, `bound`, from weak to strong."""
    assurance_below: Assurance | None = None
    """Weaker than this; for a deny or hold."""
    network: Annotated[list[Network], Field(min_length=1)] | None = None
    """Networks (CIDR) that the client's address is in."""
    service: Annotated[list[Text], Field(min_length=1)] | None = None
    """Services; `others` means hosts that are inspected."""
    dataset: Annotated[list[Text], Field(min_length=1)] | None = None
    """Dataset names or globs. Only a rule with this key can match a dataset that the policy does not declare."""
    kind: Annotated[list[Kind], Field(min_length=1)] | None = None
    """Kinds of operation. Only a rule with this key can allow `unknown`, and `message`: what a client sends
    through a WebSocket."""
    columns: Annotated[list[Text], Field(min_length=1)] | None = None
    """Names or classes. A deny or hold matches when any of them is asked for; an allow only when nothing else is."""
    destination: Side | Annotated[list[Text], Field(min_length=1)] | None = None
    """`external`, `internal`, or globs."""
    statements: Annotated[list[Text], Field(min_length=1)] | None = None
    """Kinds of statements or globs of them, such as `drop` or `create_*`. A deny or hold matches when any statement is
    of one, or was not understood; an allow only when all were understood and are."""
    commands: Annotated[list[Pattern], Field(min_length=1)] | None = None
    """RE2 patterns of statements and scripts. A deny or hold looks for them anywhere, without regard to case and
    comments, and matches what is too long to look at; in an allow one of them must fit the whole text."""
    rows_above: Annotated[int, Field(ge=0)] | None = None
    """More rows than this are asked for, or no limit is set. For a deny or hold."""
    results_of_others: bool = False
    """It covers results too that a service handed to somebody else, whom the request names by their handle (a statement
    or job id, a page, a link). For an allow or hold; without it such results are for whoever made them."""
    job: Annotated[list[Text], Field(min_length=1)] | None = None
    """The request is within one of these [jobs.*]."""
    when: Annotated[list[Times], Field(min_length=1)] | None = None
    """Days and hours in a time zone, such as `Mon-Fri 08:00-18:00 Europe/Berlin`, `Sat,Sun UTC` or
    `22:00-06:00 UTC`. Hours that pass midnight belong to the day on which they begin."""
    risk_above: Annotated[float, Field(ge=0)] | None = None
    """The person's risk is higher than this. For a deny or hold."""
    finding: Annotated[list[Text], Field(min_length=1)] | None = None
    """Indicators, or globs of them, that have been found about the person. For a deny or hold."""
    sign_in_age_above: Annotated[float, Field(ge=0)] | None = None
    """The person last signed in longer ago than this, in seconds, or the token does not say when (`auth_time`). For a
    deny, which then asks for a new sign-in, or a hold."""
    budget: Budget | None = None
    """The person's use of the dataset is above this. For a deny or hold."""
    seal: bool = False
    """What the service answers is sealed as it came, also where no mask changes it. For an allow or hold; it needs
    `recipients` under [recording]."""
    approvers: list[Text] = []
    """`group:NAME` or `person:SUBJECT`, who may decide a hold."""
    hold_seconds: Seconds | None = None
    """How long a held request waits, where it differs from [approvals]."""
    approval: Terms | None = None
    """What it takes to approve it. For a hold."""
    reason: Text = ""
    """Why; the person who asked is told."""
    next_step: str = ""
    """What the person can do about it."""
