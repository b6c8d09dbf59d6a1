"""Taint while the gateway runs: cells are read and bodies searched in processes of their own, and kept in the database.

Small bodies and large ones have a process each, so that nobody waits for another's archive. What takes too long is
given up, the process with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection, select

from sluicegate.database import Database
from sluicegate.database.tables import taints as table
from sluicegate.detection.look import Signal
from sluicegate.detection.taint.held import MOST, Held, Received
from sluicegate.detection.taint.lane import LEARN_SECONDS, Lane
from sluicegate.detection.taint.learning import Handed, Learning
from sluicegate.detection.taint.sample import Sample
from sluicegate.detection.taint.searching import Searched, search
from sluicegate.detection.taint.zones import Zones

logger = logging.getLogger(__name__)

SMALL = 64 << 10
"""Bytes up to which a body goes to the process for small ones."""
WAITING = 64 << 20
"""Bytes that may wait to be read; a response that would be more waits until there is room."""
START_SECONDS = 6.0
"""How long the start of a process is waited for; it is started before it is needed."""
_PEOPLE = 64
_BLOBS = 5_000
_NEWEST = 64


class NotLooked(Exception):
    """What was to be looked at was not, or not all of it."""


class Taints:
    """What people received, and the search for it. Used on the event loop alone."""

    def __init__(self, database: Database, key: bytes, zones: Zones, days: float) -> None:
        self._database = database
        self._key = key
        self.zones = zones
        self._days = days
        self._lanes = {"small": Lane(), "large": Lane(), "learn": Lane()}
        self._learning = Learning(self._lanes["learn"], database, key, days)
        self._pending: dict[str, set[asyncio.Future[None]]] = {}
        self._passing: dict[str, list[Sample]] = {}
        self._waiting = 0
        self._room = asyncio.Event()
        self._room.set()
        self._held: OrderedDict[tuple[str, str], tuple[tuple[int, ...], Held]] = OrderedDict()

    async def close(self) -> None:
        """Keep what was received, then end the processes."""
        self._learning.hurry()
        pending = [one for several in self._pending.values() for one in several]
        if pending:
            await asyncio.wait(pending, timeout=LEARN_SECONDS)
        await self._learning.close()
        for lane in self._lanes.values():
            lane.stop()

    def learn(self, handed: Handed) -> asyncio.Future[None]:
        """A response was handed over. The response does not wait for this; a search for what it held does."""
        # Who holds something may send something. Where a process cannot be started now, a search starts it, or refuses.
        with contextlib.suppress(OSError):
            for lane in self._lanes.values():
                lane.start()
        learned, person, size = self._learning.add(handed), handed.person, len(handed.body.data)
        mine = self._pending.setdefault(person, set())
        mine.add(learned)
        self._waiting += size
        if self._waiting > WAITING:
            self._room.clear()
            self._learning.hurry()

        def done(finished: asyncio.Future[None]) -> None:
            self._waiting -= size
            if self._waiting <= WAITING:
                self._room.set()
            mine.discard(finished)
            if not mine and self._pending.get(person) is mine:
                del self._pending[person]

        learned.add_done_callback(done)
        return learned

    def pass_by(self, person: str, handed: Callable[[bytes, bytes, bool], Handed], *, lined: bool) -> Sample:
        """What is learned of a response that passes piece by piece. Until it is let go, a search of the person's looks
        at it first. `handed` makes of a piece what is learned."""

        def hand(data: bytes, head: bytes, piece: bool) -> None:
            self.learn(handed(data, head, piece))

        sample = Sample(hand, lined=lined)
        self._passing.setdefault(person, []).append(sample)
        return sample

    def let_go(self, person: str, sample: Sample) -> None:
        """The response is over."""
        left = [one for one in self._passing.pop(person, []) if one is not sample]
        if left:
            self._passing[person] = left

    @property
    def lost(self) -> int:
        """Responses whose cells could not be kept."""
        return self._learning.lost

    @property
    def full(self) -> bool:
        """Whether so much waits that a response should wait too, or the rest of one that passes."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Wait until there is room."""
        await self._room.wait()

    async def look(
        self, person: str, target: str, place: str, at: float, parts: tuple[bytes, ...], coding: str, seconds: float
    ) -> tuple[Signal, ...]:
        """What of the person's data is in a request to the service `target`. Raises NotLooked."""
        lane = self._lanes["small" if sum(map(len, parts)) <= SMALL else "large"]
        try:
            async with asyncio.timeout(seconds):
                for sample in self._passing.get(person, ()):
                    sample.flush()
                mine = self._pending.get(person)
                if mine:
                    self._learning.hurry()
                    await asyncio.wait(list(mine))
                held = await self._held_by(person, target, at)
            if not held.begin:
                return ()
            await lane.ready(START_SECONDS)
            found: Searched = await lane.run(search, parts, coding, held.begin, self._key, seconds=seconds)
        except TimeoutError:
            raise NotLooked("it took too long") from None
        except Exception as error:
            raise NotLooked(f"it could not be read ({type(error).__name__})") from error
        signals = held.judge(found, place, self.zones.canary_values)
        if found.cut and not any(signal.certain for signal in signals):
            raise NotLooked("there is more of it than is looked at")
        return signals

    async def _held_by(self, person: str, target: str, at: float) -> Held:
        oldest = at - self._days * 86_400
        newest = await self._database.read(partial(_newest, person=person, oldest=oldest))
        key, zones = (person, target), self.zones
        known = self._held.get(key)
        if known is not None and known[0] == newest:
            return known[1]
        rows = await self._database.read(partial(_received, person=person, oldest=oldest)) if newest else []
        held = await asyncio.to_thread(Held.of, rows, lambda service: zones.elsewhere(service, target), zones.canaries)
        if zones is self.zones:  # another policy that came meanwhile has other zones, and other canaries
            self._held[key] = newest, held
            if len(self._held) > _PEOPLE:
                self._held.popitem(last=False)
        return held

    def adopt(self, zones: Zones) -> None:
        """Another policy is in force."""
        self.zones = zones
        self._held.clear()


def _newest(connection: Connection, *, person: str, oldest: float) -> tuple[int, ...]:
    """The newest numbers, not the newest alone: another gateway draws its number before it is done with writing."""
    query = select(table.c.number).where(table.c.person == person, table.c.at >= oldest)
    return tuple(connection.execute(query.order_by(table.c.number.desc()).limit(_NEWEST)).scalars())


def _received(connection: Connection, *, person: str, oldest: float) -> list[Received]:
    query = select(table.c.dataset, table.c.service, table.c.at, table.c.cells)
    chosen = query.where(table.c.person == person, table.c.at >= oldest)
    found, total = [], 0
    for row in connection.execute(chosen.order_by(table.c.number.desc()).limit(_BLOBS)):
        found.append(Received(*row))
        total += len(row.cells) // 26
        if total > MOST:
            break
    return found
