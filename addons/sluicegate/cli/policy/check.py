"""sluicegate policy check: what is wrong with the policy file, and what in it does nothing."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from sluicegate.cli.places import DEFAULT_POLICY, Policy
from sluicegate.cli.safe_text import safe
from sluicegate.settings import Loaded, PolicyFault, Problem, load
from sluicegate.settings.positions import line_of


def check(
    policy: Policy = DEFAULT_POLICY,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List every problem of the policy.

    Each with its line and what was probably meant. Errors keep the gateway from starting. Warnings name rules and
    masks that can never match or change nothing, and which others make them so; and groups that look misspelt. Exit
    code 0 when there is nothing, 1 for warnings alone, 2 for errors.

    Example: sluicegate policy check --policy policy.toml
    """
    loaded: Loaded | None = None
    warnings: list[Problem] = []
    try:
        loaded = load(policy)
        from sluicegate.pipeline.check import all_problems  # loads what reads requests: not before it is needed

        problems = all_problems(loaded)
        # What has errors may not mean what it says, so nothing is said about what it would do.
        from sluicegate.policy.dead import warnings as idle

        warnings = [] if problems else idle(loaded)
    except PolicyFault as fault:
        from sluicegate.pipeline.check import problems_of

        problems = problems_of(fault)
    if as_json:
        document = {
            "policy": str(policy),
            "digest": loaded.digest if loaded else None,
            "problems": [asdict(problem) for problem in problems],
            "warnings": [asdict(warning) for warning in warnings],
        }
        typer.echo(json.dumps(document, indent=2))
    else:
        for problem in problems:
            typer.echo(safe(f"{policy}:{_line(problem)}"))
        for warning in warnings:
            typer.echo(safe(f"{policy}:{warning.line}: warning: {_line(warning).partition(': ')[2]}"))
        for note in _notes(loaded) if loaded and not problems else ():
            typer.echo(safe(f"{policy}:{note.line}: note: {_line(note).partition(': ')[2]}"))
        if loaded and not problems:
            typer.echo(f"{policy}: {_conclusion(warnings)} ({_counted(loaded)})")
    raise typer.Exit(2 if problems else 1 if warnings else 0)


def _notes(loaded: Loaded) -> Iterator[Problem]:
    """What may be right where the gateway runs: a policy is often checked elsewhere, or before all is there."""
    named = loaded.settings.gateway.trusted_ca
    if named is None:
        return
    try:
        ssl.create_default_context(cafile=named)
    except (OSError, ssl.SSLError) as error:
        why = "no certificate is in it" if isinstance(error, ssl.SSLError) else error.strerror
        message = f"{named} cannot be read here ({why}), and where it cannot, the gateway does not start"
        yield Problem(line_of(("gateway", "trusted_ca"), loaded.lines), "gateway.trusted_ca", message)


def _line(problem: Problem) -> str:
    return str(problem).removeprefix("line ")


def _conclusion(warnings: list[Problem]) -> str:
    return f"no problems, {_many(len(warnings), 'warning')}" if warnings else "no problems"


def _counted(loaded: Loaded) -> str:
    settings = loaded.settings
    counts = {
        "service": len(settings.services),
        "dataset": len(settings.datasets),
        "rule": len(settings.rules),
        "mask": len(settings.masks),
    }
    return ", ".join(_many(count, word) for word, count in counts.items())


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
