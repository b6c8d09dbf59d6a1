"""sluicegate-replay search."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from sluicegate.errors import Fault
from sluicegate_replay.cli import options as given
from sluicegate_replay.cli.progress import Shown
from sluicegate_replay.cli.screen import console, finish, print_json, trouble
from sluicegate_replay.searching import Hit, anywhere, found, hits


def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Words that follow each other; the last may be begun.")],
    folder: given.From = None,
    who: given.Who = "",
    since: given.Since = "",
    until: given.Until = "",
    service: given.Service = "",
    dataset: given.Dataset = "",
    session: given.Session = "",
    expression: Annotated[str, typer.Option("--filter", help="As in mitmproxy: ~m POST & ~u chunks.")] = "",
    everywhere: Annotated[
        bool, typer.Option("--anywhere", help="Look at every character of every exchange: slow, and inside words too.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many, the latest ones.")] = 100,
    cache: given.Cache = None,
    no_cache: given.NoCache = False,
    as_json: given.AsJson = False,
) -> None:
    """Search what was asked, answered and decided: URLs, headers, bodies, people, rules, reasons, findings.

    Exits with 0 whether or not something was found, as long as everything is whole.

    Example: sluicegate-replay search "ada lovelace" --since 7d
    """
    if not text.strip():
        raise Fault("There is nothing to search for.")
    chosen = given.selection(
        who=who,
        since=since,
        until=until,
        service=service,
        dataset=dataset,
        session=session,
        expression=expression,
    )
    with given.reading(folder, cache, no_cache=no_cache) as source:
        lines = anywhere(source, text, chosen, Shown()) if everywhere else source.saying(text, chosen, Shown())
        every: list[Hit] = list(hits(source, islice(lines, limit), text))[::-1]
        if as_json:
            print_json({"hits": [hit.as_json() for hit in every], **trouble(source)})
        elif every:
            screen = console()
            for hit in every:
                screen.print(found(hit))
        else:
            console().print("Nothing says that." if everywhere else "Nothing says these words.")
        finish(source)
