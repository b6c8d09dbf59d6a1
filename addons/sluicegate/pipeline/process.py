"""The gateway as a process: what `sluicegate up` becomes once its options are read.

The command line is left behind by an exec, so that what reads options and writes tables takes no memory of a process
that stays for months. The process keeps its id, its standard streams and its environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn

from sluicegate.errors import Fault
from sluicegate.settings.state import State

if TYPE_CHECKING:
    from sluicegate.pipeline.order import Gateway
    from sluicegate.pipeline.workers import Workers

logger = logging.getLogger("sluicegate")

RESTART_SECONDS = 2.0
RESTART_SECONDS_AT_MOST = 60.0
"""Between starts of a console that ends each time, such as one whose port is in use."""
LASTED_SECONDS = 60.0
"""A console that ran for so long is started again at once."""
_MIGRATE = "from sluicegate.pipeline.process import migrate; import sys; migrate(*sys.argv[1:])"


class Wanted(NamedTuple):
    """What `sluicegate up` was asked for. Paths as texts."""

    policy: str
    state: str
    mode: Literal["regular", "transparent"]
    console: bool
    acknowledge_loss: bool


def become(wanted: Wanted) -> NoReturn:
    """Go on as the gateway. What is on the way to the standard streams is written first."""
    sys.stdout.flush()
    sys.stderr.flush()
    # -P: modules are taken from where Sluicegate is, never from the folder that somebody stands in.
    command = [sys.executable, "-P", "-m", "sluicegate.pipeline.process", json.dumps(wanted)]
    os.execv(sys.executable, command)  # noqa: S606 - no shell is wanted


def main() -> None:
    """Serve until told to stop. A Fault is one clear line on stderr, and its exit code."""
    try:
        run(Wanted(*json.loads(sys.argv[1])))
    except Fault as fault:
        print(f"sluicegate: {fault}", file=sys.stderr)
        sys.exit(fault.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def run(wanted: Wanted) -> None:
    """The gateway, and the console beside it. Raises Fault."""
    from sluicegate.pipeline.check import load_checked

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="sluicegate: %(levelname)s %(message)s")
    loaded = load_checked(Path(wanted.policy))
    # Behind the policy: who made a mistake in it is told at once.
    state = State(Path(wanted.state)).open()
    if loaded.settings.gateway.database is None and not state.database.exists():
        # What makes the tables is large and needed this once. Where this fails, the gateway tries and says why.
        made = [sys.executable, "-P", "-c", _MIGRATE, str(state.database)]
        subprocess.run(made, check=False, capture_output=True)  # noqa: S603 - nothing of it is anybody's words
    if loaded.settings.gateway.workers > 1:
        from sluicegate.pipeline.workers import Workers

        asyncio.run(_run_workers(Workers(loaded, state, wanted.mode, acknowledge_loss=wanted.acknowledge_loss), wanted))
        return
    from sluicegate.pipeline import few_addons

    few_addons.leave_out_the_rest()
    from sluicegate.pipeline.order import build

    asyncio.run(_run(build(loaded, state, acknowledge_loss=wanted.acknowledge_loss), wanted))


def migrate(path: str) -> None:
    """Make the tables of a database in a file."""
    from sluicegate.database import Database

    async def made() -> None:
        database = Database.of(None, Path(path))
        await database.open()
        await database.close()

    asyncio.run(made())


async def _run(gateway: Gateway, wanted: Wanted) -> None:
    from sluicegate.pipeline.serve import serve

    async with contextlib.AsyncExitStack() as beside:

        def announce(host: str, port: int) -> None:
            print(f"sluicegate: gateway on {host}:{port} ({wanted.mode}), state in {gateway.state.root}", flush=True)
            _console_beside(beside, wanted)

        await serve(gateway, wanted.mode, announce)


async def _run_workers(workers: Workers, wanted: Wanted) -> None:
    host, port = await workers.open()
    async with contextlib.AsyncExitStack() as beside:
        count = workers.loaded.settings.gateway.workers
        said = f"gateway on {host}:{port} ({wanted.mode}), {count} workers, state in {workers.state.root}"
        print(f"sluicegate: {said}", flush=True)
        _console_beside(beside, wanted)
        try:
            await workers.serve()
        finally:
            await workers.close()


def _console_beside(beside: contextlib.AsyncExitStack, wanted: Wanted) -> None:
    """Have a console until the stack is closed, where one is wanted."""
    if not wanted.console:
        return
    task = asyncio.get_running_loop().create_task(_keep_console(wanted))

    async def end() -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    beside.push_async_callback(end)


async def _keep_console(wanted: Wanted) -> None:
    """Run the console until cancelled. Without it nobody can approve, so held requests end refused: start it again."""
    options = ("--policy", wanted.policy, "--state", wanted.state, "--until-eof")
    loop, pause = asyncio.get_running_loop(), RESTART_SECONDS
    while True:
        started = loop.time()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "sluicegate.cli", "console", *options, stdin=asyncio.subprocess.PIPE
        )
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            raise
        if loop.time() - started >= LASTED_SECONDS:
            pause = RESTART_SECONDS
        said = (
            "the console ended with status %s, and is started again in %d s; held requests cannot be decided until then"
        )
        logger.error(said, status, pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, RESTART_SECONDS_AT_MOST)


if __name__ == "__main__":
    main()
