"""sluicegate-replay verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sluicegate.errors import Fault
from sluicegate_replay.cli import options as given
from sluicegate_replay.cli.progress import Shown
from sluicegate_replay.cli.screen import console, print_json
from sluicegate_replay.escape import plain

CODES = {"tampered": 3, "truncated": 4, "unsigned": 5, "cannot-tell": 6}
"""The exit code for the worst that was found. Without a finding it is 0, or 1 where an outcome is unknown."""

Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", metavar="FILE", help="A key that you trust, of the log or of a witness (.vkey). Repeat it."),
]


def verify(
    exchange: Annotated[str, typer.Argument(metavar="[ID]", help="Only this exchange. [default: everything]")] = "",
    folder: given.From = None,
    keys: Keys = None,
    heads: Annotated[
        list[Path] | None,
        typer.Option("--head", metavar="FILE", help="A checkpoint that was kept elsewhere. Repeat it."),
    ] = None,
    as_json: given.AsJson = False,
) -> None:
    """Say what is proved of the recordings: by which key and witness, up to which moment, and what is wrong first.

    Without --key the keys beside the recordings are used: whoever could change the one could change the other.

    Exit codes: 0 proved, 1 proved and an outcome is unknown, 2 wrong use, 3 tampered, 4 truncated, 5 a tail that is
    not signed, 6 cannot tell. Of several the worst: 3, 4, 6, 5.

    Example: sluicegate-replay verify --key gateway.vkey --head monday.checkpoint
    """
    from sluicegate_replay import verifying

    where = given.recordings(folder)
    trusted = verifying.keys(keys or [])
    own = not trusted
    kept = verifying.heads(heads or [])
    shown = Shown()
    try:
        result = verifying.check(where, exchange.strip().lower(), trusted, kept, shown)
    except OSError as error:
        raise Fault(
            f"There are no recordings to read in {plain(where)}: {error.strerror}.",
            hint="Name the folder with --from FOLDER.",
        ) from None
    if as_json:
        told: dict[str, Any] = verifying.as_json(result, own_keys=own)
        print_json({**told, "exit_code": code_of(result.verdict, unknown=bool(result.unknown))})
    else:
        console().print(verifying.report(result, own_keys=own, one=exchange))
    raise typer.Exit(code_of(result.verdict, unknown=bool(result.unknown)))


def code_of(verdict: str | None, *, unknown: bool) -> int:
    """The exit code for the worst that was found."""
    return int(unknown) if verdict is None else CODES[verdict]
