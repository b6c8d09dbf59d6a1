"""What an ID token must say before a session is made of it (OpenID Connect Core 1.0 section 3.1.3.7)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sluicegate.errors import Refusal
from sluicegate.identity import claims as claim
from sluicegate.identity.refusals import rejected
from sluicegate.settings.model import Identity

FRESH_SECONDS = 600
"""How old an ID token may be that somebody signs in with. One that was found somewhere is older."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the provider says of a person."""

    subject: str
    name: str
    groups: frozenset[str] | None
    """None where it says nothing of groups here; then userinfo does."""
    session: str | None
    """The provider's own session, `sid`."""
    expires: int
    authenticated: float | None = None
    """When the person proved who they are, where the provider says that (`auth_time`)."""
    relations: frozenset[tuple[str, str]] = frozenset()


def check(
    claims: Mapping[str, Any], settings: Identity, now: float, *, nonce: str | None, access_token: str | None
) -> Said:
    """What verified claims say, at event time `now`. Raises Refusal.

    `nonce` is what the sign-in was begun with; None where the flow has none (device authorization). `access_token` is
    the one that came with it; it must be the one that `at_hash` means.
    """
    claim.issuer(claims, settings)
    if "events" in claims:
        raise rejected("token-type", "This is a logout token, and no ID token.")
    claim.audience(claims, settings.client_id)
    expires = claim.times(claims, now, settings.leeway_seconds)
    if now - claims["iat"] > FRESH_SECONDS:
        raise rejected("token-stale", f"The ID token is older than {FRESH_SECONDS // 60} minutes.")
    _nonce(claims.get("nonce"), nonce)
    if access_token is not None:
        _at_hash(claims.get("at_hash"), access_token)
    return replace(said(claims, settings, expires), authenticated=claim.authenticated(claims, settings, now))


def check_refreshed(claims: Mapping[str, Any], settings: Identity, now: float, *, subject: str) -> Said:
    """What an ID token says that came with a refresh (section 12.2): of the same person. Raises Refusal."""
    claim.issuer(claims, settings)
    claim.audience(claims, settings.client_id)
    expires = claim.times(claims, now, settings.leeway_seconds)
    found = said(claims, settings, expires)
    if found.subject != subject:
        raise rejected("token-subject", "The provider's answer is about somebody else.")
    return found


def said(claims: Mapping[str, Any], settings: Identity, expires: int = 0) -> Said:
    """What claims (of an ID token, or of userinfo) say of a person. Raises Refusal."""
    sid, name = claims.get("sid"), claims.get("name")
    if sid is not None and not claim.word(sid):
        raise rejected("token-session", "The token's `sid` is not a name that can be used.")
    listed = claims.get(settings.groups_claim)
    return Said(
        claim.subject(claims),
        name if claim.word(name) else "",
        None if listed is None else claim.groups(listed),
        sid,
        expires,
        relations=claim.relations(claims, settings.relation_claims),
    )


def vouches(claims: Mapping[str, Any], access_token: str) -> bool:
    """Whether verified claims are of an ID token that came with this access token, and say so (`at_hash`)."""
    if claims.get("at_hash") is None:
        return False
    try:
        _at_hash(claims["at_hash"], access_token)
    except Refusal:
        return False
    return True


def _nonce(said: object, wanted: str | None) -> None:
    if said is None and wanted is None:
        return
    if not isinstance(said, str) or wanted is None or not hmac.compare_digest(said.encode(), wanted.encode()):
        raise rejected("token-nonce", "The ID token was not made for this sign-in: its nonce is another, or missing.")


def _at_hash(said: object, access_token: str) -> None:
    # Section 3.1.3.6. Every algorithm that is accepted here hashes with SHA-256, but for EdDSA: Ed25519 has SHA-512.
    if said is None:
        return
    wanted = {
        base64.urlsafe_b64encode(hashed[: len(hashed) // 2]).rstrip(b"=").decode()
        for hashed in (hashlib.sha256(access_token.encode()).digest(), hashlib.sha512(access_token.encode()).digest())
    }
    if said not in wanted:
        raise rejected("token-at-hash", "The ID token came with another access token than this one.")
