"""The sluicegate-replay command. Exit codes: 0 all is whole, 1 something is damaged or unknown, 2 wrong use."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from sluicegate.clock import SystemClock
from sluicegate.errors import Fault
from sluicegate.recording.intents import Intent
from sluicegate.recording.recorded import Recorded
from sluicegate.settings.state import State
from sluicegate_replay import showing
from sluicegate_replay.escape import label, moment, plain
from sluicegate_replay.playing import Player, Session, sessions
from sluicegate_replay.rows import Line, line_of
from sluicegate_replay.rows import since as moment_of
from sluicegate_replay.source import Source

_BODY_LINES = 60
_PIPE_WIDTH = 200

app = typer.Typer(
    name="sluicegate-replay",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

From = Annotated[
    Path | None,
    typer.Option("--from", metavar="FOLDER", help="The recordings. [default: recordings/ in the state folder]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def options() -> None:
    """Show and play recordings, without ever changing them.

    Exit codes: 0 all is whole, 1 something is damaged or its outcome is unknown, 2 wrong use.
    """


@app.command("list")
def list_exchanges(
    folder: From = None,
    who: Annotated[str, typer.Option(help="Only exchanges of people whose name or subject holds this.")] = "",
    since: Annotated[str, typer.Option(help="Only since then: 30m, 2h, 7d, or an ISO date or time (UTC).")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many, the latest ones.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the exchanges: when, who, what, and what became of it.

    Example: sluicegate-replay list --who ada --since 2h
    """
    earliest = _earliest(since)
    source = _source(folder)
    chosen: deque[Line] = deque(maxlen=limit)
    for item in source.items():
        line = line_of(item)
        if (earliest is None or line.started >= earliest) and (not who or line.is_of(who)):
            chosen.append(line)
    lines = sorted(chosen, key=lambda line: line.started)
    if as_json:
        _print_json({"exchanges": [line.as_json() for line in lines], **_trouble(source)})
    else:
        _console().print(_table(lines))
    _finish(source)


@app.command()
def show(
    exchange: Annotated[str, typer.Argument(metavar="ID", help="The exchange, or the beginning of its id.")],
    folder: From = None,
    full: Annotated[bool, typer.Option("--full", help="Show whole bodies.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one exchange: the request, the verdict and why, and the response as it was delivered.

    Example: sluicegate-replay show 3f2a
    """
    source = _source(folder)
    found: dict[str, Recorded | Intent] = {}
    for item in source.items():
        if item.id.startswith(exchange.strip().lower() or " "):
            found[item.id] = item
            if len(found) > 1:
                raise Fault(f"Several exchanges begin with {plain(exchange)!r}.", hint="Give more of the id.")
    if not found:
        _tell_trouble(source)
        raise Fault(
            f"No exchange that is whole begins with {plain(exchange)!r}.",
            hint="`sluicegate-replay list` shows them.",
            exit_code=1 if source.damage else 2,
        )
    item = next(iter(found.values()))
    if as_json:
        value = item.fields if isinstance(item, Intent) else showing.as_json(item)
        _print_json({"exchange": value, **_trouble(source)})
    elif isinstance(item, Intent):
        _console().print(showing.open_intent(item))
    else:
        _console().print(showing.exchange(item, None if full else _BODY_LINES))
    _finish(source)


@app.command()
def play(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The session, or the beginning of its id.")] = "",
    folder: From = None,
    speed: Annotated[float, typer.Option(min=0.01, max=10_000, help="How many times faster.")] = 1.0,
    step: Annotated[bool, typer.Option("--step", help="Wait for Enter before each exchange; q stops.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait at all.")] = False,
) -> None:
    """Play a session in its own rhythm; pauses of more than 2 seconds are skipped.

    Example: sluicegate-replay play --speed 4
    """
    source = _source(folder)
    known = sessions(line_of(item) for item in source.items())
    fitting = [found for found in known if found.id.startswith(session)]
    exact = [found for found in fitting if found.id == session]
    if len(exact or fitting) != 1:
        _tell_trouble(source)
        _which(fitting or known, session)
    player = Player(
        _console(),
        load=lambda line: source.again(line.file, line.offset),
        wait=(lambda _: None) if no_wait else time.sleep,
        step=_enter if step else None,
        speed=speed,
    )
    player.play((exact or fitting)[0])
    _finish(source)


def main() -> None:
    """Run the command; every trouble is one clear line on stderr."""
    try:
        app()
    except Fault as fault:
        print(f"sluicegate-replay: {plain(fault)}", file=sys.stderr)
        sys.exit(fault.exit_code)


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        _gone()


def _console() -> Console:
    # Into a pipe, lines are not cut to the width of a screen that is not there.
    return _Screen(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def _source(folder: Path | None) -> Source:
    return Source(folder if folder is not None else State.beside(Path("policy.toml")).recordings)


def _earliest(since: str) -> float | None:
    try:
        return moment_of(since, SystemClock().now()) if since else None
    except ValueError:
        raise Fault(f"{plain(since)!r} is no time.", hint="Write 30m, 2h, 7d, or 2026-11-23T21:45.") from None


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


def _which(known: list[Session], wanted: str) -> NoReturn:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("session", "who", "exchanges", "from", "to"):
        table.add_column(name, overflow="fold")
    for session in known:
        count = str(len(session.lines))
        table.add_row(label(session.id), label(session.who), count, moment(session.begun), moment(session.ended))
    if known:
        _console().print(table)
        raise Fault(f"{len(known)} sessions are recorded here." if not wanted else "Which of them?", hint="Name one.")
    raise Fault("No session is recorded here.")


def _enter() -> bool:
    answer = sys.stdin.readline()
    return answer != "" and answer.strip().lower() not in ("q", "quit")


def _trouble(source: Source) -> dict[str, Any]:
    return {
        "damage": [{"file": d.file, "offset": d.offset, "reason": d.reason} for d in source.damage],
        "unknown": [intent.id for intent in source.unknown],
    }


def _tell_trouble(source: Source) -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _gone()
    for damage in source.damage:
        print(f"sluicegate-replay: {plain(damage)}", file=sys.stderr)
    if source.unknown:
        print(f"sluicegate-replay: {len(source.unknown)} forwarded, outcome unknown", file=sys.stderr)


def _finish(source: Source) -> NoReturn:
    _tell_trouble(source)
    raise typer.Exit(source.code)


def _print_json(value: object) -> None:
    try:
        print(json.dumps(value, indent=2, default=str))
    except BrokenPipeError:
        _gone()


def _gone() -> NoReturn:
    """Whoever read has seen enough: what is still buffered goes nowhere, and that is no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(0)
