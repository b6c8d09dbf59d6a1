"""Delivering what is in the outbox: each place on its own, again with growing pauses, never in anybody's way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from sluicegate.approvals.notify import outbox, places
from sluicegate.approvals.notify.message import Notice
from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.settings.model import Notify

TRIES = 12
"""After so many a place is given up for this notice, and operators see that."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3600.0

_log = logging.getLogger("sluicegate.approvals")


class Deliverer:
    """Sends what is due to the places of the policy. `link` is the console's address, for the links."""

    def __init__(
        self, where: Mapping[str, Notify], link: str, environment: Mapping[str, str], database: Database, clock: Clock
    ) -> None:
        self._where = where
        self._link = link
        self._environment = environment
        self._database = database
        self._clock = clock

    async def round(self) -> int:
        """Send what is due now; how many notices that were."""
        if not await self._database.read(lambda connection: outbox.any_due(connection, self._clock.now())):
            return 0
        due = await self._database.run(lambda connection: outbox.claim(connection, self._clock.now()), durable=True)
        await asyncio.gather(*(self._one(row) for row in due))
        return len(due)

    async def sweep(self) -> None:
        """Forget old notices."""
        await self._database.run(lambda connection: outbox.sweep(connection, self._clock.now()))

    async def recent(self) -> list[Row[Any]]:
        """The newest notices, for operators."""
        return await self._database.read(outbox.recent)

    async def _one(self, row: Row[Any]) -> None:
        page = f"findings#{row.approval_id}" if row.about == "finding" else f"approvals/{row.code}"
        notice = Notice(row.id, row.about, row.approval_id, row.code, row.at, f"{self._link}/{page}")
        done: dict[str, Any] = dict(row.places)
        wanted = [name for name, place in self._where.items() if row.about in place.about]
        left = [name for name in wanted if not _over(done.get(name, {}))]
        outcomes = await asyncio.gather(*(self._try(notice, name, done.get(name, {})) for name in left))
        done |= dict(zip(left, outcomes, strict=True))
        again = [done[name]["tries"] for name in wanted if not _over(done[name])]
        next_at = self._clock.now() + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (min(again) - 1)) if again else None
        await self._database.run(lambda connection: outbox.settle(connection, row.id, done, next_at), durable=True)

    async def _try(self, notice: Notice, name: str, before: Mapping[str, Any]) -> dict[str, Any]:
        tries = before.get("tries", 0) + 1
        try:
            await places.send(notice, self._where[name], self._environment, self._clock.now())
        except places.NotTaken as error:
            why = str(error)
        except Exception as error:
            # One place that breaks in a new way must not keep the others from being told.
            why = type(error).__name__
        else:
            return {"tries": tries, "sent": self._clock.now()}
        _log.warning("%s was not told of %s: %s (try %d of %d)", name, notice.code, why, tries, TRIES)
        return {"tries": tries, "error": why}


def _over(place: Mapping[str, Any]) -> bool:
    return "sent" in place or place.get("tries", 0) >= TRIES
