"""sluicegate console: the approvers' side as a process of its own."""

from __future__ import annotations

import asyncio

from sluicegate.cli.places import DEFAULT_POLICY, Policy, StateFolder, state_of
from sluicegate.clock import SystemClock
from sluicegate.console.server import serve
from sluicegate.database import Database
from sluicegate.pipeline.check import load_checked


def console(policy: Policy = DEFAULT_POLICY, state: StateFolder = None) -> None:
    """Serve the approvals API alone. `sluicegate up` starts it by itself.

    Example: sluicegate console --policy policy.toml
    """
    loaded = load_checked(policy)
    folder = state_of(policy, state).open()
    # Only the gateway checkpoints: two processes that do can corrupt a database of SQLite before 3.51.3.
    database = Database.at(folder.database, checkpoints=False)
    asyncio.run(serve(loaded, database, SystemClock(), announce=_announce))


def _announce(url: str) -> None:
    print(f"sluicegate: console on {url}", flush=True)
