"""sluicegate policy: check it, test it, explain it, compare two, show it. One file a command."""

from __future__ import annotations

import typer

from sluicegate.cli.policy.check import check
from sluicegate.cli.policy.diff import diff
from sluicegate.cli.policy.explain import explain
from sluicegate.cli.policy.show import show
from sluicegate.cli.policy.test import test

app = typer.Typer(
    help="Check, test, explain, compare and show the policy.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def options() -> None:
    """Check, test, explain, compare and show the policy."""


app.command()(check)
app.command(context_settings={"allow_interspersed_args": True})(test)
app.command(context_settings={"allow_interspersed_args": False})(explain)
app.command()(diff)
app.command()(show)
