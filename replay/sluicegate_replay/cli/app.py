"""The command line as a whole: the list of commands, and how their troubles are shown."""

from __future__ import annotations

import importlib
import sqlite3
import sys
from collections.abc import Iterable

import typer

from sluicegate.errors import Fault
from sluicegate_replay.escape import plain

COMMANDS: dict[str, str] = {
    "list": "list_exchanges",
    "show": "show",
    "play": "play",
    "search": "search",
    "verify": "verify",
    "unseal": "unseal",
    "export": "export",
    "case": "case",
    "findings": "findings",
    "exposure": "exposure",
}
"""Name, which is that of its file in this folder, to the function in there."""


def options() -> None:
    """Show and play recordings, without ever changing them.

    Exit codes: 0 all is whole, 1 something is damaged or its outcome is unknown, 2 wrong use.
    """


def made_of(names: Iterable[str]) -> typer.Typer:
    """The application with these commands. Each is loaded only here: none needs what the others do."""
    made = typer.Typer(
        name="sluicegate-replay",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    made.callback()(options)
    for name in names:
        made.command(name)(getattr(importlib.import_module(f"sluicegate_replay.cli.{name}"), COMMANDS[name]))
    return made


def main() -> None:
    """Run the command; every trouble is one clear line on stderr."""
    try:
        asked = sys.argv[1:2]
        made_of(asked if asked and asked[0] in COMMANDS else COMMANDS)()
    except Fault as fault:
        print(f"sluicegate-replay: {plain(fault)}", file=sys.stderr)
        sys.exit(fault.exit_code)
    except sqlite3.Error as error:
        hint = "Take the catalog away, or use --no-cache."
        print(f"sluicegate-replay: The catalog cannot be used ({plain(error)}). {hint}", file=sys.stderr)
        sys.exit(2)


def __getattr__(name: str) -> typer.Typer:
    """`app`: every command, for the reference of them all."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    whole = globals()["app"] = made_of(COMMANDS)
    return whole
