"""The sessions as a gateway knows them: by heart, so that no request waits for the database.

A task looks for changes a few times a second and reads only what changed. Whatever cannot be answered from memory (a
handle that is new, one that is over) waits for a look that began after it was asked for; everybody who waits shares it.
While the database cannot be read, what is known goes on for a bounded time and is refused after that.

What ends a session here ends it in memory first, so that this gateway takes its handle no more whatever the database
does, and then there, where every other gateway sees it with its next look.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from sqlalchemy import Connection

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.errors import Refusal
from sluicegate.exchange import Finding, Principal
from sluicegate.identity import handle
from sluicegate.identity.sessions import addresses, said, service_tokens, store
from sluicegate.identity.sessions.live import Held, Live
from sluicegate.identity.sessions.places import PlaceNames
from sluicegate.identity.sessions.session import Session
from sluicegate.identity.sessions.taken_back import TakenBack
from sluicegate.settings.model import Identity

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""How often changes are looked for: what ended elsewhere is refused here within this and the time of one look."""
WRITE_LOOKS = 40
"""After so many looks it is written down when sessions were used."""
PATIENCE = 2.0
"""Seconds that a request waits for a look."""
GRACE_SECONDS = 60.0
"""How long a handle goes on that another has taken the place of: requests with it may be on their way."""


class SessionsInForce:
    """What a handle is worth. Lives on one event loop: `open` before, `close` after use. Times are event time."""

    def __init__(self, settings: Identity, database: Database, clock: Clock, *, looks_by_itself: bool = True) -> None:
        self.taken_back = TakenBack(settings.issuer)
        """The provider's tokens that count no more."""
        self._settings = settings
        self._database = database
        self._clock = clock
        self._by_itself = looks_by_itself
        self._idle, self._unread = settings.idle_seconds, settings.unread_seconds
        self._places = PlaceNames(settings.same_place)
        self._handles: dict[bytes, Held] = {}
        self._live: dict[str, Live] = {}
        self._ending: dict[str, tuple[Live, Finding]] = {}
        """Ended here, and not yet written down."""
        self.forget: Callable[[str | None], None] = lambda session: None
        """Told of each session that ends, and, with None, that tokens of the provider were taken back."""
        self.granted: Callable[[list[service_tokens.ServiceToken]], None] | None = None
        """Told what consoles have fetched for services; None where nobody asks for that."""
        self._revision = -1
        self._read = float("-inf")
        """When the last look that succeeded began."""
        self._trouble = False
        self._flight: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read everything, and begin to look for changes. Raises what the database raises."""
        await self._take_changes()
        if self._by_itself:
            self._task = asyncio.create_task(self._run(), context=contextvars.Context(), name="sessions")

    async def close(self) -> None:
        """Stop looking, and write down what is not yet. Closing twice is harmless."""
        for task in (self._task, self._flight):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        if self._task is not None:
            self._task = None
            await self._write_down()
        self._handles.clear()
        self._live.clear()

    def fresh(self, now: float) -> bool:
        """Whether what is known may still be believed."""
        return 0 <= now - self._read < self._unread

    def cached(self, text: str, peer: str) -> Principal | None:
        """Whose handle this is, when that is plain; None when it has to be looked into. Never waits, never raises."""
        held = self._handles.get(sha256(text.encode("utf-8", "surrogatepass")).digest())  # handle.digest, written out
        if held is None or held.superseded is not None:
            return None
        live, now = held.live, self._clock.now()
        if (
            live.ended is not None
            or now >= live.until
            or not 0 <= now - self._read < self._unread
            or now - live.used >= self._idle
            or (live.peer != peer and not self._same_place(live, peer))
        ):
            return None
        live.used = now
        return live.principal

    async def verify(
        self, text: str, peer: str, *, presented: float | None = None, findings: list[Finding] | None = None
    ) -> Principal:
        """Whose handle this is. Raises Refusal. What looks like theft is appended to `findings`.

        `presented`: when the handle came. In a tunnel that is when it opened: what is asked in it later says nothing
        about who holds the handle now.
        """
        if not handle.well_formed(text):
            raise said.malformed()
        digest = handle.digest(text)
        if digest not in self._handles or not self.fresh(self._clock.now()):
            await self.look()
        now = self._clock.now()
        if not self.fresh(now):
            raise said.unreadable()
        held = self._handles.get(digest)
        if held is None:
            raise said.unknown()
        live = held.live
        if live.ended is not None:
            raise said.ended(live.ended)
        if now >= live.until:
            raise said.expired() if now >= live.session.expires else said.unconfirmed()
        if now - live.used >= self._idle and not await self._used_elsewhere(live, now):
            raise said.idle(self._idle)
        came = now if presented is None else presented
        if held.superseded is not None and came - held.superseded >= GRACE_SECONDS:
            await self._stolen(live, _superseded(live, peer), findings)
            raise said.ended("stolen")
        if peer and live.peer != peer:
            await self._moved(live, peer, now, findings)
        if live.ended is not None:
            raise said.ended(live.ended)
        live.used = max(live.used, now)
        return live.principal

    def cached_at(self, address: str) -> Principal | None:
        """Who has signed in for an address, when that is plain; else None. Never waits, never raises."""
        held, now = self._handles.get(addresses.digest(address)), self._clock.now()
        if held is None or not self.fresh(now) or now - held.created >= self._settings.address_seconds:
            return None
        live = held.live
        if live.ended is not None or now >= live.until or now - live.used >= self._idle:
            return None
        live.used = now
        return replace(live.principal, assurance="network", device=f"address {address}")

    async def at(self, address: str) -> Principal | None:
        """Who has signed in for an address, or None. Raises Refusal when that cannot be known now."""
        digest = addresses.digest(address)
        if digest not in self._handles or not self.fresh(self._clock.now()):
            await self.look()
        now = self._clock.now()
        if not self.fresh(now):
            raise said.unreadable()
        held = self._handles.get(digest)
        if held is not None and now - held.live.used >= self._idle:
            await self._used_elsewhere(held.live, now)
        return self.cached_at(address)

    async def look(self) -> None:
        """A look that begins now or later; returns when it has ended, or after two seconds. Raises nothing."""
        if self._flight is not None:
            await asyncio.wait([self._flight], timeout=PATIENCE)
        await asyncio.wait([self._start()], timeout=PATIENCE)

    def known(self, identity: str) -> Session | None:
        """A session that has not ended, as far as is known here. It may be idle, or over by the clock."""
        live = self._live.get(identity)
        return live.session if live is not None and live.ended is None else None

    def knows(self, identity: str) -> bool:
        """Whether this is one of the sessions here, ended or not."""
        return identity in self._live

    def over(self, identity: str) -> Refusal | None:
        """Why a session has ended, as far as is known here; None for one that has not, and for what is none."""
        live = self._live.get(identity)
        return None if live is None or live.ended is None else said.ended(live.ended)

    def session_of(self, text: str) -> str | None:
        """The id of the session that a known handle stands for."""
        held = self._handles.get(handle.digest(text))
        return held.live.session.id if held is not None else None

    def _same_place(self, live: Live, peer: str) -> bool:
        # Without a place (the console is asked, and may stand behind a proxy of its own) nothing can be said.
        if not peer:
            return True
        before = live.whereabouts.now
        place = self._places.of(peer)
        if before.get(place.version) != place.network:
            return False
        live.peer = peer
        return True

    async def _moved(self, live: Live, peer: str, now: float, findings: list[Finding] | None) -> None:
        place = self._places.of(peer)
        other = live.whereabouts.seen(place, now, self._settings.sharing_seconds)
        live.peer = peer
        if other is not None:
            finding = Finding(
                "session-shared",
                "One sign-in was used from two places at once.",
                {"session": live.session.id, "subject": live.session.subject, "places": f"{other} {place.network}"},
            )
            await self._stolen(live, finding, findings, report=self._settings.sharing == "report")

    async def _stolen(
        self, live: Live, finding: Finding, findings: list[Finding] | None, *, report: bool = False
    ) -> None:
        if findings is not None:
            findings.append(finding)
        logger.warning("session %s of %r: %s", live.session.id, live.session.subject, finding.detail)
        if not report:
            live.ended = "stolen"
            self.forget(live.session.id)
            self._ending[live.session.id] = (live, finding)
            await self._write_endings()

    async def _used_elsewhere(self, live: Live, now: float) -> bool:
        """Whether another gateway has seen the session lately: each writes that down every few seconds."""
        try:
            async with asyncio.timeout(PATIENCE):
                used = await self._database.read(lambda connection: store.last_used(connection, live.session.id))
        except Exception:
            return False
        if used is not None:
            live.used = max(live.used, used)
        return now - live.used < self._idle

    def _start(self) -> asyncio.Task[None]:
        if self._flight is None:
            # In a context of its own: it must not inherit the address check of the request that set it off.
            self._flight = asyncio.create_task(self._one_look(), context=contextvars.Context())
        return self._flight

    async def _one_look(self) -> None:
        try:
            await self._take_changes()
        except Exception as error:
            if not self._trouble:
                logger.error("the sessions cannot be read: %s", error)
            self._trouble = True
        finally:
            self._flight = None

    async def _take_changes(self) -> None:
        began, after = self._clock.now(), self._revision
        granted = self.granted

        def read(connection: Connection) -> tuple[store.Changes, list[service_tokens.ServiceToken]]:
            found = store.changes(connection, after, began)
            # In the same transaction, and nothing to read where no revision is newer.
            fetched = granted is not None and found.revision != after
            return found, service_tokens.changed(connection, after) if fetched else []

        found, fetched = await self._database.read(read)
        self._take(found)
        if granted is not None and fetched:
            granted(fetched)
        self._read = began
        if self._trouble:
            logger.warning("the sessions can be read again")
            self._trouble = False

    def _take(self, found: store.Changes) -> None:
        unconfirmed = self._settings.unconfirmed_seconds
        for session in found.sessions:
            live = self._live.get(session.id)
            if live is None:
                self._live[session.id] = Live.of(session, unconfirmed)
            else:
                live.take(session, unconfirmed)
            if session.ended is not None:
                self.forget(session.id)
        for one in found.handles:
            owner = self._live.get(one.session)
            if owner is not None:
                self._handles[one.digest] = Held(owner, one.superseded, one.created)
        self.taken_back.take(found.revocations)
        if found.revocations:
            self.forget(None)
        self._revision = found.revision

    async def _run(self) -> None:
        looks = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()
            looks += 1
            if self._ending:
                await self._write_endings()
            if looks % WRITE_LOOKS == 0:
                self._forget_old()
                await self._write_down()

    async def _write_down(self) -> None:
        """When sessions were used, so that other gateways do not take them for idle."""
        used = {live.session.id: live.used for live in self._live.values() if live.used > live.written}
        if not used:
            return
        try:
            await self._database.run(lambda connection: store.touch(connection, used))
        except Exception as error:
            logger.error("when sessions were used cannot be written: %s", error)
            return
        for identity, at in used.items():
            if identity in self._live:
                self._live[identity].written = at

    async def _write_endings(self) -> None:
        ending = list(self._ending.values())
        now = self._clock.now()

        def write(connection: Connection) -> None:
            for live, finding in ending:
                more = {"detail": finding.detail, "evidence": dict(finding.evidence)}
                store.end(connection, [live.session], now, by="gateway", why="stolen", **more)

        try:
            async with asyncio.timeout(PATIENCE):
                await self._database.run(write, durable=True)
        except Exception as error:
            logger.error("a session that ended here cannot be written down yet: %s", error)
            return
        for live, _ in ending:
            self._ending.pop(live.session.id, None)

    def _forget_old(self) -> None:
        limit = self._clock.now() - store.KEPT_SECONDS
        old = {identity for identity, live in self._live.items() if live.session.expires < limit}
        if old:
            self._live = {identity: live for identity, live in self._live.items() if identity not in old}
            self._handles = {key: held for key, held in self._handles.items() if held.live.session.id not in old}


def _superseded(live: Live, peer: str) -> Finding:
    return Finding(
        "session-handle-reused",
        "A handle was used after another had taken its place: two programs hold copies of one sign-in.",
        {"session": live.session.id, "subject": live.session.subject, "address": peer},
    )
