"""A recorded exchange for the console: read where the gateway wrote it, and said to the record who looked.

What is shown is what `sluicegate-replay show` prints, out of the same functions. Nothing is verified here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.database.events import tell
from sluicegate.exchange import Principal
from sluicegate.recording import beside
from sluicegate.recording.flow_reader import read_at
from sluicegate.recording.plain import plain
from sluicegate.recording.readable import readable
from sluicegate.recording.recorded import Damage, Message, Recorded
from sluicegate.recording.shown import Fact, facts

MOST_CHARACTERS = 200_000
"""Of a body on the page; the replay tool shows the whole."""


@dataclass(frozen=True, slots=True)
class Part:
    """A request or a response, as people read it."""

    title: str
    line: str
    headers: tuple[tuple[str, str], ...]
    body: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Page:
    """What there is to show. `missing` says why there is nothing, where there is nothing."""

    facts: tuple[Fact, ...] = ()
    parts: tuple[Part, ...] = field(default=())
    missing: str = ""


class Record:
    """Reads one exchange at a time, on a thread."""

    def __init__(self, folder: Path | None, database: Database, clock: Clock) -> None:
        self._folder = folder
        self._database = database
        self._clock = clock

    async def look(self, row: Mapping[str, Any], person: Principal) -> Page:
        """The exchange of a row of the index. Who looks is told to the record first: without that, nothing is shown."""
        page = await asyncio.to_thread(self._page, row)
        if page.parts:
            by = {"subject": person.subject, "name": person.label}

            def told(connection: Connection) -> None:
                tell(connection, "recording.viewed", self._clock.now(), {"exchange": row["id"], "by": by})

            await self._database.run(told)
        return page

    def _page(self, row: Mapping[str, Any]) -> Page:
        name, offset = row["flow_file"], row["flow_offset"]
        if self._folder is None or not name or offset is None:
            return Page(missing="The index does not say where it is recorded.")
        # The index is no evidence: what it says is a file of recordings or nothing.
        if not (self._folder / name).resolve().is_relative_to(self._folder.resolve()):
            return Page(missing="The index names a place outside the recordings.")
        item = read_at(self._folder, name, offset)
        if isinstance(item, Damage):
            return Page(missing=f"{item}. It may be on another gateway, or retention has ended it.")
        if item.id != row["id"]:
            return Page(missing=f"{name} has another exchange at that place.")
        known = [*facts(item), *(Fact(*fact) for fact in beside.facts(self._folder, item.id, item.text("approval")))]
        return Page(tuple(known), tuple(_parts(item)))


def _parts(item: Recorded) -> list[Part]:
    parts = [_part("Request", item.request)]
    if item.response is not None:
        parts.append(_part("Response, as the client got it", item.response))
    return parts


def _part(title: str, message: Message) -> Part:
    body = readable(message)
    headers = tuple((plain(name), plain(value)) for name, value in message.headers)
    return Part(title, plain(message.line), headers, body[:MOST_CHARACTERS], len(body) > MOST_CHARACTERS)
