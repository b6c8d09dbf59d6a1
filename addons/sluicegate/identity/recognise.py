"""Whose a credential is, whatever form it has: the opaque handle of a session, or a token of the provider.

The one place that the gateway and the console ask.
"""

from __future__ import annotations

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Finding, Principal
from sluicegate.identity.handle import PREFIX
from sluicegate.identity.refusals import rejected
from sluicegate.identity.sessions import said
from sluicegate.identity.sessions.in_force import SessionsInForce
from sluicegate.identity.verifier import Verifier
from sluicegate.settings.model import Identity


class Recognizer:
    """Handles and tokens. Lives on one event loop: `open` before, `close` after use."""

    def __init__(self, settings: Identity, database: Database, clock: Clock) -> None:
        self.sessions = SessionsInForce(settings, database, clock)
        self.tokens = Verifier(settings, clock, taken_back=self.sessions.taken_back)
        self._clock = clock

    async def open(self) -> None:
        """Raises Fault when the provider's keys, or the sessions, cannot be had. The database must be open."""
        await self.tokens.open()
        try:
            await self.sessions.open()
        except Exception as error:
            await self.close()
            raise Fault(f"The sessions cannot be read from the database: {error}.") from None

    async def close(self) -> None:
        """Closing twice is harmless."""
        await self.sessions.close()
        await self.tokens.close()

    def cached(self, text: str, peer: str) -> Principal | None:
        """The Principal, where nothing has to be waited for; else None. `peer`: the address that it came from."""
        if text.startswith(PREFIX):
            return self.sessions.cached(text, peer)
        return self.tokens.cached(text) if self.sessions.fresh(self._clock.now()) else None

    async def verify(
        self, text: str, peer: str = "", *, presented: float | None = None, findings: list[Finding] | None = None
    ) -> Principal:
        """The Principal. Raises Refusal. `presented`: when it came, where that is not now but when a tunnel opened.

        What looks like theft is appended to `findings`.
        """
        if text.startswith(PREFIX):
            return await self.sessions.verify(text, peer, presented=presented, findings=findings)
        if not self.sessions.fresh(self._clock.now()):
            # What was taken back is not known, so nothing counts.
            await self.sessions.look()
            if not self.sessions.fresh(self._clock.now()):
                raise said.unreadable()
        return await self.tokens.verify(text)

    def over(self, who: Principal, since: float) -> Refusal | None:
        """Why a sign-in that counted at a time has ended since; None where it has not. That it has run out since does
        not end what was begun with it. Never waits, never raises."""
        ended = self.sessions.over(who.session)
        if ended is not None or self.sessions.knows(who.session):
            return ended
        # What was taken back since was issued before: such a token signed the person in.
        if self.sessions.taken_back.has(who.subject, who.session, since):
            return rejected("token-revoked", "The token was taken back while the request was on its way.")
        return None

    def claims_to_be_ours(self, text: str) -> bool:
        """Whether it is meant for us, proved or not: such a credential stays inside."""
        return text.startswith(PREFIX) or self.tokens.claims_to_be_ours(text)
