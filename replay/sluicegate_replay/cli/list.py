"""sluicegate-replay list."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from sluicegate_replay.cli import options as given
from sluicegate_replay.cli.progress import Shown
from sluicegate_replay.cli.screen import console, finish, print_json, trouble
from sluicegate_replay.listing import table


def list_exchanges(
    folder: given.From = None,
    who: given.Who = "",
    since: given.Since = "",
    until: given.Until = "",
    service: given.Service = "",
    dataset: given.Dataset = "",
    kind: given.Kind = "",
    verdict: given.Verdict = "",
    rule: given.Rule = "",
    finding: given.Finding = "",
    session: given.Session = "",
    expression: Annotated[str, typer.Option("--filter", help="As in mitmproxy: ~m POST & ~u chunks.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many, the latest ones.")] = 100,
    cache: given.Cache = None,
    no_cache: given.NoCache = False,
    as_json: given.AsJson = False,
) -> None:
    """List the exchanges: when, who, what, what became of it, and what was found.

    Example: sluicegate-replay list --who ada --since 2h --filter '~m POST & ~u chunks'
    """
    chosen = given.selection(
        who=who,
        since=since,
        until=until,
        service=service,
        dataset=dataset,
        kind=kind,
        verdict=verdict,
        rule=rule,
        finding=finding,
        session=session,
        expression=expression,
    )
    with given.reading(folder, cache, no_cache=no_cache) as source:
        lines = list(islice(source.wanted(chosen, Shown()), limit))[::-1]
        if as_json:
            print_json({"exchanges": [line.as_json() for line in lines], **trouble(source)})
        else:
            screen = console()
            screen.print(table(lines, screen.width) if lines else "No exchange is like that.")
        finish(source)
