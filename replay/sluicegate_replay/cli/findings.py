"""sluicegate-replay findings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.text import Text

from sluicegate_replay.catalog.select import Selection
from sluicegate_replay.cli import options as given
from sluicegate_replay.cli.screen import console, finish, print_json, trouble
from sluicegate_replay.escape import label, moment
from sluicegate_replay.rows import UNKNOWN, line_of
from sluicegate_replay.source import Source


def findings(
    folder: given.From = None,
    who: given.Who = "",
    since: given.Since = "",
    until: given.Until = "",
    again: Annotated[
        Path | None,
        typer.Option(metavar="POLICY", help="Find anew by this policy, out of the exchanges alone."),
    ] = None,
    cache: given.Cache = None,
    no_cache: given.NoCache = False,
    as_json: given.AsJson = False,
) -> None:
    """Show what pointed to an insider, with its evidence: as it was recorded, or found anew.

    Example: sluicegate-replay findings --who ada --since 7d
    """
    chosen = given.selection(who=who, since=since, until=until, finding="" if again is not None else "*")
    with given.reading(folder, cache, no_cache=no_cache) as source:
        found = _anew(source, again, chosen) if again is not None else _recorded(source, chosen)
        if as_json:
            print_json({"findings": found, **trouble(source)})
        else:
            console().print(Group(*map(_shown, found)) if found else Text("Nothing was found."))
        finish(source)


def _recorded(source: Source, chosen: Selection) -> list[dict[str, Any]]:
    from sluicegate_replay.detecting import recorded_findings

    lines = [line for line in source.wanted(chosen) if line.verdict != UNKNOWN]
    return [one for line in reversed(lines) for one in recorded_findings(source.again(line))]


def _anew(source: Source, policy: Path, chosen: Selection) -> list[dict[str, Any]]:
    """Habits begin with the first exchange, so everything is looked at, whatever is shown."""
    from sluicegate.recording.flow_reader import read_folder
    from sluicegate.recording.recorded import Recorded
    from sluicegate.settings import load
    from sluicegate_replay.detecting import Again

    again, found = Again(load(policy).settings), list[dict[str, Any]]()
    for item in read_folder(source.folder):
        if not isinstance(item, Recorded):
            continue
        here = again.findings(item)
        if chosen.who and not line_of(item).is_of(chosen.who):
            continue
        if (chosen.since is None or item.started >= chosen.since) and (
            chosen.until is None or item.started < chosen.until
        ):
            found += [{**one.plain(), "who": one.name} for one in here]
    return found


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
