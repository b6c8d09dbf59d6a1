"""sluicegate up: the gateway, embedded with a trimmed chain, and the console beside it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sluicegate.cli.places import DEFAULT_POLICY, Policy, StateFolder, state_of

if TYPE_CHECKING:
    from sluicegate.pipeline.order import Gateway

logger = logging.getLogger("sluicegate")

RESTART_SECONDS = 2.0


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
    # Here and not above, as in the other commands: `--help` need not wait for mitmproxy.
    from sluicegate.pipeline.check import load_checked

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="sluicegate: %(levelname)s %(message)s")
    loaded = load_checked(policy)
    # Behind the policy: who made a mistake in it is told at once.
    from sluicegate.pipeline import few_addons

    few_addons.leave_out_the_rest()
    from sluicegate.pipeline.order import build

    gateway = build(loaded, state_of(policy, state).open(), acknowledge_loss=acknowledge_loss)
    asyncio.run(_run(gateway, mode, console))


async def _run(gateway: Gateway, mode: Literal["regular", "transparent"], with_console: bool) -> None:
    from sluicegate.pipeline.serve import serve

    beside: list[asyncio.Task[None]] = []

    def announce(host: str, port: int) -> None:
        print(f"sluicegate: gateway on {host}:{port} ({mode}), state in {gateway.state.root}", flush=True)
        if with_console:
            beside.append(asyncio.get_running_loop().create_task(_keep_console(gateway)))

    try:
        await serve(gateway, mode, announce)
    finally:
        for task in beside:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _keep_console(gateway: Gateway) -> None:
    """Run the console until cancelled. Without it nobody can approve, so held requests end refused: start it again."""
    options = ("--policy", str(gateway.loaded.path), "--state", str(gateway.state.root), "--until-eof")
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sluicegate.cli", "console", *options, stdin=asyncio.subprocess.PIPE
        )
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            raise
        logger.error("the console ended with status %s; held requests cannot be decided until it is back", status)
        await asyncio.sleep(RESTART_SECONDS)
