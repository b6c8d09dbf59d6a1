"""sluicegate-replay play."""

from __future__ import annotations

import sys
import time
from typing import Annotated, NoReturn

import typer
from rich.table import Table

from sluicegate.errors import Fault
from sluicegate_replay.catalog.catalog import SessionLine
from sluicegate_replay.cli import options as given
from sluicegate_replay.cli.screen import console, finish, tell_trouble
from sluicegate_replay.escape import label, moment
from sluicegate_replay.playing import Player


def play(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The session, or the beginning of its id.")] = "",
    folder: given.From = None,
    speed: Annotated[float, typer.Option(min=0.01, max=10_000, help="How many times faster.")] = 1.0,
    step: Annotated[bool, typer.Option("--step", help="Wait for Enter before each exchange; q stops.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait at all.")] = False,
    cache: given.Cache = None,
    no_cache: given.NoCache = False,
) -> None:
    """Play a session in its own rhythm; pauses of more than 2 seconds are skipped.

    Example: sluicegate-replay play --speed 4
    """
    with given.reading(folder, cache, no_cache=no_cache) as source:
        known = source.catalog.sessions()
        fitting = [found for found in known if found.id.startswith(session)]
        exact = [found for found in fitting if found.id == session]
        if len(exact or fitting) != 1:
            tell_trouble(source)
            _which(fitting or known, session)
        player = Player(
            console(),
            load=source.again,
            wait=(lambda _: None) if no_wait else time.sleep,
            step=_enter if step else None,
            speed=speed,
        )
        player.play(source.session((exact or fitting)[0].id))
        finish(source)


def _which(known: list[SessionLine], wanted: str) -> NoReturn:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("session", "who", "exchanges", "from", "to"):
        table.add_column(name, overflow="fold")
    for session in known:
        count = str(session.count)
        table.add_row(label(session.id), label(session.who), count, moment(session.begun), moment(session.ended))
    if known:
        console().print(table)
        raise Fault(f"{len(known)} sessions are recorded here." if not wanted else "Which of them?", hint="Name one.")
    raise Fault("No session is recorded here.")


def _enter() -> bool:
    answer = sys.stdin.readline()
    return answer != "" and answer.strip().lower() not in ("q", "quit")
