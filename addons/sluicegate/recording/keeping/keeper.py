"""The keeper: carries out what people agreed on, and ends what retention ends, behind the requests.

Everything is entered into the ledger before a file goes. What was begun and not finished is begun again: an order is
done once the database says so, and a file whose time is over is over in the next round as well.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.database.tables import exchanges
from sluicegate.recording.intents import seal
from sluicegate.recording.keeping import holds
from sluicegate.recording.keeping.due import Due, Kept, due_files, due_keys, maybe_due_keys
from sluicegate.recording.keeping.made_keys import MadeKey, Who, held, made, meant, of_exchange
from sluicegate.recording.keeping.orders import Order, agreed, carried_out
from sluicegate.recording.keeping.removing import A_TIME, remove
from sluicegate.recording.keeping.selection import Selection
from sluicegate.recording.ledger.entry import about
from sluicegate.recording.ledger.scan import entries_with
from sluicegate.recording.ledger.writer import put, sync_files
from sluicegate.recording.summary import VERSION, valid_text

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often the database is asked for orders."""
ROUNDS_BETWEEN = 720
"""Rounds between two looks at what retention ends."""

Enter = Callable[[bytes | None, str, Mapping[str, Any]], Awaitable[object]]
"""Enters something into the ledger: the record of an event (None: the entry alone), its type and fields."""


class Keeper:
    """Keeps the recordings of one folder. `log` is the name of its ledger; `forget` has sealers let go of keys."""

    def __init__(
        self,
        folder: Path,
        kept: Kept,
        database: Database,
        clock: Clock,
        *,
        log: str,
        enter: Enter,
        who: Who,
        forget: Callable[[Collection[str]], Awaitable[None]],
    ) -> None:
        self._folder = folder
        self._kept = kept
        self._database = database
        self._clock = clock
        self._log = log
        self._enter = enter
        self._who = who
        self._forget = forget
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._failing: dict[str, bool] = {}

    def open(self) -> None:
        """Start, on the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="recording keeper")

    async def close(self) -> None:
        """Finish what is under way, and stop."""
        if self._task is not None:
            self._stop.set()
            await self._task
            self._task = None

    async def carry_out(self) -> int:
        """Carry out what is agreed; how many orders that were. Raises what the database, disk or recorder says."""
        waiting = await self._database.read(partial(agreed, log=self._log))
        for order in waiting:
            result = await self._carried_out(order)
            done = partial(carried_out, key=order.id, log=self._log, at=self._clock.now(), result=result)
            await self._database.run(done, durable=True)
            logger.info("the %s %s is carried out: %s", order.kind, order.id, result)
        return len(waiting)

    async def retain(self) -> Due:
        """End what is over; what that was. Raises as `carry_out` does."""
        if self._kept.endless:
            return Due()
        now = self._clock.now()
        due, keys = await asyncio.to_thread(self._due, now)
        for names in _parts(due.files):
            await self._enter(None, "deleted", {"because": "retention", "files": names})
            await asyncio.to_thread(remove, self._folder, names)
            with suppress(Exception):  # rows of files that are gone are in nobody's way, and a reindex takes them out
                await self._database.run(partial(_forgotten, files=names))
        await self._shred([key.name for key in keys], {"because": "retention"}, None)
        due.files += [key.file for key in keys]
        return due

    def _due(self, now: float) -> tuple[Due, list[MadeKey]]:
        in_force = holds.in_force(self._folder)
        due = due_files(self._folder, self._kept, in_force, now)
        if not maybe_due_keys(self._folder, self._kept, now):
            return due, []
        over = due_keys(made(self._folder), self._kept, now)
        kept = held(self._folder, over, in_force, self._who) if in_force else {}
        due.held |= {key.file: kept[key.name] for key in over if key.name in kept}
        return due, [key for key in over if key.name not in kept]

    async def _carried_out(self, order: Order) -> dict[str, Any]:
        match order.kind:
            case "hold":
                return await self._hold(order)
            case "release":
                return await self._release(order)
            case "shred":
                return await self._shredded(order)

    async def _hold(self, order: Order) -> dict[str, Any]:
        hold = holds.Hold(order.id, Selection.of(order.what), order.reason)
        said = {"asked_by": valid_text(dict(order.asked_by)), "asked_at": order.asked_at}
        data = holds.encode(hold.order, hold.selection, valid_text(hold.reason), said, os.urandom(16).hex())
        data, known = await asyncio.to_thread(self._put_hold, hold.file, data)
        if not known:
            await self._enter(None, "held", {**self._by(order), **about(hold.file, 0, data)})
        return {"held": True}

    def _put_hold(self, file: str, data: bytes) -> tuple[bytes, bool]:
        """Have the file there; its bytes, and whether the ledger has it already (the gateway ended in between)."""
        path = self._folder / file
        if path.exists():
            return path.read_bytes(), any(entries_with(self._folder, f'"file":"{file}"'.encode()))
        put(path, data)
        sync_files(self._folder, [file])
        return data, False

    async def _release(self, order: Order) -> dict[str, Any]:
        file = holds.Hold(str(order.what.get("hold")), Selection(), "").file
        if not await asyncio.to_thread((self._folder / file).exists):
            return {"released": False}
        await self._enter(self._record(order), "released", {**self._by(order), "files": [file]})
        await asyncio.to_thread(remove, self._folder, [file])
        return {"released": True}

    async def _shredded(self, order: Order) -> dict[str, Any]:
        chosen = Selection.of(order.what)
        names, kept = await asyncio.to_thread(self._meant, chosen)
        await self._shred(names, self._by(order), self._record(order))
        return {"shredded": len(names), "held": len(kept), "holds": sorted(set(kept.values()))}

    def _meant(self, chosen: Selection) -> tuple[list[str], dict[str, str]]:
        in_force = holds.in_force(self._folder)
        of = of_exchange(self._folder, chosen.exchange) if chosen.exchange else set()
        keys = [key for key in made(self._folder) if meant(key, chosen, self._who, of)]
        kept = {name: hold.order for name, hold in held(self._folder, keys, in_force, self._who).items()}
        return [key.name for key in keys if key.name not in kept], kept

    async def _shred(self, keys: Sequence[str], said: Mapping[str, Any], record: bytes | None) -> None:
        # Let go of first: nothing more may be sealed under a key that is about to go.
        await self._forget(keys)
        for names in _parts(keys):
            files = [f"keys/{name}.age" for name in names]
            await self._enter(record, "shredded", {**said, "files": files})
            await asyncio.to_thread(remove, self._folder, files)

    def _by(self, order: Order) -> dict[str, Any]:
        """What the ledger says in clear of an order: pseudonyms, and no reason, which may name somebody."""
        people = [one for one in (order.asked_by, order.agreed_by) if one]
        return {"order": order.id, "by": [self._who(one.get("issuer", ""), one.get("subject", "")) for one in people]}

    @staticmethod
    def _record(order: Order) -> bytes:
        """The record: who, when, what and why."""
        return seal(
            {
                "version": VERSION,
                "kind": f"recording.{order.kind}",
                "order": order.id,
                "what": valid_text(dict(order.what)),
                "reason": valid_text(order.reason),
                "asked_by": valid_text(dict(order.asked_by)),
                "asked_at": order.asked_at,
                "agreed_by": valid_text(dict(order.agreed_by)) if order.agreed_by else None,
                "agreed_at": order.agreed_at,
                "salt": os.urandom(16).hex(),
            }
        )

    async def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            done = await self._tried("orders cannot be carried out", self.carry_out)
            # While an order waits that could be a hold, nothing is deleted.
            if done and number % ROUNDS_BETWEEN == 0:
                done = await self._tried("retention cannot be kept", self.retain)
            number += done
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), LOOK_SECONDS)

    async def _tried(self, what: str, work: Callable[[], Awaitable[object]]) -> bool:
        try:
            await work()
            self._failing[what] = False
            return True
        except Exception as error:  # nothing is deleted then; it is tried again in the next round
            if not self._failing.get(what):
                logger.error("%s for now (%s: %s)", what, type(error).__name__, error)
            self._failing[what] = True
            return False


def _parts(names: Sequence[str]) -> list[list[str]]:
    return [list(names[at : at + A_TIME]) for at in range(0, len(names), A_TIME)]


def _forgotten(connection: Connection, files: Sequence[str]) -> None:
    connection.execute(delete(exchanges).where(exchanges.c.flow_file.in_(files)))
