"""The command line as a whole: the list of commands, and how their troubles are shown."""

from __future__ import annotations

import sqlite3
import sys

import typer

from sluicegate.errors import Fault
from sluicegate_replay.cli.case import case
from sluicegate_replay.cli.export import export
from sluicegate_replay.cli.exposure import exposure
from sluicegate_replay.cli.findings import findings
from sluicegate_replay.cli.list import list_exchanges
from sluicegate_replay.cli.play import play
from sluicegate_replay.cli.search import search
from sluicegate_replay.cli.show import show
from sluicegate_replay.cli.unseal import unseal
from sluicegate_replay.cli.verify import verify
from sluicegate_replay.escape import plain

app = typer.Typer(
    name="sluicegate-replay",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def options() -> None:
    """Show and play recordings, without ever changing them.

    Exit codes: 0 all is whole, 1 something is damaged or its outcome is unknown, 2 wrong use.
    """


app.command("list")(list_exchanges)
app.command()(show)
app.command()(play)
app.command()(search)
app.command()(verify)
app.command()(unseal)
app.command()(export)
app.command()(case)
app.command()(findings)
app.command()(exposure)


def main() -> None:
    """Run the command; every trouble is one clear line on stderr."""
    try:
        app()
    except Fault as fault:
        print(f"sluicegate-replay: {plain(fault)}", file=sys.stderr)
        sys.exit(fault.exit_code)
    except sqlite3.Error as error:
        hint = "Take the catalog away, or use --no-cache."
        print(f"sluicegate-replay: The catalog cannot be used ({plain(error)}). {hint}", file=sys.stderr)
        sys.exit(2)
