"""Turns a token into a Principal: the one place that the gateway and the console ask.

What was verified is remembered under the token's SHA-256, so that a request costs a hash and not a signature. It is
forgotten when the token expires, when the provider's keys change, and when they grow too old. What was refused is
not remembered.
"""

from __future__ import annotations

from typing import Any

from sluicegate.clock import Clock
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Principal
from sluicegate.identity import tokens
from sluicegate.identity.claims import claims_to_be_ours
from sluicegate.identity.compact import split
from sluicegate.identity.keys import Keys
from sluicegate.identity.provider import PATIENCE, Provider, ProviderTrouble
from sluicegate.identity.refusals import rejected, unreachable
from sluicegate.identity.screening import SigningKey
from sluicegate.identity.sessions.taken_back import TakenBack
from sluicegate.settings.model import Identity

MAX_REMEMBERED = 4096
"""Tokens whose verification is remembered; beyond it the one that was verified first is forgotten."""


class Verifier:
    """Verifies tokens of one issuer at event time. Lives on one event loop: `open` before, `close` after use."""

    def __init__(
        self,
        settings: Identity,
        clock: Clock,
        *,
        patience: float = PATIENCE,
        taken_back: TakenBack | None = None,
    ) -> None:
        """`taken_back`: tokens that count no more although they are sound; None where there are no such."""
        self.settings = settings
        self._taken_back = taken_back or TakenBack(settings.issuer)
        self._clock = clock
        self._keys = Keys(Provider(settings.issuer, trusted_ca=settings.trusted_ca, patience=patience), clock)
        self._known: dict[bytes, Principal] = {}
        self._ours: dict[bytes, bool] = {}
        """By digest, whether a token claims to be ours: so that a service's own tokens are read once each."""
        self._version = (-1, -1)
        """Of the keys and of what was taken back, when what is known was verified."""

    async def open(self) -> None:
        """Fetch the provider's keys. Raises Fault, with one line, when that cannot be done."""
        try:
            await self._keys.open()
        except ProviderTrouble as trouble:
            await self.close()
            raise Fault(
                f"The identity provider {self.settings.issuer} {trouble}.",
                hint="Check [identity] in the policy, and that the provider answers from this machine.",
            ) from None
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Forget everything and let go of the network. Closing twice is harmless."""
        self._known.clear()
        self._ours.clear()
        await self._keys.close()

    def cached(self, token: str) -> Principal | None:
        """The Principal of a token that was verified before and is still good; else None. Never waits, never raises."""
        keys, now = self._keys, self._clock.now()
        if not keys.ready(now) or self._version != (keys.version, self._taken_back.version):
            self._forget()
            return None
        digest = tokens.digest(token)
        found = self._known.get(digest)
        if found is not None and now >= found.expires + self.settings.leeway_seconds:
            del self._known[digest]
            return None
        return found

    async def verify(self, token: str) -> Principal:
        """The Principal of a token. Waits for the provider only when the token names an unknown key. Raises Refusal."""
        found = self.cached(token)
        if found is not None:
            return found
        unproved = tokens.read(token, self.settings)
        principal = tokens.prove(unproved, await self._key(unproved), self.settings, self._clock.now())
        if self._taken_back.has(principal.subject, principal.session, unproved.claims["iat"]):
            raise rejected("token-revoked", "The token was taken back: its session ended, or its subject's tokens did.")
        self._remember(token, principal)
        return principal

    async def signed(self, token: str, types: tuple[str, ...]) -> dict[str, Any]:
        """The claims of a token of another kind, whose form and signature are good. What they say is not checked."""
        unproved = tokens.read(token, self.settings, types)
        tokens.check_signature(unproved, await self._key(unproved))
        return unproved.claims

    async def _key(self, unproved: tokens.Unproved) -> SigningKey:
        key = await self._keys.find(unproved.kid)
        if key is None:
            if self._keys.trouble is not None:
                raise unreachable()
            raise rejected("token-key-unknown", "The token is signed with a key that its issuer does not publish.")
        return key

    def claims_to_be_ours(self, token: str) -> bool:
        """Whether a token says that it is from our issuer and for us, proved or not: such a token stays inside."""
        digest = tokens.digest(token)
        ours = self._ours.get(digest)
        if ours is None:
            try:
                ours = claims_to_be_ours(split(token).claims, self.settings)
            except Refusal:
                ours = False
            _make_room(self._ours)
            self._ours[digest] = ours
        return ours

    def _remember(self, token: str, principal: Principal) -> None:
        if self._version != (self._keys.version, self._taken_back.version):
            self._forget()
        _make_room(self._known)
        self._known[tokens.digest(token)] = principal

    def _forget(self) -> None:
        self._known.clear()
        self._version = (self._keys.version, self._taken_back.version)


def _make_room(memory: dict[bytes, Any]) -> None:
    while len(memory) >= MAX_REMEMBERED:
        del memory[next(iter(memory))]
