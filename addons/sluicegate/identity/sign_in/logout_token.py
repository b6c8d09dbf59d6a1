"""What a logout token must say before it ends sessions (OpenID Connect Back-Channel Logout 1.0 section 2.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluicegate.identity import claims as claim
from sluicegate.identity.refusals import rejected
from sluicegate.settings.model import Identity

EVENT = "http://schemas.openid.net/event/backchannel-logout"
FRESH_SECONDS = 600
"""How old a logout token may be. So long is remembered which came, beyond their own expiry."""


@dataclass(frozen=True, slots=True)
class Logout:
    """Whose sessions end: those of a subject, of a session at the provider, or of both at once."""

    subject: str | None
    session: str | None
    token: str
    """`jti`: it counts once."""
    issued: int
    """When the provider says that it happened, by the clock that dates its tokens too."""


def check(claims: Mapping[str, Any], settings: Identity, now: float) -> Logout:
    """What verified claims say, at event time `now`. Raises Refusal."""
    claim.issuer(claims, settings)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise rejected("logout-event", "The token is not about a logout: `events` does not say so.")
    if "nonce" in claims:
        raise rejected("logout-nonce", "The token has a nonce, so it is an ID token in disguise.")
    claim.audience(claims, settings.client_id)
    # The final specification wants `exp`; drafts, which providers have gone by for years, did not know it.
    dated = claims if "exp" in claims else {**claims, "exp": _issued(claims) + FRESH_SECONDS}
    claim.times(dated, now, settings.leeway_seconds)
    if now - claims["iat"] > FRESH_SECONDS:
        raise rejected("token-stale", f"The logout token is older than {FRESH_SECONDS // 60} minutes.")
    subject, session, jti = claims.get("sub"), claims.get("sid"), claims.get("jti")
    for name, value in (("sub", subject), ("sid", session)):
        if value is not None and not claim.word(value):
            raise rejected("logout-whose", f"The token's `{name}` is not a name that can be used.")
    if subject is None and session is None:
        raise rejected("logout-whose", "The token names neither a subject nor a session.")
    if not claim.word(jti):
        raise rejected("logout-id", "The token has no `jti`, so it could come again.")
    return Logout(subject, session, jti, claims["iat"])


def _issued(claims: Mapping[str, Any]) -> int:
    issued = claims.get("iat")
    return issued if type(issued) is int else 0
