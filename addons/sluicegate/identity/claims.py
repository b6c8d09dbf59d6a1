"""What a token's claims must say before they are believed, and the Principal that they make (RFC 7519 section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeGuard

from sluicegate.exchange import Principal
from sluicegate.identity.refusals import rejected
from sluicegate.settings.model import Identity

MAX_LIFETIME = 86_400
"""Longest time from `iat` to `exp`, seconds. A token that lives longer cannot be taken back in useful time."""
MAX_TEXT = 255
"""Longest subject (OpenID Connect Core section 2), session id and name of a group, in characters."""
MAX_GROUPS = 1000


def principal(
    claims: Mapping[str, Any], *, access_token: bool, settings: Identity, now: float, digest: str
) -> Principal:
    """The Principal of verified claims.

    `access_token`: the header said `at+jwt`. `now` is event time; `digest` is the token's SHA-256 in hex, which names
    the session where the claims do not. Raises Refusal when anything is not as it must be.
    """
    if claims.get("iss") != settings.issuer:
        raise rejected("token-issuer", "The token was not issued by the identity provider of this gateway.")
    _audience(claims, settings.audience)
    expires = _times(claims, now, settings.leeway_seconds)
    subject, name = claims.get("sub"), claims.get("name")
    if not _word(subject):
        raise rejected("token-subject", "The token does not name its subject in a form that can be used.")
    return Principal(
        subject=subject,
        issuer=settings.issuer,
        groups=_groups(claims.get(settings.groups_claim, [])),
        kind="machine" if access_token and claims.get("client_id") == subject else "person",
        session=_session(claims, digest),
        name=name if _word(name) else "",
        expires=float(expires),
        authenticated=_authenticated(claims.get("auth_time"), now + settings.leeway_seconds),
        relations=_relations(claims, settings.relation_claims),
    )


def claims_to_be_ours(claims: Mapping[str, Any], settings: Identity) -> bool:
    """Whether unproved claims name our issuer and our audience. Good for hiding a token, never for believing it."""
    audience = claims.get("aud")
    named = audience == settings.audience or (isinstance(audience, list) and settings.audience in audience)
    return named and claims.get("iss") == settings.issuer


def _audience(claims: Mapping[str, Any], ours: str) -> None:
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(one, str) for one in listed) or ours not in listed:
        raise rejected("token-audience", "The token was not issued for this gateway.")
    # OpenID Connect Core section 3.1.3.7: with several audiences, the authorized party must be named and be us.
    if "azp" in claims and claims["azp"] != ours:
        raise rejected("token-party", "The token was issued to another party.")
    if len(listed) > 1 and "azp" not in claims:
        raise rejected("token-party", "The token is for several audiences and does not say who may use it.")


def _times(claims: Mapping[str, Any], now: float, leeway: float) -> int:
    times: dict[str, int] = {}
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name)
        if value is None and name == "nbf" and name not in claims:
            continue
        # Exactly int: True is an int to isinstance, and floats round.
        if type(value) is not int or not 0 <= value < 1 << 53:
            raise rejected("token-time", f"The token's `{name}` is missing or not a whole number of seconds.")
        times[name] = value
    expires = times["exp"]
    if now >= expires + leeway:
        when = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        raise rejected("token-expired", f"The token expired at {when}.")
    if times["iat"] > now + leeway or times.get("nbf", 0) > now + leeway:
        raise rejected("token-not-yet-valid", "The token is dated in the future.")
    if expires - times["iat"] > MAX_LIFETIME:
        raise rejected("token-lifetime", f"The token is good for longer than {MAX_LIFETIME // 3600} hours.")
    return expires


def _groups(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > MAX_GROUPS or not all(_word(group) for group in value):
        raise rejected("token-groups", "The token's groups are not a list of names.")
    return frozenset(value)


def _authenticated(value: Any, latest: float) -> float | None:
    # Optional (OpenID Connect Core section 2). What is no good counts as not said: nobody is fresh by it.
    return float(value) if type(value) is int and 0 < value <= latest else None


def _relations(claims: Mapping[str, Any], names: Sequence[str]) -> frozenset[tuple[str, str]]:
    found = set()
    for name in names:
        value = claims.get(name)
        found |= {(name, one) for one in (value if isinstance(value, list) else [value])[:MAX_GROUPS] if _word(one)}
    return frozenset(found)


def _session(claims: Mapping[str, Any], digest: str) -> str:
    for name in ("sid", "jti"):
        if name in claims:
            value = claims[name]
            if not _word(value):
                raise rejected("token-session", f"The token's `{name}` is not a name that can be used.")
            return value
    return digest[:16]


def _word(value: object) -> TypeGuard[str]:
    # Printable keeps line ends, control characters and lone surrogates out of logs, terminals and the record.
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()
