"""Searching what was recorded, as `sluicegate-replay search` does: it is that command, in a process of its own.

So a search keeps neither the console nor anybody else's page waiting, finds what the investigator's own tool finds, and
can be ended. Its catalog lies in the state folder; the first search reads every recording, and takes as long as that.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.database.events import tell
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal

A_PAGE = 50
MOST_PAGES = 20
"""Pages that can be turned; who needs more says more about what is searched, or uses the command."""
MOST_WAITING = 8
"""Searches that run or wait for their turn, in all. One runs at a time: each may use all cores for a while."""
MOST_KEPT = 16
KEPT_SECONDS = 300.0
"""Answers that are kept for whoever turns the page or comes back for them."""
LONGEST_SECONDS = 1800.0
"""A first search of a very large folder. Longer ones are ended; the command has no such end."""
PATIENCE_SECONDS = 2.0
"""How long a page waits for the answer before it says that the search goes on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is searched: words, and what the exchanges must be besides. All of it is somebody's text."""

    text: str
    who: str = ""
    service: str = ""

    def arguments(self) -> tuple[str, ...]:
        """For the command. Each value is one argument with its name, so that none is taken for an option."""
        chosen = ((name, getattr(self, name)) for name in ("who", "service"))
        return (*(f"--{name}={value}" for name, value in chosen if value), "--", self.text)


@dataclass(frozen=True, slots=True)
class Answer:
    """Up to so many hits as there are on all pages, the latest recorded first; or why there is none."""

    hits: tuple[Mapping[str, Any], ...] = ()
    damaged: int = 0
    """Places at which the recordings are not whole."""
    failed: str = ""

    def page(self, number: int) -> tuple[Mapping[str, Any], ...]:
        """The hits of a page, counted from 1."""
        return self.hits[(number - 1) * A_PAGE : number * A_PAGE]


class Searches:
    """The searches of one console. Used on its event loop alone."""

    def __init__(self, recordings: Path | None, database: Database, clock: Clock) -> None:
        self._recordings = recordings
        self._database = database
        self._clock = clock
        self._turn = asyncio.Semaphore(1)
        self._runs: dict[Asked, _Run] = {}

    async def answer(self, asked: Asked, person: Principal, *, begin: bool = True) -> Answer | None:
        """The answer, or None while the search goes on. Who searches for what is told to the record first: without
        that, nothing is searched. Raises Refusal, 404 where nobody has begun it and it is not to `begin` now."""
        self._forget()
        run, who = self._runs.get(asked), (person.issuer, person.subject)
        if run is None or who not in run.told:
            if not begin:
                raise Refusal(404, "no-such-search", "No such search", "Nobody has searched for that lately.")
            if run is None and sum(not one.task.done() for one in self._runs.values()) >= MOST_WAITING:
                raise Refusal(
                    503,
                    "too-many-searches",
                    "Too many searches",
                    f"{MOST_WAITING} searches run or wait already.",
                    next_step="Try again in a while, or use `sluicegate-replay search`.",
                )
            await self._tell(asked, person)
            # Somebody else may have begun the same meanwhile.
            run = self._runs.get(asked)
            if run is None:
                run = self._runs[asked] = _Run(self._clock.now(), asyncio.create_task(self._search(asked)))
            run.told.add(who)
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(run.task), PATIENCE_SECONDS)
        return None

    async def close(self) -> None:
        """End what runs."""
        tasks = [run.task for run in self._runs.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._runs.clear()

    async def _tell(self, asked: Asked, person: Principal) -> None:
        by = {"subject": person.subject, "name": person.label}
        what = {"text": asked.text, "who": asked.who, "service": asked.service, "by": by}
        now = self._clock.now()
        await self._database.run(lambda connection: _told(connection, now, what))

    async def _search(self, asked: Asked) -> Answer:
        if self._recordings is None or not self._recordings.is_dir():
            return Answer(failed="There are no recordings in this console's state folder.")
        if not any(character.isalnum() for character in asked.text):
            return Answer(failed="There is no word in that text.")
        async with self._turn:
            try:
                async with asyncio.timeout(LONGEST_SECONDS):
                    return await self._run(self._recordings, asked)
            except TimeoutError:
                return Answer(failed="It took too long and was ended. `sluicegate-replay search` has no such end.")
            except (OSError, ValueError) as error:
                return Answer(failed=f"The search could not be run ({type(error).__name__}).")

    async def _run(self, recordings: Path, asked: Asked) -> Answer:
        begun = asyncio.create_task(self._begin(recordings, asked))
        try:
            process = await asyncio.shield(begun)
        except asyncio.CancelledError:
            # asyncio would end that one process, and then wait for those that it started.
            await _end(await begun)
            raise
        try:
            output, errors = await process.communicate()
        finally:
            await _end(process)
        if process.returncode not in (0, 1) or not output:
            said = errors.decode("utf-8", "replace").strip().splitlines()
            return Answer(failed=said[-1][:300] if said else "The search ended without an answer.")
        found = await asyncio.to_thread(json.loads, output)
        return Answer(tuple(reversed(found["hits"])), len(found["damage"]))

    async def _begin(self, recordings: Path, asked: Asked) -> asyncio.subprocess.Process:
        catalog = recordings.parent / "catalog"
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sluicegate_replay", "search", "--json", f"--limit={A_PAGE * MOST_PAGES}"),
            *(f"--from={recordings}", f"--cache={catalog}"),
            *asked.arguments(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Nothing of the gateway's: its environment has secrets of services.
            env={name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            start_new_session=True,
        )

    def _forget(self) -> None:
        now = self._clock.now()
        done = [(asked, run) for asked, run in reversed(self._runs.items()) if run.task.done()]
        for place, (asked, run) in enumerate(done):
            if place >= MOST_KEPT or not 0 <= now - run.since < KEPT_SECONDS or _useless(run.task):
                del self._runs[asked]


@dataclass(slots=True)
class _Run:
    since: float
    task: asyncio.Task[Answer]
    told: set[tuple[str, str]] = field(default_factory=set)
    """Who asked for it, by issuer and subject: they are on the record."""


def _useless(task: asyncio.Task[Answer]) -> bool:
    """Whether it was cancelled, raised, or has nothing to show: the next try may."""
    return task.cancelled() or task.exception() is not None or bool(task.result().failed)


def _told(connection: Connection, now: float, what: Mapping[str, Any]) -> None:
    tell(connection, "recording.searched", now, what)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Its readers too, which are in its session."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        await process.wait()
