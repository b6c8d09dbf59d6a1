"""What the commands print, and how they end: the exit code, and what was not whole."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn

import typer
from rich.console import Console

from sluicegate_replay.escape import plain
from sluicegate_replay.source import Source

_PIPE_WIDTH = 200


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        gone()


def console() -> Console:
    """A console on which nothing is read as markup."""
    # Into a pipe, lines are not cut to the width of a screen that is not there.
    return _Screen(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def print_json(value: object) -> None:
    """The value as JSON in ASCII, so that nothing in it drives a terminal."""
    try:
        print(json.dumps(value, indent=2, default=str))
    except BrokenPipeError:
        gone()


def trouble(source: Source) -> dict[str, Any]:
    """What was not whole, for JSON."""
    return {
        "damage": [{"file": d.file, "offset": d.offset, "reason": d.reason} for d in source.damage],
        "unknown": [line.id for line in source.unknown],
    }


def tell_trouble(source: Source) -> None:
    """What was not whole, on stderr and behind everything on stdout."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        gone()
    for damage in source.damage:
        print(f"sluicegate-replay: {plain(damage)}", file=sys.stderr)
    if source.unknown:
        print(f"sluicegate-replay: {len(source.unknown)} forwarded, outcome unknown", file=sys.stderr)


def finish(source: Source) -> NoReturn:
    """End the command with what was not whole, and the exit code that says so."""
    tell_trouble(source)
    raise typer.Exit(source.code)


def gone() -> NoReturn:
    """Whoever read has seen enough: what is still buffered goes nowhere, and that is no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(0)
