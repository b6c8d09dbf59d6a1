"""From the provider's word to a handle, and from a handle to its end: what the console does for those who call it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal
from sluicegate.identity import handle, tokens
from sluicegate.identity.claims import MAX_LIFETIME
from sluicegate.identity.on_behalf.ahead import Ahead
from sluicegate.identity.provider import Provider, ProviderTrouble
from sluicegate.identity.recognise import Recognizer
from sluicegate.identity.refusals import rejected
from sluicegate.identity.sessions import addresses, store
from sluicegate.identity.sessions.session import Session
from sluicegate.identity.sign_in import id_token, logout_token
from sluicegate.identity.sign_in.exchangeable import Exchangeable
from sluicegate.identity.sign_in.grants import GrantRefused, Grants, Refreshed
from sluicegate.identity.sign_in.sealing import Sealing
from sluicegate.settings.model import Identity

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a workstation brings from the provider."""

    id_token: str
    access_token: str | None = None
    refresh_token: str | None = None
    nonce: str | None = None
    device: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """A session, and the only copy of its handle that there is outside the client."""

    session: Session
    handle: str


class SignIns:
    """Sessions begin, change hands, and end here. Lives on one event loop: `open` before, `close` after use."""

    def __init__(
        self,
        settings: Identity,
        recognizer: Recognizer,
        database: Database,
        sealing: Sealing,
        clock: Clock,
        *,
        ahead: Ahead | None = None,
    ) -> None:
        """`ahead`: who fetches tokens for services at sign-in; None where no service wants any. Not opened here."""
        self._ahead = ahead
        self._settings = settings
        self._recognizer = recognizer
        self._database = database
        self._sealing = sealing
        self._clock = clock
        self._provider = Provider(settings.issuer, trusted_ca=settings.trusted_ca)
        self.grants = Grants(settings, self._provider)
        self._exchangeable = Exchangeable(settings, recognizer.tokens, self._userinfo, sealing)

    async def open(self) -> None:
        """Raises ProviderTrouble for a file of authorities that cannot be used."""
        await self._provider.open()

    async def close(self) -> None:
        await self._provider.close()

    async def begin(self, proof: Proof, address: str) -> Begun:
        """A session for whom the ID token names. Raises Refusal; an ID token counts once."""
        claims = await self._recognizer.tokens.signed(proof.id_token, tokens.ID)
        now = self._clock.now()
        said = id_token.check(claims, self._settings, now, nonce=proof.nonce, access_token=proof.access_token)
        if self._recognizer.sessions.taken_back.has(said.subject, said.session or "", claims["iat"]):
            raise rejected("token-revoked", "The sign-in was taken back: its session at the provider has ended.")
        who = await self._who(said, proof.access_token)
        text, sealed = handle.make(), None
        if proof.refresh_token:
            sealed = self._sealing.seal(proof.refresh_token, who.subject)
        exchangeable = await self._exchangeable.sealed(who.subject, claims, proof.id_token, proof.access_token)
        due = now + self._exchangeable.next_refresh(proof.access_token, None)
        sign_in = store.SignIn(
            principal=who,
            provider_session=said.session,
            device=_label(proof.device),
            address=address[:64],
            expires=now + self._settings.session_seconds,
            refresh_token=sealed,
            refresh_at=due if sealed else None,
            subject_token=exchangeable,
        )

        def write(connection: Connection) -> Session:
            if not store.use_once(
                connection, tokens.digest(proof.id_token), said.expires + self._settings.leeway_seconds
            ):
                raise rejected("token-used", "Somebody has signed in with this ID token already.")
            return store.begin(connection, sign_in, handle.digest(text), now)

        session = await self._database.run(write, durable=True)
        if self._ahead is not None and exchangeable is not None:
            await self._ahead.begun(session, exchangeable)
        return Begun(session, text)

    async def renew(self, old: str) -> Begun:
        """A new handle in the place of one that counts. Raises Refusal."""
        await self._recognizer.sessions.verify(old, "")
        session_id, new, now = self._recognizer.sessions.session_of(old), handle.make(), self._clock.now()

        def write(connection: Connection) -> Session:
            session = store.one(connection, session_id or "")
            if session is None or session.ended is not None:
                raise rejected("session-ended", "This sign-in was ended.")
            if not store.supersede(connection, session, handle.digest(old), handle.digest(new), now):
                raise Refusal(
                    409, "handle-superseded", "Handle replaced already", "Another handle has taken its place before.",
                    next_step="Use that one.",
                )  # fmt: skip
            return session

        session = await self._database.run(write, durable=True)
        await self._recognizer.sessions.look()
        return Begun(session, new)

    async def here(self, person: Principal, address: str) -> float:
        """Sign a person in for an address, with the session that they have. Returns until when. Raises Refusal."""
        if not self._settings.address_sign_in:
            raise Refusal(
                404, "no-address-sign-in", "Not offered", "Nobody signs in for an address here.",
                next_step="Run `sluicegate login`.",
            )  # fmt: skip
        why = addresses.trouble(address, self._settings.same_place)
        if why is not None:
            raise Refusal(403, "address-not-usable", "Not for this address", why, next_step="Run `sluicegate login`.")
        now, digest = self._clock.now(), addresses.digest(address)

        def write(connection: Connection) -> Session:
            session = store.one(connection, person.session or "")
            if session is None or session.ended is not None:
                raise rejected("session-ended", "This sign-in was ended.")
            store.take_address(connection, session, digest, address, now)
            return session

        session = await self._database.run(write, durable=True)
        await self._recognizer.sessions.look()
        return min(session.expires, now + self._settings.address_seconds)

    async def listed(self, person: Principal, *, everybody: bool) -> list[Session]:
        """A person's sessions, or all; newest first."""
        if everybody:
            return await self._database.read(store.listed)
        return await self._database.read(
            lambda connection: store.listed(connection, issuer=person.issuer, subject=person.subject)
        )

    def state(self, session: Session) -> str:
        """What a session is worth now."""
        settings = self._settings
        return session.state(self._clock.now(), settings.idle_seconds, settings.unconfirmed_seconds)

    async def end(self, identity: str, person: Principal, *, operator: bool) -> Session:
        """End a session: one's own, or as an operator anybody's. Raises Refusal 404 for one that one may not see."""
        now, sealed = self._clock.now(), b""

        def write(connection: Connection) -> Session:
            nonlocal sealed
            session = store.one(connection, identity)
            own = session is not None and (session.subject, session.issuer) == (person.subject, person.issuer)
            if session is None or not (own or operator):
                raise Refusal(
                    404, "no-such-session", "No such session", "There is no session of this id that is yours."
                )
            sealed = store.sealed_token(connection, identity) or b""
            store.end(connection, [session], now, by=person.subject, why="logout" if own else "operator")
            found = store.one(connection, identity)
            assert found is not None
            return found

        session = await self._database.run(write, durable=True)
        await self._recognizer.sessions.look()
        if sealed:
            await self._revoke(sealed, session)
        return session

    async def end_of(self, subject: str, person: Principal) -> int:
        """As an operator: end all sessions of a subject, and take back every token that it was given. How many."""
        now, issuer = self._clock.now(), self._settings.issuer

        def write(connection: Connection) -> int:
            found = store.in_force_of(connection, issuer, subject)
            # The provider's clock, which dates its tokens, may be ahead of ours.
            until = now + self._settings.leeway_seconds
            store.revoke_tokens(connection, issuer, subject, None, until, now + MAX_LIFETIME)
            return store.end(connection, found, now, by=person.subject, why="operator")

        ended = await self._database.run(write, durable=True)
        await self._recognizer.sessions.look()
        return ended

    async def logged_out(self, text: str) -> int:
        """The provider says that somebody was logged out. Returns how many sessions that ended. Raises Refusal."""
        claims = await self._recognizer.tokens.signed(text, tokens.LOGOUT)
        now, issuer = self._clock.now(), self._settings.issuer
        logout = logout_token.check(claims, self._settings, now)
        once = tokens.digest(f"logout {logout.token}")

        def write(connection: Connection) -> int:
            if not store.use_once(connection, once, now + 2 * logout_token.FRESH_SECONDS + 120):
                raise rejected("logout-replayed", "This logout token has come before.")
            found = store.in_force_at_provider(connection, issuer, logout.subject, logout.session)
            subject = logout.subject if logout.session is None else None
            store.revoke_tokens(connection, issuer, subject, logout.session, logout.issued, now + MAX_LIFETIME)
            return store.end(connection, found, now, by="provider", why="provider")

        ended = await self._database.run(write, durable=True)
        await self._recognizer.sessions.look()
        return ended

    async def refresh(self, session: Session, sealed: bytes) -> None:
        """Ask the provider anew who the person is, and write down what it says. Raises ProviderTrouble.

        What it refuses ends the session. A session whose token cannot be opened is not confirmed any more.
        """
        found: Refreshed | None = None
        try:
            found = await self.grants.refresh(self._sealing.open(sealed, session.subject))
            claims = await self._claims(found.id_token)
            who = await self._confirmed(session, claims, found.access_token)
        except GrantRefused:
            now = self._clock.now()
            await self._database.run(
                lambda connection: store.end(connection, [session], now, by="provider", why="provider"), durable=True
            )
            return
        except (ProviderTrouble, ValueError, Refusal) as error:
            if found is not None:
                # The one before counts no more at a provider that hands out another each time.
                rotated = self._sealing.seal(found.refresh_token, session.subject)
                await self._database.run(lambda connection: store.rotated(connection, session, rotated), durable=True)
            if isinstance(error, ProviderTrouble):
                raise
            raise ProviderTrouble(f"gave an answer that cannot be used: {error}") from None
        now, fresh = self._clock.now(), self._sealing.seal(found.refresh_token, session.subject)
        due = now + self._exchangeable.next_refresh(found.access_token, found.lasts)
        kept = await self._exchangeable.sealed(session.subject, claims or {}, found.id_token, found.access_token)
        await self._database.run(
            lambda connection: store.confirm(connection, session, who, fresh, due, now, subject_token=kept),
            durable=True,
        )

    async def _claims(self, text: str | None) -> dict[str, Any] | None:
        return None if text is None else await self._recognizer.tokens.signed(text, tokens.ID)

    async def _confirmed(self, session: Session, claims: dict[str, Any] | None, access_token: str) -> Principal:
        if claims is not None:
            said = id_token.check_refreshed(claims, self._settings, self._clock.now(), subject=session.subject)
            return await self._who(said, access_token)
        return await self._who(id_token.Said(session.subject, session.name, None, None, 0), access_token)

    async def _who(self, said: id_token.Said, access_token: str | None) -> Principal:
        name, groups, relations = said.name, said.groups, said.relations
        if groups is None or not name:
            more = await self._userinfo(access_token, said.subject)
            if more is not None:
                groups = more.groups if groups is None else groups
                name, relations = name or more.name, relations | more.relations
        return Principal(
            said.subject,
            self._settings.issuer,
            groups or frozenset(),
            name=name,
            authenticated=said.authenticated,
            relations=relations,
        )

    async def _userinfo(self, access_token: str | None, subject: str) -> id_token.Said | None:
        """What userinfo says, where the provider has it; most say there what stands in no ID token."""
        try:
            address: Any = (await self.grants.metadata()).get("userinfo_endpoint")
            if access_token is None or not isinstance(address, str):
                return None
            found = id_token.said(await self._provider.userinfo(address, access_token), self._settings)
        except ProviderTrouble as trouble:
            raise Refusal(
                503,
                "identity-unavailable",
                "Identity provider not reachable",
                f"The identity provider {trouble}, so it is not known in which groups you are.",
                next_step="Try again in half a minute; if it stays, tell the gateway's operator.",
                headers={"retry-after": "30"},
            ) from None
        if found.subject != subject:
            raise rejected("token-subject", "The provider's userinfo is about somebody else.")
        return found

    async def _revoke(self, sealed: bytes, session: Session) -> None:
        try:
            await self.grants.revoke(self._sealing.open(sealed, session.subject))
        except (ProviderTrouble, ValueError) as trouble:
            # It was forgotten here, so nobody can use it; the provider keeps it until it runs out.
            logger.warning("the refresh token of session %s was not revoked: %s", session.id, trouble)


def _label(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:255]
