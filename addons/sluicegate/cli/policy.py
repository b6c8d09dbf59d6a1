"""sluicegate policy: what is wrong with the policy file."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from sluicegate.cli.places import DEFAULT_POLICY, Policy

if TYPE_CHECKING:
    from sluicegate.settings import Loaded, Problem

app = typer.Typer(help="Check the policy.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def options() -> None:
    """Check the policy."""


@app.command()
def check(
    policy: Policy = DEFAULT_POLICY,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List every problem of the policy, with its line. Exit code 0 when there is none, 2 when there are some.

    Example: sluicegate policy check --policy policy.toml
    """
    from sluicegate.pipeline.check import all_problems
    from sluicegate.settings import PolicyFault, load

    loaded: Loaded | None = None
    try:
        loaded = load(policy)
        problems = all_problems(loaded)
    except PolicyFault as fault:
        problems = fault.problems
    if as_json:
        document = {
            "policy": str(policy),
            "digest": loaded.digest if loaded else None,
            "problems": [asdict(problem) for problem in problems],
        }
        typer.echo(json.dumps(document, indent=2))
    else:
        for problem in problems:
            typer.echo(f"{policy}:{_line(problem)}")
        if loaded and not problems:
            typer.echo(f"{policy}: no problems ({_counted(loaded)})")
    raise typer.Exit(2 if problems else 0)


def _line(problem: Problem) -> str:
    return str(problem).removeprefix("line ")


def _counted(loaded: Loaded) -> str:
    settings = loaded.settings
    counts = {
        "service": len(settings.services),
        "dataset": len(settings.datasets),
        "rule": len(settings.rules),
        "mask": len(settings.masks),
    }
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items())
