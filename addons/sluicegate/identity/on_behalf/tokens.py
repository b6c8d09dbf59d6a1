"""The tokens of people for services: fetched when first needed, kept until shortly before they end, dropped with the
sign-in that they rest on.

A request waits for the provider only where nothing is kept for its person and service, and for a bounded time; many
that wait share one call. What is used and near its end is fetched anew behind the requests.
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
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Principal, Target
from sluicegate.identity import tokens
from sluicegate.identity.handle import PREFIX
from sluicegate.identity.on_behalf import answer, refusals, request
from sluicegate.identity.on_behalf.endpoint import TokenEndpoint
from sluicegate.identity.provider import ProviderTrouble
from sluicegate.identity.recognise import Recognizer
from sluicegate.identity.sessions import store
from sluicegate.identity.sign_in.sealing import SUBJECT_TOKEN, Sealing
from sluicegate.settings.model import Identity

logger = logging.getLogger(__name__)

MARGIN_SECONDS = 30.0
"""A token is used until so long before its end, or a tenth of its life where that is shorter."""
AHEAD = 0.25
"""In this last part of its life a token that is used is fetched anew."""
AGAIN_SECONDS = 5.0
"""After a failure, the provider is asked for the same thing again no sooner."""
MOST_KEPT = 4096
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
    at: float
    refusal: Refusal


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
        self._environ = dict(environ)
        self._recognizer = recognizer
        self._database = database
        self._sealing = sealing
        self._clock = clock
        self._endpoint = TokenEndpoint(settings, self._settings.wait_seconds)
        self._kept: dict[_Key, _Kept] = {}
        self._failed: dict[_Key, _Failed] = {}
        self._flights: dict[_Key, asyncio.Task[str]] = {}
        try:
            request.client_secret(self._settings, self._environ)
        except request.NoSecret as trouble:
            raise Fault(f"The gateway's client at the identity provider: {trouble}.") from None

    async def open(self) -> None:
        """Raises Fault for a file of authorities that cannot be used."""
        try:
            await self._endpoint.open()
        except ProviderTrouble as trouble:
            raise Fault(f"The identity provider {trouble}.", hint="Check [identity].") from None
        self._recognizer.sessions.forget = self.forget

    async def close(self) -> None:
        """Forget everything. Closing twice is harmless."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        self._kept.clear()
        self._failed.clear()
        await self._endpoint.close()

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
        """A token for `target` on behalf of `who`. Raises Refusal, after `wait_seconds` at the latest.

        `presented` is what signed the person in: a handle, or a token of the provider; None for an address.
        """
        key = _key(who, presented, target)
        failed = self._failing(key, self._clock.now())
        if failed is not None:
            raise failed.with_traceback(None)
        if key not in self._flights and len(self._flights) >= MOST_WAITING:
            raise refusals.unavailable(target.service)
        flight = self._start(key, who, presented)
        await asyncio.wait([flight], timeout=self._settings.wait_seconds)
        if not flight.done() or flight.cancelled():
            raise refusals.unavailable(target.service)
        failure = flight.exception()
        if failure is not None:
            # Shared by all that wait: each raise would lengthen its traceback.
            raise failure.with_traceback(None)
        return flight.result()

    def turned_down(self, who: Principal, presented: str | None, target: Target, token: str) -> None:
        """The service says that this token is none. It is fetched anew, unless it is quite new itself."""
        key = _key(who, presented, target)
        kept = self._kept.get(key)
        if kept is not None and kept.token == token and self._clock.now() - kept.begun >= AGAIN_SECONDS:
            del self._kept[key]

    def forget(self, session: str | None) -> None:
        """A session has ended; or, with None, tokens of the provider were taken back. What rests on it is dropped."""
        for key in [key for key in self._kept if key.session == (session or "")]:
            del self._kept[key]

    def _failing(self, key: _Key, now: float) -> Refusal | None:
        failed = self._failed.get(key)
        if failed is None or not 0 <= now - failed.at < AGAIN_SECONDS:
            return None
        return failed.refusal

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
        service, now = key.target.service, self._clock.now()
        try:
            async with asyncio.timeout(self._settings.wait_seconds):
                found = await self._exchanged(key, presented)
        except Refusal as refusal:
            raise self._fails(key, refusal) from None
        except answer.NotGranted as trouble:
            logger.error("no token for the service %s on behalf of %r: the provider %s", service, who.subject, trouble)
            raise self._fails(key, refusals.refused(service, trouble.error)) from None
        except (ProviderTrouble, request.NoSecret) as trouble:
            whose = "the provider " if isinstance(trouble, ProviderTrouble) else ""
            logger.error("no token for the service %s on behalf of %r: %s%s", service, who.subject, whose, trouble)
            raise self._fails(key, refusals.unavailable(service)) from None
        except TimeoutError:
            logger.error("no token for the service %s on behalf of %r: no answer in time", service, who.subject)
            raise self._fails(key, refusals.unavailable(service)) from None
        except Exception as error:
            # Only its kind is told: what it says may quote what was sent.
            logger.error("no token for the service %s on behalf of %r: %s", service, who.subject, type(error).__name__)
            raise self._fails(key, refusals.unavailable(service)) from None
        if not await self._counts(who, presented):
            raise refusals.ended()
        self._keep(key, who, found, now)
        return found.token

    async def _exchanged(self, key: _Key, presented: str | None) -> answer.Granted:
        subject, kind = await self._subject(key, presented)
        asking = await asyncio.to_thread(request.made, self._settings, self._environ, key.target, subject, kind)
        sent = self._clock.now()
        status, body = await self._endpoint.ask(asking)
        granted = answer.read(status, body, key.target, sent, asking.secrets)
        if self._recognizer.claims_to_be_ours(granted.token):
            raise answer.NotGranted("", "gave a token for the gateway itself, with which the service could come here")
        return granted

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

    def _keep(self, key: _Key, who: Principal, found: answer.Granted, now: float) -> None:
        until = min(found.until, who.expires) if who.expires else found.until
        margin = min(MARGIN_SECONDS, 0.1 * (until - now))
        self._failed.pop(key, None)
        if len(self._kept) >= MOST_KEPT:
            self._kept = {one: kept for one, kept in self._kept.items() if now < kept.until}
        while len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = _Kept(found.token, now, until - margin)

    def _fails(self, key: _Key, refusal: Refusal) -> Refusal:
        now = self._clock.now()
        if len(self._failed) >= MOST_KEPT:
            self._failed = {one: failed for one, failed in self._failed.items() if now - failed.at < AGAIN_SECONDS}
        if len(self._failed) < MOST_KEPT:
            self._failed[key] = _Failed(now, refusal)
        return refusal


def _key(who: Principal, presented: str | None, target: Target) -> _Key:
    if presented is None or presented.startswith(PREFIX):
        return _Key(who.session, b"", target)
    return _Key("", tokens.digest(presented), target)
