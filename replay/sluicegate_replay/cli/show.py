"""sluicegate-replay show."""

from __future__ import annotations

from typing import Annotated

import typer

from sluicegate_replay import showing
from sluicegate_replay.cli import options as given
from sluicegate_replay.cli.one import one_line
from sluicegate_replay.cli.screen import console, finish, print_json, trouble
from sluicegate_replay.source import is_open

_BODY_LINES = 60


def show(
    exchange: Annotated[str, typer.Argument(metavar="ID", help="The exchange, or the beginning of its id.")],
    folder: given.From = None,
    full: Annotated[bool, typer.Option("--full", help="Show whole bodies.")] = False,
    cache: given.Cache = None,
    no_cache: given.NoCache = False,
    as_json: given.AsJson = False,
) -> None:
    """Show one exchange: the request, the verdict and why, and the response as it was delivered.

    Example: sluicegate-replay show 3f2a
    """
    from sluicegate.recording.beside import approval_events, facts

    with given.reading(folder, cache, no_cache=no_cache) as source:
        line = one_line(source, exchange)
        if is_open(line):
            intent = source.intent(line)
            if as_json:
                print_json({"exchange": intent.fields, **trouble(source)})
            else:
                console().print(showing.open_intent(intent))
            finish(source)
        item = source.again(line)
        if as_json:
            events = approval_events(source.folder, item.text("approval")) if item.text("approval") else []
            print_json({"exchange": showing.as_json(item), "approval": events, **trouble(source)})
        else:
            beside = tuple(facts(source.folder, item.id, item.text("approval")))
            console().print(showing.exchange(item, None if full else _BODY_LINES, beside))
        finish(source)
