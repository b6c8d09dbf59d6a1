"""[detection]: what counts as a sign of an insider, and how many alerts somebody can look at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluicegate.settings.model.base import Slug, Table, Text, Zone
from sluicegate.settings.model.findings_out import Collector, Syslog


class Detection(Table):
    """[detection]: what people do, held against what they and their groups usually do."""

    mode: Literal["enforce", "report", "off"] = "enforce"
    """`enforce`: rules see risk and findings. `report`: findings are written down and told, and change no answer.
    `off`: nothing is counted and nothing is kept of anybody."""
    off: list[Slug] = []
    """Indicators that are switched off; docs/detection.md lists them."""
    alerts_per_thousand: Annotated[float, Field(gt=0, le=1000)] = 2.0
    """The alert budget: so many people of 1,000 a day, at most, are pointed to by their habits. Proof is beyond it."""
    half_life_days: Annotated[float, Field(gt=0, le=365)] = 7.0
    """After so many days, what pointed to a person counts half. Findings are known to rules for as long."""
    observe_days: Annotated[float, Field(ge=0, le=365)] = 14.0
    """How long habits are only learned at first. What is certain without them (jobs, proof by value taint, canaries) is
    found from the start; what else value taint sees, rules see from the start as well."""
    time_zone: Zone = "UTC"
    """Where people work of whom `time_zones` says nothing."""
    time_zones: dict[Text, Zone] = {}
    """Where others do: `person:SUBJECT` or `group:NAME` to a time zone. A person comes before their groups."""
    taint: list[Slug] | None = None
    """Datasets whose values are looked for in what people send elsewhere. Left out: those with a class on a column."""
    taint_days: Annotated[float, Field(gt=0, le=365)] = 30.0
    """How long it is known what somebody received."""
    taint_seconds: Annotated[float, Field(gt=0, le=8)] = 2.0
    """How long what somebody sends elsewhere may be looked at,"""
    taint_unread: Literal["refuse", "pass"] = "refuse"
    """and what becomes of it where that was not long enough, or there is more than 4 MiB of it."""
    zones: dict[Slug, list[Slug]] = {}
    """Services that may have each other's data, by a name for them. Every other service, and each host that no service
    names, is elsewhere."""
    canaries: list[Text] = []
    """Values that stand in the data for nobody: whoever sends one of them elsewhere has copied."""
    ocsf_file: Text | None = None
    """A file that findings are appended to as OCSF events, one JSON object a line, for whatever reads such files."""
    syslog: Syslog | None = None
    """A syslog server that findings are sent to."""
    http: Collector | None = None
    """An address that findings are sent to."""
    weights: dict[Slug, Annotated[float, Field(ge=1, le=3)]] = {}
    """How much classes of columns weigh, from 1 to 3; a class that is not named weighs 2, columns without one 1."""
