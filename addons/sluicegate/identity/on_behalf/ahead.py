"""Tokens for services, fetched by the console when somebody signs in and again before they end, while the session is in
use: so that no request of theirs meets the provider.

They are written down sealed, where every gateway reads them. Of several consoles each is fetched by the one that claims
it first; what fails is tried again later, and gateways say meanwhile why there is none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping

from sqlalchemy import Connection

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.exchange import Principal, Target
from sluicegate.identity.on_behalf.exchanger import Exchanger, NoToken
from sluicegate.identity.provider import PATIENCE
from sluicegate.identity.recognise import Recognizer
from sluicegate.identity.sessions import service_tokens
from sluicegate.identity.sessions.service_tokens import ServiceToken
from sluicegate.identity.sessions.session import Session
from sluicegate.identity.sign_in.sealing import SERVICE_TOKEN, SUBJECT_TOKEN, Sealing
from sluicegate.settings.model import Identity

logger = logging.getLogger(__name__)

ROUND_SECONDS = 5.0
AT_ONCE = 8
"""Exchanges that are under way at once, so that a provider is not met by everybody after it was down."""
RENEW = 0.5
"""After this part of its life a token is fetched anew; gateways would do so themselves in its last quarter."""
CLAIM_SECONDS = 30.0
RETRY_SECONDS = 30.0
"""When the provider could not be asked."""
REFUSED_SECONDS = 60.0
"""When it refused: its mind may change with the person's rights."""
IDLE_MARGIN = 30.0
"""Gateways write down every ten seconds when a session was used."""


class Ahead:
    """One per console. Lives on one event loop: `open` before, `close` after use. Times are event time."""

    def __init__(
        self,
        settings: Identity,
        targets: Iterable[Target],
        may_use: Callable[[Principal, str], bool],
        recognizer: Recognizer,
        database: Database,
        sealing: Sealing,
        environ: Mapping[str, str],
        clock: Clock,
    ) -> None:
        """`may_use`: whether the policy leaves a person any use of a service. Raises Fault like the Exchanger."""
        assert settings.token_exchange is not None
        self._kind = settings.token_exchange.subject_token
        self._idle = settings.idle_seconds
        self._targets = list(targets)
        self._may_use = may_use
        self._database = database
        self._sealing = sealing
        self._clock = clock
        self._exchanger = Exchanger(settings, environ, clock, recognizer.claims_to_be_ours)
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to renew. Raises Fault for a file of authorities that cannot be used."""
        await self._exchanger.open()
        if self._targets:
            self._task = asyncio.create_task(self._run(), name="tokens for services")

    async def close(self) -> None:
        """Closing twice is harmless."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._exchanger.close()

    async def begun(self, session: Session, sealed: bytes) -> None:
        """Somebody has signed in: fetch what they could need, before they have their handle. Raises nothing."""
        wanted = self._wanted(session)
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(self._one(session, sealed, target, None) for target in wanted))
        except Exception as error:
            # They are signed in all the same; the next round tries again.
            logger.error("session %s has not all of its tokens for services: %s", session.id, type(error).__name__)

    async def round(self) -> int:
        """Fetch what is due. Returns how many that were."""
        now = self._clock.now()
        used_after = now - self._idle - IDLE_MARGIN
        found, due_times = await self._database.read(
            lambda connection: (
                service_tokens.in_use(connection, now, used_after),
                service_tokens.due_times(connection),
            )
        )
        asking = []
        for session, sealed in found:
            for target in self._wanted(session):
                due = due_times.get((session.id, service_tokens.digest(target)))
                if due is None or due <= now:
                    asking.append(self._one(session, sealed, target, due))
        await asyncio.gather(*asking)
        return len(asking)

    def _wanted(self, session: Session) -> list[Target]:
        who = session.principal
        return [target for target in self._targets if self._may_use(who, target.service)]

    async def _one(self, session: Session, sealed: bytes, target: Target, due: float | None) -> None:
        async with self._gate:
            until = self._clock.now() + CLAIM_SECONDS
            if await self._database.run(
                lambda connection: service_tokens.claim(connection, session.id, target, due, until)
            ):
                await self._fetch(session, sealed, target)

    async def _fetch(self, session: Session, sealed: bytes, target: Target) -> None:
        try:
            subject = self._sealing.open(sealed, session.subject, SUBJECT_TOKEN)
        except ValueError:
            logger.error("the token of session %s cannot be opened: keys/sessions.key was replaced", session.id)
            return
        now = self._clock.now()
        try:
            granted = await self._exchanger.exchanged(target, session.subject, subject, self._kind)
        except NoToken as none:
            await self._none(session, target, none.said, now)
            return
        until = min(granted.until, session.expires)
        token = self._sealing.seal(granted.token, session.subject, SERVICE_TOKEN)
        due = now + RENEW * (until - now)
        await self._write(ServiceToken(session.id, target, now, until, due, sealed=token))

    async def _none(self, session: Session, target: Target, said: str, now: float) -> None:
        if said:
            await self._write(ServiceToken(session.id, target, now, now, now + REFUSED_SECONDS, refused=said))
            return

        def later(connection: Connection) -> None:
            # What is there goes on until its end: nothing was said about it.
            service_tokens.put_off(connection, session.id, target, now + RETRY_SECONDS)

        await self._database.run(later)

    async def _write(self, found: ServiceToken) -> None:
        await self._database.run(lambda connection: service_tokens.write(connection, [found]))

    async def _run(self) -> None:
        while True:
            try:
                await self.round()
            except Exception as error:
                logger.error("tokens for services cannot be renewed now: %s", type(error).__name__)
            await asyncio.sleep(ROUND_SECONDS)
