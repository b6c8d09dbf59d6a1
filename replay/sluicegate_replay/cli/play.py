"""sluicegate-replay play."""

from __future__ import annotations

import sys
import time
from typing import Annotated, NoReturn

import typer
from rich.table import Table

from sluicegate.errors import Fault
from sluicegate_replay.cli.options import From, source_of
from sluicegate_replay.cli.screen import console, finish, tell_trouble
from sluicegate_replay.escape import label, moment
from sluicegate_replay.playing import Player, Session, sessions
from sluicegate_replay.rows import line_of


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
    source = source_of(folder)
    known = sessions(line_of(item) for item in source.items())
    fitting = [found for found in known if found.id.startswith(session)]
    exact = [found for found in fitting if found.id == session]
    if len(exact or fitting) != 1:
        tell_trouble(source)
        _which(fitting or known, session)
    player = Player(
        console(),
        load=lambda line: source.again(line.file, line.offset),
        wait=(lambda _: None) if no_wait else time.sleep,
        step=_enter if step else None,
        speed=speed,
    )
    player.play((exact or fitting)[0])
    finish(source)


def _which(known: list[Session], wanted: str) -> NoReturn:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("session", "who", "exchanges", "from", "to"):
        table.add_column(name, overflow="fold")
    for session in known:
        count = str(len(session.lines))
        table.add_row(label(session.id), label(session.who), count, moment(session.begun), moment(session.ended))
    if known:
        console().print(table)
        raise Fault(f"{len(known)} sessions are recorded here." if not wanted else "Which of them?", hint="Name one.")
    raise Fault("No session is recorded here.")


def _enter() -> bool:
    answer = sys.stdin.readline()
    return answer != "" and answer.strip().lower() not in ("q", "quit")
