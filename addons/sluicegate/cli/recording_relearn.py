"""sluicegate recording relearn: people's habits, learned anew out of the recordings."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluicegate.cli.places import DEFAULT_POLICY, Policy, StateFolder, state_of
from sluicegate.cli.safe_text import safe
from sluicegate.errors import Fault

if TYPE_CHECKING:
    from sluicegate.detection.watching import Watching
    from sluicegate.recording.recorded import Damage, Recorded
    from sluicegate.settings import Settings, State


@dataclass(slots=True)
class Read:
    """What was read."""

    exchanges: int = 0
    damage: list[Damage] = field(default_factory=list)


def relearn(
    policy: Policy = DEFAULT_POLICY,
    state: StateFolder = None,
    also: Annotated[
        list[Path] | None,
        typer.Option("--also", metavar="FOLDER", help="Recordings of another gateway on this database; repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Learn people's habits anew from the recordings, by the policy of now, in the place of those in the database.

    The gateways have to be stopped: what they learned meanwhile would be lost. What happened before the oldest
    recording is forgotten. Nothing is written where a folder cannot be read. Exits with 1 when something in the
    recordings is damaged; what is whole has been learned then.

    Example: sluicegate recording relearn --policy policy.toml
    """
    from sqlalchemy.exc import SQLAlchemyError

    from sluicegate.settings import load

    place, loaded = state_of(policy, state), load(policy)
    folders = [place.recordings, *(also or [])]
    for folder in folders:
        if not folder.is_dir():
            raise Fault(f"There are no recordings in {folder}.", hint="Name the state folder with --state.")
    read = Read()
    try:
        _stopped(folders)
        watching = _learned(folders, loaded.settings, place, read)
        forgotten, people = asyncio.run(_replace(watching, loaded.settings, place.database))
    except OSError as error:
        raise Fault(f"The recordings cannot be read: {error.strerror}.") from None
    except (SQLAlchemyError, TimeoutError) as error:
        raise Fault(f"Habits cannot be written to the database ({type(error).__name__}).") from None
    if as_json:
        damage = [{"file": one.file, "offset": one.offset, "reason": one.reason} for one in read.damage]
        print(json.dumps({"exchanges": read.exchanges, "people": people, "forgotten": forgotten, "damage": damage}))
    else:
        print(f"The habits of {people} people were learned from {read.exchanges} exchanges.")
        if forgotten:
            print(f"{forgotten} people and groups that no recording names any more were forgotten.")
        for one in read.damage:
            print(safe(str(one)))
    if read.damage:
        raise typer.Exit(1)


def _stopped(folders: list[Path]) -> None:
    from sluicegate.recording.ledger.log import is_written

    for folder in folders:
        if is_written(folder):
            raise Fault(f"A gateway is writing to {folder}.", hint="Stop it first; what it learns now would be lost.")


def _learned(folders: list[Path], settings: Settings, state: State, read: Read) -> Watching:
    from sluicegate.detection.taint.key import NAME, load_or_create
    from sluicegate_replay.detecting import Again

    # With the gateway's own key, what somebody sent in pieces today goes on adding up.
    again = Again(settings, load_or_create(state) if (state.keys / NAME).exists() else None)
    # Each folder has its exchanges in the order in which they ended, as they were learned.
    for item in heapq.merge(*(_whole(folder, read) for folder in folders), key=lambda item: item.finished):
        again.findings(item)
        read.exchanges += 1
    return again.watching


def _whole(folder: Path, read: Read) -> Iterator[Recorded]:
    from sluicegate.recording.flow_reader import read_folder
    from sluicegate.recording.recorded import Recorded

    for item in read_folder(folder):
        if isinstance(item, Recorded):
            yield item
        else:
            read.damage.append(item)


async def _replace(watching: Watching, settings: Settings, path: Path) -> tuple[int, int]:
    from sluicegate.clock import SystemClock
    from sluicegate.database import Database
    from sluicegate.detection.relearned import replace, states

    database = Database.of(settings.gateway.database, path)
    await database.open()
    try:
        made = states(watching)
        now = SystemClock().now()
        return await database.run(partial(replace, states=made, now=now), durable=True), len(watching.people)
    finally:
        await database.close()
