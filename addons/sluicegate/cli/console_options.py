"""Options of the commands that ask the console."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sluicegate.cli import console_client

Address = Annotated[
    str | None,
    typer.Option(
        "--console",
        metavar="URL",
        envvar="SLUICEGATE_CONSOLE",
        help="The console. [default: that of the last sign-in, else [console].listen of the policy]",
        show_default=False,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help=f"File with your token. [default: {console_client.TOKEN_VARIABLE}, else what `sluicegate login` stored]",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
