"""The tokens of people for services, as a gateway has them at hand: no request waits for the provider.

For sessions they come from the database, where the console has put them at sign-in and puts the next before one ends.
Where none is there, as for a token of the provider that comes for the first time, it is fetched behind the request,
which is refused for the moment; or waits, for a bounded time, where the policy says so. Many that want the same share
one call. All are dropped with the sign-in that they rest on.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal, Target
from sluicegate.identity import tokens
from sluicegate.identity.handle import PREFIX
from sluicegate.identity.on_behalf import answer, refusals
from sluicegate.identity.on_behalf.exchanger import Exchanger, NoToken
from sluicegate.identity.recognise import Recognizer
from sluicegate.identity.sessions import store
from sluicegate.identity.sessions.service_tokens import ServiceToken
from sluicegate.identity.sign_in.sealing import SERVICE_TOKEN, SUBJECT_TOKEN, Sealing
from sluicegate.settings.model import Identity

logger = logging.getLogger(__name__)

MARGIN_SECONDS = 30.0
"""A token is used until so long before its end, or a tenth of its life where that is shorter."""
AHEAD = 0.25
"""In this last part of its life a token that is used is fetched anew."""
AGAIN_SECONDS = 5.0
"""After a failure, the provider is asked for the same thing again no sooner."""
MOST_FAILING = 600.0
TOLD_SECONDS = 60.0
"""So long a failure is told to whoever asks while the next try is under way."""
MOST_KEPT = 32_768
MOST_WAITING = 256
"""Calls to the provider that are under way; beyond these, requests are refused for the moment."""


class _Key(NamedTuple):
    """Whose token it is: a session's, or that of a token that came as bearer (its SHA-256)."""

    session: str
    digest: bytes
    target: Target


@dataclass(frozen=True, slots=True)
class _Kept:
    token: str = field(repr=False)
    begun: float
    until: float
    """When it is used no more."""


@dataclass(frozen=True, slots=True)
class _Failed:
    refusal: Refusal
    until: float
    """When it may be tried again."""


class PersonalTokens:
    """Lives on one event loop: `open` before, `close` after use. Times are event time, but for waiting."""

    def __init__(
        self,
        settings: Identity,
        recognizer: Recognizer,
        database: Database,
        sealing: Sealing,
        environ: Mapping[str, str],
        clock: Clock,
    ) -> None:
        """Raises Fault when the secret of the gateway's client cannot be had. [identity.token_exchange] must be set."""
        assert settings.token_exchange is not None
        self._settings = settings.token_exchange
        self._recognizer = recognizer
        self._database = database
        self._sealing = sealing
        self._clock = clock
        self._exchanger = Exchanger(settings, environ, clock, recognizer.claims_to_be_ours)
        self._kept: dict[_Key, _Kept] = {}
        self._failed: dict[_Key, _Failed] = {}
        self._flights: dict[_Key, asyncio.Task[str]] = {}
        # Before the sessions are read for the first time, which is when the identity room opens.
        recognizer.sessions.forget = self.forget
        recognizer.sessions.granted = self._take

    async def open(self) -> None:
        """Raises Fault for a file of authorities that cannot be used."""
        await self._exchanger.open()

    async def close(self) -> None:
        """Forget everything. Closing twice is harmless."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        self._kept.clear()
        self._failed.clear()
        await self._exchanger.close()

    def cached(self, who: Principal, presented: str | None, target: Target) -> str | None:
        """The token that is kept, if one is. Never waits, never raises. `presented` as for `obtain`."""
        key, now = _key(who, presented, target), self._clock.now()
        kept = self._kept.get(key)
        if kept is None or now >= kept.until:
            return None
        near = now >= kept.until - AHEAD * (kept.until - kept.begun)
        if near and not self._failing(key, now) and len(self._flights) < MOST_WAITING:
            self._start(key, who, presented)
        return kept.token

    async def obtain(self, who: Principal, presented: str | None, target: Target) -> str:
        """A token for `target` on behalf of `who`, where `cached` had none. Raises Refusal, after `wait_seconds` at the
        latest: at once, unless the policy says that requests wait.

        `presented` is what signed the person in: a handle, or a token of the provider; None for an address.
        """
        key, patience = _key(who, presented, target), self._settings.wait_seconds
        if key.session:
            # A console may have put one into the database since the last look, as for who has signed in this moment.
            await self._recognizer.sessions.look()
            there = self.cached(who, presented, target)
            if there is not None:
                return there
        now = self._clock.now()
        failed = self._failing(key, now)
        if failed is not None:
            raise failed.with_traceback(None)
        if key not in self._flights and len(self._flights) >= MOST_WAITING:
            raise refusals.unavailable(target.service)
        flight = self._start(key, who, presented)
        if patience == 0:
            before = self._failed.get(key)
            if before is not None and 0 <= now - before.until < TOLD_SECONDS:
                raise before.refusal.with_traceback(None)
            raise refusals.under_way(target.service)
        await asyncio.wait([flight], timeout=patience)
        if not flight.done() or flight.cancelled():
            raise refusals.unavailable(target.service)
        failure = flight.exception()
        if failure is not None:
            # Shared by all that wait: each raise would lengthen its traceback.
            raise failure.with_traceback(None)
        return flight.result()

    def turned_down(self, who: Principal, presented: str | None, target: Target, token: str) -> None:
        """The service says that this token is none. It is fetched anew, unless it is quite new itself; until the next
        one is there, requests go on with it, and the service answers for itself."""
        key, now = _key(who, presented, target), self._clock.now()
        kept = self._kept.get(key)
        if kept is None or kept.token != token or now - kept.begun < AGAIN_SECONDS or self._failing(key, now):
            return
        if len(self._flights) < MOST_WAITING:
            self._start(key, who, presented)

    def forget(self, session: str | None) -> None:
        """A session has ended; or, with None, tokens of the provider were taken back. What rests on it is dropped."""
        for key in [key for key in self._kept if key.session == (session or "")]:
            del self._kept[key]

    def _failing(self, key: _Key, now: float) -> Refusal | None:
        failed = self._failed.get(key)
        # A console's clock may differ from this one, and a clock that was set back must not lock people out.
        return failed.refusal if failed is not None and 0 < failed.until - now < MOST_FAILING else None

    def _take(self, fetched: list[ServiceToken]) -> None:
        """What consoles have fetched for sessions."""
        for one in fetched:
            session = self._recognizer.sessions.known(one.session)
            if session is None:
                continue
            key = _Key(one.session, b"", one.target)
            if one.sealed is None:
                self._kept.pop(key, None)
                if one.refused is not None:
                    self._fails(key, refusals.refused(one.target.service, one.refused), one.begun, one.due)
                continue
            try:
                token = self._sealing.open(one.sealed, session.subject, SERVICE_TOKEN)
            except ValueError:
                logger.error("a token of session %s cannot be opened: keys/sessions.key differs", one.session)
                continue
            self._keep(key, answer.Granted(token, one.until), one.begun)

    def _start(self, key: _Key, who: Principal, presented: str | None) -> asyncio.Task[str]:
        flight = self._flights.get(key)
        if flight is None:
            # In a context of its own: it must not inherit the address check of the request that set it off.
            flight = asyncio.create_task(
                self._fetch(key, who, presented), context=contextvars.Context(), name="token exchange"
            )
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        return flight

    def _landed(self, key: _Key, done: asyncio.Task[str]) -> None:
        self._flights.pop(key, None)
        if not done.cancelled():
            done.exception()  # looked at, also where nobody waits

    async def _fetch(self, key: _Key, who: Principal, presented: str | None) -> str:
        now = self._clock.now()
        try:
            subject, kind = await self._subject(key, presented)
            found = await self._exchanger.exchanged(key.target, who.subject, subject, kind)
        except Refusal as refusal:
            raise self._fails(key, refusal, now) from None
        except NoToken as none:
            if none.said:
                # The provider has spoken about this person: what was fetched before goes no further either.
                self._kept.pop(key, None)
            raise self._fails(key, none.refusal, self._clock.now()) from None
        except Exception as error:
            service = key.target.service
            logger.error("no token for the service %s on behalf of %r: %s", service, who.subject, type(error).__name__)
            raise self._fails(key, refusals.unavailable(service), self._clock.now()) from None
        if not await self._counts(who, presented):
            raise refusals.ended()
        until = min(found.until, who.expires) if who.expires else found.until
        self._keep(key, answer.Granted(found.token, until), now)
        return found.token

    async def _subject(self, key: _Key, presented: str | None) -> tuple[str, str]:
        """The token to exchange, and its kind."""
        if not key.session:
            assert presented is not None
            return presented, "access_token"
        sealed = await self._database.read(lambda connection: store.subject_token(connection, key.session))
        if sealed is None:
            raise refusals.nothing_to_exchange(key.target.service)
        session = self._recognizer.sessions.known(key.session)
        try:
            text = self._sealing.open(sealed, session.subject if session else "", SUBJECT_TOKEN)
        except ValueError:
            logger.error(
                "the token of session %s cannot be opened: keys/sessions.key differs from the console's", key.session
            )
            raise refusals.nothing_to_exchange(key.target.service) from None
        return text, self._settings.subject_token

    async def _counts(self, who: Principal, presented: str | None) -> bool:
        """Whether what signed the person in still does."""
        if presented is None or presented.startswith(PREFIX):
            return self._recognizer.sessions.known(who.session) is not None
        try:
            await self._recognizer.tokens.verify(presented)
        except Refusal:
            return False
        return True

    def _keep(self, key: _Key, found: answer.Granted, begun: float) -> None:
        margin = min(MARGIN_SECONDS, 0.1 * (found.until - begun))
        self._failed.pop(key, None)
        if len(self._kept) >= MOST_KEPT and key not in self._kept:
            now = self._clock.now()
            self._kept = {one: kept for one, kept in self._kept.items() if now < kept.until}
        while len(self._kept) >= MOST_KEPT and key not in self._kept:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = _Kept(found.token, begun, found.until - margin)

    def _fails(self, key: _Key, refusal: Refusal, at: float, until: float | None = None) -> Refusal:
        if len(self._failed) >= MOST_KEPT:
            self._failed = {one: failed for one, failed in self._failed.items() if at < failed.until}
        if len(self._failed) < MOST_KEPT:
            self._failed[key] = _Failed(refusal, at + AGAIN_SECONDS if until is None else until)
        return refusal


def _key(who: Principal, presented: str | None, target: Target) -> _Key:
    if presented is None or presented.startswith(PREFIX):
        return _Key(who.session, b"", target)
    return _Key("", tokens.digest(presented), target)
