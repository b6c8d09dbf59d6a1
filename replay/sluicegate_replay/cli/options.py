"""Options that several commands have, and what they mean."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from sluicegate.clock import SystemClock
from sluicegate.errors import Fault
from sluicegate.settings.state import State
from sluicegate_replay.case import VARIABLE as CASE_VARIABLE
from sluicegate_replay.catalog.place import VARIABLE
from sluicegate_replay.catalog.select import Selection
from sluicegate_replay.cli.progress import Shown
from sluicegate_replay.escape import plain
from sluicegate_replay.filters.parse import FilterError, parse
from sluicegate_replay.rows import since as moment_of
from sluicegate_replay.source import Source, source

From = Annotated[
    Path | None,
    typer.Option("--from", metavar="FOLDER", help="The recordings. [default: recordings/ in the state folder]"),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="FOLDER",
        envvar=VARIABLE,
        show_envvar=False,
        help="Where the catalog of the recordings is kept. [default: sluicegate-replay in the user's cache folder]",
    ),
]
Case = Annotated[
    Path | None,
    typer.Option(
        "--case",
        metavar="FOLDER",
        envvar=CASE_VARIABLE,
        show_envvar=False,
        help="The folder of the case log. [default: sluicegate-replay/case in the user's data folder]",
    ),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Keep no catalog: read everything, and leave nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Who = Annotated[str, typer.Option(help="Only people whose name or subject holds this.")]
Since = Annotated[str, typer.Option(help="Only since then: 30m, 2h, 7d, or an ISO date or time (UTC).")]
Until = Annotated[str, typer.Option(help="Only before then.")]
Service = Annotated[str, typer.Option(help="Only this service; * and ? stand for others.")]
Dataset = Annotated[str, typer.Option(help="Only this dataset; * and ? too.")]
Kind = Annotated[str, typer.Option(help="Only this kind: read, export, write, script, ...")]
Verdict = Annotated[str, typer.Option(help="Only verdicts that begin so: allow, refused, hold, ...")]
Rule = Annotated[str, typer.Option(help="Only where this rule spoke.")]
Finding = Annotated[str, typer.Option(help="Only with a finding of this indicator; * is any.")]
Session = Annotated[str, typer.Option(help="Only this session.")]


def reading(
    folder: Path | None, cache: Path | None = None, *, no_cache: bool = False
) -> AbstractContextManager[Source]:
    """The recordings to read: the folder that was named, else the one beside the policy. Raises Fault."""
    return source(recordings(folder), cache, Shown(), keep=not no_cache)


def recordings(folder: Path | None) -> Path:
    """The folder that was named, else the one beside the policy."""
    return folder if folder is not None else State.beside(Path("policy.toml")).recordings


def moment_in(text: str) -> float | None:
    """The time that an option names, in seconds; None where it is empty. Raises Fault."""
    try:
        return moment_of(text, SystemClock().now()) if text else None
    except (ValueError, OverflowError):
        raise Fault(f"{plain(text)!r} is no time.", hint="Write 30m, 2h, 7d, or 2026-11-23T21:45.") from None


def selection(
    *,
    who: str = "",
    since: str = "",
    until: str = "",
    service: str = "",
    dataset: str = "",
    kind: str = "",
    verdict: str = "",
    rule: str = "",
    finding: str = "",
    session: str = "",
    expression: str = "",
) -> Selection:
    """What the options ask for. Raises Fault."""
    try:
        node = parse(expression) if expression else None
    except FilterError as error:
        raise Fault(
            f"The filter {plain(expression)!r} cannot be read: {plain(error)}.", hint="An example: ~m POST & ~u chunks"
        ) from None
    return Selection(
        who=who,
        since=moment_in(since),
        until=moment_in(until),
        service=service,
        dataset=dataset,
        kind=kind,
        verdict=verdict,
        rule=rule,
        finding=finding,
        session=session,
        filter=node,
    )
