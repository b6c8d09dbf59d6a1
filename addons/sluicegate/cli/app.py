"""The command line as a whole: the list of commands, and how their troubles are shown."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from sluicegate import __version__
from sluicegate.errors import Fault

COMMANDS: dict[str, str] = {
    "up": "up:up",
    "console": "console:console",
    "login": "login:login",
    "logout": "login:logout",
    "whoami": "sessions:whoami",
    "sessions": "sessions:app",
    "env": "env:env",
    "run": "agent:run",
    "agent": "agent:agent",
    "doctor": "doctor:doctor",
    "policy": "policy:made_of",
    "approvals": "approvals:app",
    "request": "request:request",
    "recording": "recording:app",
    "witness": "witness:witness",
    "ca": "ca:app",
}
"""Name to where it is: a file of this folder, and a function, an `app`, or what makes an application of commands."""
_CONTEXTS: dict[str, dict[str, Any]] = {"run": {"allow_interspersed_args": False}}


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sluicegate {__version__}")
        raise typer.Exit


def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """An identity-aware gate in the data path. Exit codes: 0 done, 1 found something, 2 wrong use."""


def made_of(names: Iterable[str], within: str = "") -> typer.Typer:
    """The application with these commands. Each is loaded only here: none needs what the others do.

    `within` is the one that is wanted of the commands inside those; when there is none such, all of them are there.
    """
    made = typer.Typer(
        name="sluicegate",
        help="An identity-aware gate in the data path. Exit codes: 0 done, 1 found something, 2 wrong use.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        rich_markup_mode=None,
    )
    made.callback()(options)
    for name in names:
        file, _, what = COMMANDS[name].partition(":")
        found = getattr(importlib.import_module(f"sluicegate.cli.{file}"), what)
        if what == "made_of":
            made.add_typer(found(within), name=name)
        elif isinstance(found, typer.Typer):
            made.add_typer(found, name=name)
        else:
            made.command(name, context_settings=_CONTEXTS.get(name))(found)
    return made


def main() -> None:
    """Run the command; a Fault is one clear line on stderr and its exit code."""
    try:
        asked, within = (*sys.argv[1:3], "", "")[:2]
        made_of([asked] if asked in COMMANDS else COMMANDS, within)()
    except Fault as fault:
        print(f"sluicegate: {fault}", file=sys.stderr)
        sys.exit(fault.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def __getattr__(name: str) -> typer.Typer:
    """`app`: every command, for the reference of them all."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    whole = globals()["app"] = made_of(COMMANDS)
    return whole
