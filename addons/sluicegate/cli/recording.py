"""sluicegate recording: what the operator does with the recordings."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from sluicegate.cli import recording_keeping, recording_keys, recording_relearn
from sluicegate.cli.places import DEFAULT_POLICY, Policy, StateFolder, state_of
from sluicegate.cli.progress import shown
from sluicegate.errors import Fault

if TYPE_CHECKING:
    from sluicegate.recording.reindex import Rebuilt
    from sluicegate.settings.state import State

app = typer.Typer(
    help="Recordings: hold, release and shred; rebuild the index; keys.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def options() -> None:
    """Recordings: hold, release and shred; rebuild the index; keys."""


@app.command()
def reindex(
    policy: Policy = DEFAULT_POLICY,
    state: StateFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Rebuild the index from the flow files. Exits with 1 when something in them is damaged.

    Example: sluicegate recording reindex --policy policy.toml
    """
    from sqlalchemy.exc import SQLAlchemyError

    folder = state_of(policy, state)
    if not folder.recordings.is_dir():
        raise Fault(f"There are no recordings in {folder.recordings}.", hint="Name the state folder with --state.")
    try:
        rebuilt = asyncio.run(_rebuild(folder))
    except KeyboardInterrupt:
        raise Fault(
            "Broken off: the index lacks exchanges; the recordings are untouched.",
            hint="Run `sluicegate recording reindex` again; it begins anew.",
            exit_code=130,
        ) from None
    except OSError as error:
        raise Fault(f"The recordings in {folder.recordings} cannot be read: {error.strerror}.") from None
    except SQLAlchemyError as error:
        raise Fault(f"The index in {folder.database} cannot be written ({type(error).__name__}).") from None
    _tell(rebuilt, as_json)
    if rebuilt.damage:
        raise typer.Exit(1)


app.add_typer(recording_keys.app, name="keys")
for _command in (
    recording_keeping.hold,
    recording_keeping.release,
    recording_keeping.shred,
    recording_keeping.orders,
    recording_keeping.agree,
    recording_keeping.withdraw,
    recording_keeping.retain,
    recording_relearn.relearn,
):
    app.command()(_command)


async def _rebuild(folder: State) -> Rebuilt:
    from sluicegate.database import Database
    from sluicegate.recording.reindex import reindex as rebuild

    database = Database.at(folder.database)
    await database.open()
    try:
        with shown("Reading the recordings") as progress:
            return await rebuild(folder.recordings, database, progress)
    finally:
        await database.close()


def _tell(rebuilt: Rebuilt, as_json: bool) -> None:
    if as_json:
        damage = [{"file": d.file, "offset": d.offset, "reason": d.reason} for d in rebuilt.damage]
        print(json.dumps({"exchanges": rebuilt.count, "damage": damage}))
        return
    print(f"{rebuilt.count} exchanges are in the index.")
    for found in rebuilt.damage:
        print(ascii(str(found))[1:-1])
