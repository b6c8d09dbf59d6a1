"""sluicegate agent: holds the credential and puts it in, so that it is in no environment; and `sluicegate run`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluicegate.cli.env import NoProxy
from sluicegate.cli.places import DEFAULT_POLICY, Policy, state_of
from sluicegate.cli.workstation import running
from sluicegate.cli.workstation.settings import AuthorityOption, ConsoleOption, GatewayOption, Known, known
from sluicegate.errors import Fault

if TYPE_CHECKING:
    from sluicegate.cli.workstation import relay, trust

PORT = 8079
"""Where the agent listens unless told otherwise: the same each time, so that shells that are open already find it."""


def agent(
    gateway: GatewayOption = None,
    console: ConsoleOption = None,
    ca: AuthorityOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 for any free one.")] = PORT,
    policy: Policy = DEFAULT_POLICY,
) -> None:
    """Hold the credential on 127.0.0.1 and put it into what passes, until Ctrl-C. Only your own programs may use it.

    Example: sluicegate agent &
    """
    here = known(gateway, console, policy)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="sluicegate agent: %(message)s")
    asyncio.run(_agent(here, port, ca))


def run(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="What to run, after `--`.")],
    gateway: GatewayOption = None,
    console: ConsoleOption = None,
    ca: AuthorityOption = None,
    no_proxy: NoProxy = "",
    policy: Policy = DEFAULT_POLICY,
) -> None:
    """Run a command whose traffic goes through the gateway. No secret is in its environment. Exits as it does.

    Example: sluicegate run -- python nightly.py
    """
    from sluicegate.cli.workstation import trust

    here = known(gateway, console, policy)
    if shutil.which(command[0]) is None:
        raise Fault(f"There is no command {command[0]}.")
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="sluicegate run: %(message)s")
    trusted = trust.prepare(ca, here.console, state_of(policy, None).ca / "mitmproxy-ca-cert.pem")
    sys.exit(asyncio.run(_run(here, trusted, command, no_proxy, ca)))


async def _agent(here: Known, port: int, ca: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with _relaying(here, port, ca) as relay:
        running.tell(relay.address, here.gateway, relay.word)
        try:
            print(f"sluicegate: agent on {relay.address.authority}, for {here.gateway.url}", flush=True)
            await stop.wait()
        finally:
            running.forget()


async def _run(here: Known, trusted: trust.Trust, command: list[str], no_proxy: str, ca: Path | None) -> int:
    from sluicegate.cli.workstation import variables

    async with _relaying(here, 0, ca) as relay:
        if not here.secret:
            # The command may show no more than that a tunnel failed. It may also sign in by itself, so it is run.
            print("sluicegate run: nobody is signed in: run `sluicegate login`.", file=sys.stderr)
        past = variables.past_the_gateway(trusted, here.console, no_proxy)
        found = variables.variables(relay.address, relay.word, trusted, past, os.environ)
        environment = {name: value for name, value in os.environ.items() if name != "SLUICEGATE_TOKEN"}
        child = await asyncio.create_subprocess_exec(*command, env={**environment, **found})
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, child.terminate)
        # The terminal sends Ctrl-C to the command as well, and it is the command's to decide what that means.
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        status = await child.wait()
    return status if status >= 0 else 128 - status


@contextlib.asynccontextmanager
async def _relaying(here: Known, port: int, ca: Path | None) -> AsyncIterator[relay.Relay]:
    from sluicegate.cli.workstation import holding, relay

    trusted = ssl.create_default_context()
    if ca is not None:
        trusted.load_verify_locations(cafile=str(ca))
    held = holding.Holding(here.gateway.authority)
    # A token that was given in the environment is used as it is, else whoever is signed in at the moment.
    secret: Callable[[], str] = (lambda: here.secret) if os.environ.get("SLUICEGATE_TOKEN") else held.secret
    made = relay.Relay(here.gateway, secret, port=port, trusted=trusted)
    try:
        await made.open()
    except OSError as error:
        raise Fault(
            f"The agent cannot listen on 127.0.0.1:{port}: {error.strerror}.",
            hint="Is one running already? Another port: --port 0.",
        ) from None
    fresh = asyncio.get_running_loop().create_task(holding.keep_fresh(held, holding.renewed_at_console))
    try:
        yield made
    finally:
        fresh.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await fresh
        await made.close()
