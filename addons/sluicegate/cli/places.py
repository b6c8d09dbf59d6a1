"""The options that commands share: where the policy is, and where the state is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.settings.state import State

Policy = Annotated[Path, typer.Option("--policy", metavar="FILE", help="The policy file.", show_default=True)]
StateFolder = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="FOLDER",
        envvar="SLUICEGATE_STATE",
        help="The state folder. [default: .sluicegate beside the policy]",
    ),
]
DEFAULT_POLICY = Path("policy.toml")


def state_of(policy: Path, folder: Path | None) -> State:
    """The state folder that was named, or the one beside the policy."""
    return State(folder.absolute()) if folder else State.beside(policy)
