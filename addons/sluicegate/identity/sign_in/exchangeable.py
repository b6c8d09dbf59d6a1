"""The token of a sign-in that gateways exchange for others (RFC 8693): kept sealed, where the policy wants it at all.

An access token comes from the workstation, and with somebody else's the gateway would get tokens on their behalf. So
only one is kept that the provider itself says to be of the person who signs in.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sluicegate.errors import Refusal
from sluicegate.identity import tokens
from sluicegate.identity.compact import split
from sluicegate.identity.sign_in import id_token
from sluicegate.identity.sign_in.sealing import SUBJECT_TOKEN, Sealing
from sluicegate.identity.verifier import Verifier
from sluicegate.settings.model import Identity

logger = logging.getLogger(__name__)

SOONEST_SECONDS = 10.0


class Exchangeable:
    """What a console keeps for the gateways. `userinfo` gives what the provider says of an access token's owner, None
    where it has no such endpoint; it raises Refusal, also when that is not the subject that it is given."""

    def __init__(
        self,
        settings: Identity,
        verifier: Verifier,
        userinfo: Callable[[str | None, str], Awaitable[id_token.Said | None]],
        sealing: Sealing,
    ) -> None:
        self._settings = settings
        self._verifier = verifier
        self._userinfo = userinfo
        self._sealing = sealing

    async def sealed(
        self, subject: str, claims: Mapping[str, Any], identity: str | None, access_token: str | None
    ) -> bytes | None:
        """The token, sealed; None where none is wanted or none can be kept. Raises nothing.

        `claims`: the verified ones of the ID token `identity`, whose subject has been checked; empty without one.
        """
        wanted = self._settings.token_exchange
        if wanted is None:
            return None
        token = identity if wanted.subject_token == "id_token" else access_token
        if token is None:
            return None
        if token is access_token and not await self._of(subject, claims, token):
            logger.warning("no access token is kept to exchange for %r: nobody says that it is theirs", subject)
            return None
        return self._sealing.seal(token, subject, SUBJECT_TOKEN)

    def next_refresh(self, access_token: str | None, lasts: float | None) -> float:
        """In how many seconds the provider is to be asked again: before the token is over that gateways exchange."""
        usual = self._settings.refresh_seconds
        if self._settings.token_exchange is None:
            return usual
        lasts = lasts if lasts is not None else _life(access_token)
        return usual if lasts is None else min(usual, max(SOONEST_SECONDS, 0.75 * lasts))

    async def _of(self, subject: str, claims: Mapping[str, Any], token: str) -> bool:
        if id_token.vouches(claims, token):
            return True
        try:
            said = await self._verifier.signed(token, tokens.ACCESS)
        except Refusal:
            said = {}  # opaque, or of a form that others read
        if (said.get("iss"), said.get("sub")) == (self._settings.issuer, subject):
            return True
        try:
            return await self._userinfo(token, subject) is not None
        except Refusal:
            return False


def _life(token: str | None) -> float | None:
    """How long a JWT says that it is good for, from its making; nothing in it is believed beyond that."""
    try:
        claims = split(token or "").claims
    except Refusal:
        return None
    begins, ends = claims.get("iat"), claims.get("exp")
    return float(ends - begins) if type(begins) is int and type(ends) is int else None
