"""A workstation for real clients: a home of its own, and what `sluicegate env` sets beside an agent."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.running import Running

COMMAND = [sys.executable, "-m", "sluicegate.cli"]


def of(home: Path) -> dict[str, str]:
    """The environment of somebody who has nothing of ours set, nor any proxy."""
    return {
        name: value
        for name, value in os.environ.items()
        if "proxy" not in name.lower() and not name.startswith("SLUICEGATE_")
    } | {
        "HOME": str(home), "SLUICEGATE_CONFIG": str(home / "config"), "GIT_TERMINAL_PROMPT": "0", "GOFLAGS": "-mod=mod",
        "GOCACHE": os.environ.get("GOCACHE", os.path.expanduser("~/.cache/go-build")),
        "npm_config_update_notifier": "false", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CONFIG_FILE": os.devnull,
    }  # fmt: skip


@contextlib.contextmanager
def with_agent(running: Running, token: str, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """What `sluicegate env` sets beside an agent that holds this token; `sluicegate run` gives a command the same."""
    policy = ["--policy", str(running.folder / "policy.toml")]
    signed_in = environment | {"SLUICEGATE_TOKEN": token}
    agent = subprocess.Popen(
        [*COMMAND, "agent", "--port", "0", *policy], env=signed_in, stdout=subprocess.PIPE, text=True
    )
    assert agent.stdout is not None
    try:
        assert agent.stdout.readline().startswith("sluicegate: agent on ")
        done = subprocess.run([*COMMAND, "env", "--json", *policy], env=signed_in, capture_output=True, text=True)
        assert token not in done.stdout
        yield environment | json.loads(done.stdout)
    finally:
        agent.terminate()
        agent.wait(60)
        agent.stdout.close()
