"""sluicegate-replay case."""

from __future__ import annotations

import typer
from rich.table import Table

from sluicegate_replay import case as log
from sluicegate_replay.cli import options as given
from sluicegate_replay.cli.screen import console, print_json
from sluicegate_replay.escape import label, moment

_KNOWN = ("version", "at", "by", "tool", "action", "recordings", "before")


def case(folder: given.Case = None, as_json: given.AsJson = False) -> None:
    """Show the case log: what was unsealed and exported, by whom and why. Exits with 1 when it was changed.

    Example: sluicegate-replay case --case ~/cases/2026-17
    """
    where = folder or log.default_case()
    found = list(log.read(where))
    broken = [line for line in found if isinstance(line, log.Broken)]
    head = log.head(where)
    if as_json:
        whole = [line for line in found if isinstance(line, dict)]
        told = [{"line": line.number, "reason": line.reason} for line in broken]
        print_json({"lines": whole, "broken": told, "sha256": head})
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("time", "who", "what", "why and of what"):
            table.add_column(name, overflow="fold", no_wrap=name == "time")
        for line in found:
            if isinstance(line, log.Broken):
                table.add_row(label(f"line {line.number}", "red"), "", label("broken", "red"), label(line.reason))
                continue
            said = ", ".join(f"{name} {line[name]}" for name in line if name not in _KNOWN)
            at = line["at"] if isinstance(line.get("at"), float) else 0.0
            table.add_row(label(moment(at)), label(line.get("by", "")), label(line.get("action", "")), label(said))
        screen = console()
        screen.print(table)
        screen.print(label(f"SHA-256 of the log: {head}", "dim"))
    raise typer.Exit(1 if broken else 0)
