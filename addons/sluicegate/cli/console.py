"""sluicegate console: the approvers' side as a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sluicegate.cli.places import DEFAULT_POLICY, Policy, StateFolder, state_of
from sluicegate.clock import SystemClock

if TYPE_CHECKING:
    from sluicegate.settings import Loaded, State


def console(
    policy: Policy = DEFAULT_POLICY,
    state: StateFolder = None,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True)] = False,
) -> None:
    """Serve the console alone: pages and API. `sluicegate up` starts it by itself.

    Example: sluicegate console --policy policy.toml
    """
    from sluicegate.pipeline.check import load_checked

    loaded = load_checked(policy)
    asyncio.run(_serve(loaded, state_of(policy, state).open(), until_eof))


async def _serve(loaded: Loaded, state: State, until_eof: bool) -> None:
    from sluicegate.console.server import serve
    from sluicegate.database import Database

    stop = asyncio.Event()
    if until_eof:
        _follow(stop)
    # Only the gateway checkpoints: two processes that do can corrupt a database of SQLite before 3.51.3.
    database = Database.of(loaded.settings.gateway.database, state.database, checkpoints=False)
    certificates = state.ca / "mitmproxy-ca-cert.pem"
    await serve(loaded, database, SystemClock(), state=state, announce=_announce, stop=stop, certificates=certificates)


def _follow(stop: asyncio.Event) -> None:
    """End when standard input does: a gateway that was killed can tell its console in no other way."""
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()

    def readable() -> None:
        if not os.read(descriptor, 1024):
            loop.remove_reader(descriptor)
            stop.set()

    loop.add_reader(descriptor, readable)


def _announce(url: str) -> None:
    print(f"sluicegate: console on {url}", flush=True)
