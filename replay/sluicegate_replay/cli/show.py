"""sluicegate-replay show."""

from __future__ import annotations

from typing import Annotated

import typer

from sluicegate.errors import Fault
from sluicegate.recording.intents import Intent
from sluicegate.recording.recorded import Recorded
from sluicegate_replay import showing
from sluicegate_replay.cli.options import AsJson, From, source_of
from sluicegate_replay.cli.screen import console, finish, print_json, tell_trouble, trouble
from sluicegate_replay.escape import plain

_BODY_LINES = 60


def show(
    exchange: Annotated[str, typer.Argument(metavar="ID", help="The exchange, or the beginning of its id.")],
    folder: From = None,
    full: Annotated[bool, typer.Option("--full", help="Show whole bodies.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one exchange: the request, the verdict and why, and the response as it was delivered.

    Example: sluicegate-replay show 3f2a
    """
    source = source_of(folder)
    found: dict[str, Recorded | Intent] = {}
    for item in source.items():
        if item.id.startswith(exchange.strip().lower() or " "):
            found[item.id] = item
            if len(found) > 1:
                raise Fault(f"Several exchanges begin with {plain(exchange)!r}.", hint="Give more of the id.")
    if not found:
        tell_trouble(source)
        raise Fault(
            f"No exchange that is whole begins with {plain(exchange)!r}.",
            hint="`sluicegate-replay list` shows them.",
            exit_code=1 if source.damage else 2,
        )
    item = next(iter(found.values()))
    if as_json:
        value = item.fields if isinstance(item, Intent) else showing.as_json(item)
        print_json({"exchange": value, **trouble(source)})
    elif isinstance(item, Intent):
        console().print(showing.open_intent(item))
    else:
        console().print(showing.exchange(item, None if full else _BODY_LINES))
    finish(source)
