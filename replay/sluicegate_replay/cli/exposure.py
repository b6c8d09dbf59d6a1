"""sluicegate-replay exposure."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sluicegate.errors import Fault
from sluicegate_replay.cli import options as given
from sluicegate_replay.cli.screen import console, finish, print_json, trouble
from sluicegate_replay.escape import label, moment
from sluicegate_replay.exposing import Exposed, Taken
from sluicegate_replay.rows import UNKNOWN


def exposure(
    who: Annotated[str, typer.Option(help="The person: a part of the name or subject.")],
    folder: given.From = None,
    since: given.Since = "",
    until: given.Until = "",
    cache: given.Cache = None,
    no_cache: given.NoCache = False,
    as_json: given.AsJson = False,
) -> None:
    """Answer what a person really received: datasets, columns (clear or masked), rows, and where it was seen again.

    Example: sluicegate-replay exposure --who ada --since 2026-11-01 --until 2026-11-30
    """
    exposed, people = Exposed(), set[str]()
    with given.reading(folder, cache, no_cache=no_cache) as source:
        for line in source.wanted(given.selection(who=who, since=since, until=until)):
            if line.verdict == UNKNOWN:
                continue  # it has no outcome, so nobody knows what was received
            item = source.again(line)
            if item.text("subject"):
                people.add(f"{item.text('issuer')} {item.text('subject')}")
            exposed.add(item)
        if len(people) > 1:
            raise Fault(f"{len(people)} people fit.", hint="Write more of the name or the subject.")
        exposed.seen_again.reverse()
        if as_json:
            datasets = {name: taken.plain() for name, taken in sorted(exposed.datasets.items())}
            print_json({"datasets": datasets, "seen_again": exposed.seen_again, **trouble(source)})
        else:
            shown: list[RenderableType] = (
                [_table(exposed.datasets)] if exposed.datasets else [Text("Nothing was received.")]
            )
            for one in exposed.seen_again:
                text = label(moment(float(str(one["at"]))))
                text.append("  seen again: ")
                text.append_text(label(one["detail"]))
                shown.append(text)
            console().print(Group(*shown))
        finish(source)


def _table(datasets: dict[str, Taken]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = ("dataset", "from", "to", "answers", "rows", "subjects", "chunks", "bytes", "in clear", "masked")
    for name in names:
        table.add_column(name, overflow="fold")
    for name, taken in sorted(datasets.items()):
        one = taken.plain()
        table.add_row(
            label(name),
            moment(one["first"]),
            moment(one["last"]),
            str(one["exchanges"]),
            str(one["rows"]),
            # Where rows of some answers cannot be told apart, there are more, or not.
            f"{one['distinct_subjects']}{'+' if one['responses_not_told_apart'] else ''}",
            str(one["chunks"]),
            str(one["bytes"]),
            label(", ".join(one["clear"]) or "-"),
            label(", ".join(one["masked"]) or "-"),
        )
    return table
