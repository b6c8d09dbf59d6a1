"""The command line as a whole: the list of commands, and how their troubles are shown."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sluicegate import __version__
from sluicegate.cli import (
    agent,
    approvals,
    ca,
    console,
    doctor,
    env,
    login,
    policy,
    recording,
    request,
    sessions,
    up,
    witness,
)
from sluicegate.errors import Fault

app = typer.Typer(
    name="sluicegate",
    help="An identity-aware gate in the data path. Exit codes: 0 done, 1 found something, 2 wrong use.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sluicegate {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """An identity-aware gate in the data path. Exit codes: 0 done, 1 found something, 2 wrong use."""


app.command("up")(up.up)
app.command("console")(console.console)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("whoami")(sessions.whoami)
app.add_typer(sessions.app, name="sessions")
app.command("env")(env.env)
app.command("run", context_settings={"allow_interspersed_args": False})(agent.run)
app.command("agent")(agent.agent)
app.command("doctor")(doctor.doctor)
app.add_typer(policy.app, name="policy")
app.add_typer(approvals.app, name="approvals")
app.command("request")(request.request)
app.add_typer(recording.app, name="recording")
app.command("witness")(witness.witness)
app.add_typer(ca.app, name="ca")


def main() -> None:
    """Run the command; a Fault is one clear line on stderr and its exit code."""
    try:
        app()
    except Fault as fault:
        print(f"sluicegate: {fault}", file=sys.stderr)
        sys.exit(fault.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
