"""sluicegate up: the gateway, embedded with a trimmed chain, and the console beside it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sluicegate.cli.places import DEFAULT_POLICY, Policy, StateFolder, state_of


def up(
    policy: Policy = DEFAULT_POLICY,
    state: StateFolder = None,
    mode: Annotated[
        Literal["regular", "transparent"],
        typer.Option(help="regular: clients set HTTPS_PROXY. transparent: packets are redirected to the gateway."),
    ] = "regular",
    console: Annotated[bool, typer.Option(help="Start the console as a process of its own.")] = True,
    acknowledge_loss: Annotated[
        bool,
        typer.Option("--acknowledge-loss", help="Start although recordings were lost; the ledger says so forever."),
    ] = False,
) -> None:
    """Start the gateway and its console; SIGTERM lets exchanges in flight end.

    Example: sluicegate up --policy policy.toml
    """
    # Here and not above, as in the other commands.
    from sluicegate.pipeline.process import Wanted, become

    become(Wanted(str(policy), str(state_of(policy, state).root), mode, console, acknowledge_loss))
