"""sluicegate-replay exposure."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sluicegate.errors import Fault
from sluicegate_replay.cli.options import AsJson, From, Since, moment_in, source_of
from sluicegate_replay.cli.screen import console, finish, print_json, trouble
from sluicegate_replay.escape import label, moment
from sluicegate_replay.rows import line_of


def exposure(
    who: Annotated[str, typer.Option(help="The person: a part of the name or subject.")],
    folder: From = None,
    since: Since = "",
    until: Annotated[str, typer.Option(help="Only until then, written like --since.")] = "",
    as_json: AsJson = False,
) -> None:
    """Answer what a person really received: datasets, columns (clear or masked), rows, and where it was seen again.

    Example: sluicegate-replay exposure --who ada --since 2026-11-01 --until 2026-11-30
    """
    from sluicegate.recording.recorded import Recorded
    from sluicegate_replay.exposing import Exposed

    earliest, latest = moment_in(since), moment_in(until)
    source, exposed = source_of(folder), Exposed()
    people: set[str] = set()
    for item in source.items():
        if not isinstance(item, Recorded) or not line_of(item).is_of(who):
            continue
        if (earliest is not None and item.started < earliest) or (latest is not None and item.started > latest):
            continue
        people.add(f"{item.text('issuer')} {item.text('subject')}")
        exposed.add(item)
    if len(people) > 1:
        raise Fault(f"{len(people)} people fit.", hint="Write more of the name or the subject.")
    if as_json:
        datasets = {name: taken.plain() for name, taken in sorted(exposed.datasets.items())}
        print_json({"datasets": datasets, "seen_again": exposed.seen_again, **trouble(source)})
    else:
        shown: list[RenderableType] = (
            [_table(exposed.datasets)] if exposed.datasets else [Text("Nothing was received.")]
        )
        for one in exposed.seen_again:
            line = label(moment(float(str(one["at"]))))
            line.append("  seen again: ")
            line.append_text(label(one["detail"]))
            shown.append(line)
        console().print(Group(*shown))
    finish(source)


def _table(datasets: object) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = ("dataset", "from", "to", "answers", "rows", "subjects", "chunks", "bytes", "in clear", "masked")
    for name in names:
        table.add_column(name, overflow="fold")
    assert isinstance(datasets, dict)
    for name, taken in sorted(datasets.items()):
        one = taken.plain()
        table.add_row(
            label(name),
            moment(one["first"]),
            moment(one["last"]),
            str(one["exchanges"]),
            str(one["rows"]),
            f"about {one['distinct_subjects_about']}",
            str(one["chunks"]),
            str(one["bytes"]),
            label(", ".join(one["clear"]) or "-"),
            label(", ".join(one["masked"]) or "-"),
        )
    return table
