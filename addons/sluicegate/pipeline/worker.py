"""One worker: a whole pipeline on sockets that it was handed, which records through the process that started it.

Started by `workers.py` alone. It ends when that process does: what is not recorded is not let through.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from pathlib import Path

from sluicegate.errors import Fault


def main() -> None:
    """Serve until told to end. A Fault is one line, and exit code 2."""
    parser = argparse.ArgumentParser(prog="sluicegate worker", description="Started by `sluicegate up`, not by hand.")
    parser.add_argument("--policy", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--mode", choices=("regular", "transparent"), required=True)
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--relay", type=int, required=True, help="the socket to the recorder")
    parser.add_argument("--listen", required=True, help="the sockets to listen on")
    options = parser.parse_args()
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format=f"sluicegate: worker {options.index + 1}: %(levelname)s %(message)s",
    )
    try:
        asyncio.run(_run(options))
    except Fault as fault:
        print(f"sluicegate: worker {options.index + 1}: {fault}", file=sys.stderr)
        sys.exit(fault.exit_code)


async def _run(options: argparse.Namespace) -> None:
    from sluicegate.pipeline import few_addons
    from sluicegate.pipeline.check import load_checked
    from sluicegate.recording.relay.near import Relay
    from sluicegate.settings import State

    few_addons.leave_out_the_rest()
    from mitmproxy import ctx

    from sluicegate.pipeline.order import build
    from sluicegate.pipeline.serve import serve

    def lost() -> None:
        # Before there is a master, nothing is served yet; the relay says it again once this worker listens.
        master = getattr(ctx, "master", None)
        if master is not None:
            master.shutdown()

    relay = Relay(socket.socket(fileno=options.relay), lost)
    sockets = [socket.socket(fileno=int(file)) for file in options.listen.split(",")]
    gateway = build(load_checked(options.policy), State(options.state), records=relay, first=options.index == 0)
    await serve(gateway, options.mode, relay.serving, sockets)


if __name__ == "__main__":
    main()
