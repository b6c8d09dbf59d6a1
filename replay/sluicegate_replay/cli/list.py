"""sluicegate-replay list."""

from __future__ import annotations

from collections import deque
from typing import Annotated

import typer
from rich.table import Table

from sluicegate_replay import showing
from sluicegate_replay.cli.options import AsJson, From, Since, Who, moment_in, source_of
from sluicegate_replay.cli.screen import console, finish, print_json, trouble
from sluicegate_replay.escape import label, moment
from sluicegate_replay.rows import Line, line_of


def list_exchanges(
    folder: From = None,
    who: Who = "",
    since: Since = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many, the latest ones.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the exchanges: when, who, what, and what became of it.

    Example: sluicegate-replay list --who ada --since 2h
    """
    earliest = moment_in(since)
    source = source_of(folder)
    chosen: deque[Line] = deque(maxlen=limit)
    for item in source.items():
        line = line_of(item)
        if (earliest is None or line.started >= earliest) and (not who or line.is_of(who)):
            chosen.append(line)
    lines = sorted(chosen, key=lambda line: line.started)
    if as_json:
        print_json({"exchanges": [line.as_json() for line in lines], **trouble(source)})
    else:
        console().print(_table(lines))
    finish(source)


def _table(lines: list[Line]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "time", "who", "service", "dataset", "kind", "verdict", "status", "rules"):
        table.add_column(name, overflow="fold", no_wrap=name in ("id", "time"))
    for line in lines:
        table.add_row(
            label(line.id[:8], "dim"),
            moment(line.started),
            label(line.who or "nobody"),
            *(label(value or "-") for value in (line.service, line.dataset, line.kind)),
            showing.verdict_label(line.verdict),
            label(line.status if line.status is not None else "-"),
            label(", ".join(line.rules)),
        )
    return table
