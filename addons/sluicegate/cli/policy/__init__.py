"""sluicegate policy: check it, test it, explain it, compare two, show it. One file a command."""

from __future__ import annotations

import importlib
from typing import Any

import typer

COMMANDS: dict[str, dict[str, Any]] = {
    "check": {},
    "test": {"allow_interspersed_args": True},
    "explain": {"allow_interspersed_args": False},
    "diff": {},
    "show": {},
}
"""Name, of the file and of the function in it, to the settings of its context."""


def options() -> None:
    """Check, test, explain, compare and show the policy."""


def made_of(wanted: str = "") -> typer.Typer:
    """The application with the one command that is wanted, or with all of them when there is none of that name."""
    made = typer.Typer(
        help="Check, test, explain, compare and show the policy.", no_args_is_help=True, rich_markup_mode=None
    )
    made.callback()(options)
    for name in [wanted] if wanted in COMMANDS else COMMANDS:
        found = getattr(importlib.import_module(f"sluicegate.cli.policy.{name}"), name)
        made.command(name, context_settings=COMMANDS[name] or None)(found)
    return made
