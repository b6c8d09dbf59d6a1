"""Waiting for a decision that another process writes into the database.

While somebody waits, one task looks for all of them: when the database says that something has changed, or a few times
a second where it cannot say so. While nobody waits, nothing runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sluicegate.approvals.approval import Approval
from sluicegate.approvals.store import Store


@dataclass(eq=False, slots=True)
class _Waiter:
    approval: str
    gone: Callable[[], bool]
    done: asyncio.Future[Approval | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Waiting:
    """Those who wait in this process. Used from one event loop."""

    def __init__(self, store: Store, pause: Callable[[], Awaitable[object]] | None = None) -> None:
        """`pause` is what passes the time between two looks; by default the store says when one is worth it."""
        self._store = store
        self._pause = pause or store.changed
        self._waiters: set[_Waiter] = set()
        self._poller: asyncio.Task[None] | None = None

    async def decided(self, approval: str, seconds: float, gone: Callable[[], bool]) -> Approval | None:
        """The approval once it is no longer pending; None when `seconds` have passed, or who waits has `gone`.

        Raises what the database raises, and LookupError when there is no such approval.
        """
        waiter = _Waiter(approval, gone)
        self._waiters.add(waiter)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            async with asyncio.timeout(seconds):
                return await waiter.done
        except TimeoutError:
            return None
        finally:
            self._waiters.discard(waiter)

    @property
    def idle(self) -> bool:
        """Whether nothing runs here."""
        return self._poller is None or self._poller.done()

    async def close(self) -> None:
        """Send everybody away, undecided."""
        for waiter in self._undecided():
            waiter.done.set_result(None)
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    async def _poll(self) -> None:
        while self._waiters:
            try:
                found = await self._store.look({waiter.approval for waiter in self._waiters})
            except Exception as error:
                # Those who wait must hear of it now and be refused, and not wait for a poller that has died.
                for waiter in self._undecided():
                    waiter.done.set_exception(error)
                return
            for waiter in self._undecided():
                # One that began to wait after the look is not in it; the next look will know.
                approval = found.get(waiter.approval)
                if waiter.gone():
                    waiter.done.set_result(None)
                elif approval is not None and approval.state != "pending":
                    waiter.done.set_result(approval)
            await self._pause()

    def _undecided(self) -> list[_Waiter]:
        return [waiter for waiter in self._waiters if not waiter.done.done()]
