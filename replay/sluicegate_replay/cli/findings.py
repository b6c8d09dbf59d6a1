"""sluicegate-replay findings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.text import Text

from sluicegate_replay.cli.options import AsJson, From, Since, Who, moment_in, source_of
from sluicegate_replay.cli.screen import console, finish, print_json, trouble
from sluicegate_replay.escape import label, moment
from sluicegate_replay.rows import line_of


def findings(
    folder: From = None,
    who: Who = "",
    since: Since = "",
    again: Annotated[
        Path | None,
        typer.Option(metavar="POLICY", help="Find anew by this policy, out of the exchanges alone."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what pointed to an insider, with its evidence: as it was recorded, or found anew.

    Example: sluicegate-replay findings --who ada --since 7d
    """
    from sluicegate.recording.recorded import Recorded
    from sluicegate.settings import load
    from sluicegate_replay.detecting import Again, recorded_findings

    earliest = moment_in(since)
    anew = Again(load(again).settings) if again is not None else None
    source = source_of(folder)
    found: list[dict[str, Any]] = []
    for item in source.items():
        if not isinstance(item, Recorded):
            continue
        # Habits begin with the first exchange, so everything is looked at, whatever is shown.
        here = (
            [{**one.plain(), "who": one.name} for one in anew.findings(item)] if anew else list(recorded_findings(item))
        )
        if (earliest is None or item.started >= earliest) and (not who or line_of(item).is_of(who)):
            found += here
    if as_json:
        print_json({"findings": found, **trouble(source)})
    else:
        console().print(Group(*map(_shown, found)) if found else Text("Nothing was found."))
    finish(source)


def _shown(one: dict[str, Any]) -> Text:
    text = Text()
    text.append_text(label(moment(float(one["at"]))))
    text.append("  ")
    text.append_text(label(one["indicator"], "bold"))
    text.append("  ")
    text.append_text(label(one["who"]))
    text.append("  ")
    text.append_text(label(one["detail"]))
    for name, value in one["evidence"].items():
        text.append("\n    ")
        text.append_text(label(name, "dim"))
        text.append(": ")
        text.append_text(label(value))
    text.append("\n    ")
    text.append_text(label(f"exchange {one['exchange']}", "dim"))
    return text
