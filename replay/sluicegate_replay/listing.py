"""Exchanges as a table, one line each: as many columns as the screen has room for."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from sluicegate_replay.escape import label, moment
from sluicegate_replay.rows import Line
from sluicegate_replay.showing import verdict_label

WIDE = 120
"""Columns of a screen from which on everything is shown."""
_EVERYTHING = ("id", "time", "who", "service", "dataset", "kind", "verdict", "status", "rules", "findings")
_NARROW = ("id", "time", "who", "what", "verdict")


def table(lines: Sequence[Line], width: int) -> Table:
    """The table for a screen of that width."""
    names = _EVERYTHING if width >= WIDE else _NARROW
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in names:
        made.add_column(name, overflow="fold", no_wrap=name in ("id", "time"))
    for line in lines:
        cells = _cells(line)
        made.add_row(*(cells[name] for name in names))
    return made


def _cells(line: Line) -> dict[str, Text]:
    what = " ".join(part for part in (line.kind, line.dataset or line.service) if part)
    verdict = verdict_label(line.verdict)
    if line.doubtful:
        verdict.append(" (doubtful)", "magenta")
    findings = label(", ".join(line.findings), "bold red")
    return {
        "id": label(line.id[:8], "dim"),
        "time": Text(moment(line.started)),
        "who": label(line.who or "nobody"),
        "service": label(line.service or "-"),
        "dataset": label(line.dataset or "-"),
        "kind": label(line.kind or "-"),
        "what": label(what or "-"),
        "verdict": verdict,
        "status": label(line.status if line.status is not None else "-"),
        "rules": label(", ".join(line.rules)),
        "findings": findings,
    }
