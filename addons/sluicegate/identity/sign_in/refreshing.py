"""Asks the provider anew about everybody who is signed in, in the background, and tidies up behind them."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.identity.provider import PATIENCE, ProviderTrouble
from sluicegate.identity.sessions import store
from sluicegate.identity.sessions.session import Session
from sluicegate.identity.sign_in.sign_ins import SignIns
from sluicegate.settings.model import Identity

logger = logging.getLogger(__name__)

ROUND_SECONDS = 5.0
AT_ONCE = 4
"""So many sessions are asked about at once, so that a provider is not met by all of them after it was down."""
RETRY_SECONDS = 60.0
SWEEP_ROUNDS = 12
IDLE_MARGIN = 120.0
"""Gateways write down every ten seconds when a session was used; one that seems idle gets so much longer."""


class Refreshing:
    """One per console. Of several consoles, each session is asked about by the one that claims it first."""

    def __init__(self, settings: Identity, sign_ins: SignIns, database: Database, clock: Clock) -> None:
        self._settings = settings
        self._sign_ins = sign_ins
        self._database = database
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._task = asyncio.create_task(self._run(), name="refreshing sessions")

    async def close(self) -> None:
        """Stop. A refresh that is under way is waited for, because its answer holds the next token."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=3 * PATIENCE)

    async def round(self) -> int:
        """Ask about all that are due. Returns how many that were."""
        now = self._clock.now()
        due = await self._database.run(
            lambda connection: store.claim_due(connection, now, now + RETRY_SECONDS), durable=True
        )
        gate = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._one(gate, session, sealed) for session, sealed in due))
        return len(due)

    async def sweep(self) -> None:
        """End what is idle or over."""
        now = self._clock.now()
        before = now - self._settings.idle_seconds - IDLE_MARGIN
        await self._database.run(lambda connection: store.sweep(connection, now, before))

    async def _one(self, gate: asyncio.Semaphore, session: Session, sealed: bytes) -> None:
        async with gate:
            # Shielded: a rotated refresh token that is not written down is lost, and the session with it.
            asking = asyncio.create_task(self._sign_ins.refresh(session, sealed))
            self._under_way.add(asking)
            asking.add_done_callback(self._under_way.discard)
            try:
                await asyncio.shield(asking)
            except ProviderTrouble as trouble:
                logger.warning("session %s of %r: the identity provider %s", session.id, session.subject, trouble)
            except LookupError:
                return  # it has ended meanwhile
            except Exception:
                logger.exception("session %s could not be refreshed", session.id)

    async def _run(self) -> None:
        rounds = 0
        while True:
            try:
                await self.round()
                if rounds % SWEEP_ROUNDS == 0:
                    await self.sweep()
            except Exception:
                logger.exception("sessions cannot be refreshed now")
            rounds += 1
            await asyncio.sleep(ROUND_SECONDS)
