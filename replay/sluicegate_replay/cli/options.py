"""Options that several commands have, and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.clock import SystemClock
from sluicegate.errors import Fault
from sluicegate.settings.state import State
from sluicegate_replay.escape import plain
from sluicegate_replay.rows import since as moment_of
from sluicegate_replay.source import Source

From = Annotated[
    Path | None,
    typer.Option("--from", metavar="FOLDER", help="The recordings. [default: recordings/ in the state folder]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Who = Annotated[str, typer.Option(help="Only exchanges of people whose name or subject holds this.")]
Since = Annotated[str, typer.Option(help="Only since then: 30m, 2h, 7d, or an ISO date or time (UTC).")]


def source_of(folder: Path | None) -> Source:
    """The recordings to read: the folder that was named, else the one beside the policy."""
    return Source(folder if folder is not None else State.beside(Path("policy.toml")).recordings)


def moment_in(text: str) -> float | None:
    """The time that an option names, in seconds; None where it is empty. Raises Fault."""
    try:
        return moment_of(text, SystemClock().now()) if text else None
    except ValueError:
        raise Fault(f"{plain(text)!r} is no time.", hint="Write 30m, 2h, 7d, or 2026-11-23T21:45.") from None
