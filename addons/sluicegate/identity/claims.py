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
_OF_OTHER_KINDS = ("nonce", "at_hash", "c_hash", "events")
"""Claims of ID tokens and logout tokens, which are not credentials for requests (RFC 9068 section 6, RFC 8725 3.12)."""


def principal(
    claims: Mapping[str, Any], *, access_token: bool, settings: Identity, now: float, digest: str
) -> Principal:
    """The Principal of verified claims.

    `access_token`: the header said `at+jwt`. `now` is event time; `digest` is the token's SHA-256 in hex, which names
    the session where the claims do not. Raises Refusal when anything is not as it must be.
    """
    issuer(claims, settings)
    audience(claims, settings.audience)
    for member in _OF_OTHER_KINDS:
        if member in claims:
            raise rejected("token-type", f"This kind of token is not for signing in (it has the claim `{member}`).")
    expires = times(claims, now, settings.leeway_seconds)
    name = claims.get("name")
    return Principal(
        subject=subject(claims),
        issuer=settings.issuer,
        groups=groups(claims.get(settings.groups_claim, [])),
        kind="machine" if access_token and claims.get("client_id") == claims["sub"] else "person",
        session=_session(claims, digest),
        name=name if word(name) else "",
        expires=float(expires),
        authenticated=authenticated(claims, settings, now),
        relations=relations(claims, settings.relation_claims),
    )


def claims_to_be_ours(claims: Mapping[str, Any], settings: Identity) -> bool:
    """Whether unproved claims name our issuer and our audience. Good for hiding a token, never for believing it."""
    audience = claims.get("aud")
    named = audience == settings.audience or (isinstance(audience, list) and settings.audience in audience)
    return named and claims.get("iss") == settings.issuer


def issuer(claims: Mapping[str, Any], settings: Identity) -> None:
    """Raises Refusal unless `iss` is exactly ours."""
    if claims.get("iss") != settings.issuer:
        raise rejected("token-issuer", "The token was not issued by the identity provider of this gateway.")


def subject(claims: Mapping[str, Any]) -> str:
    """`sub`. Raises Refusal."""
    found = claims.get("sub")
    if not word(found):
        raise rejected("token-subject", "The token does not name its subject in a form that can be used.")
    return found


def audience(claims: Mapping[str, Any], ours: str) -> None:
    """Raises Refusal unless the token is for us, and we are the authorized party where one is named."""
    named = claims.get("aud")
    listed = named if isinstance(named, list) else [named]
    if not all(isinstance(one, str) for one in listed) or ours not in listed:
        raise rejected("token-audience", "The token was not issued for this gateway.")
    # OpenID Connect Core section 3.1.3.7: with several audiences, the authorized party must be named and be us.
    if "azp" in claims and claims["azp"] != ours:
        raise rejected("token-party", "The token was issued to another party.")
    if len(listed) > 1 and "azp" not in claims:
        raise rejected("token-party", "The token is for several audiences and does not say who may use it.")


def times(claims: Mapping[str, Any], now: float, leeway: float) -> int:
    """`exp`, after `exp`, `iat` and `nbf` were found to be as they must. Raises Refusal."""
    found: dict[str, int] = {}
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name)
        if value is None and name == "nbf" and name not in claims:
            continue
        # Exactly int: True is an int to isinstance, and floats round.
        if type(value) is not int or not 0 <= value < 1 << 53:
            raise rejected("token-time", f"The token's `{name}` is missing or not a whole number of seconds.")
        found[name] = value
    expires = found["exp"]
    if now >= expires + leeway:
        when = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        raise rejected("token-expired", f"The token expired at {when}.")
    ahead = max(found["iat"], found.get("nbf", 0)) - now
    if ahead > leeway:
        raise rejected(
            "token-not-yet-valid",
            f"The token is dated {ahead:.0f} seconds in the future: the gateway's clock or the provider's is wrong.",
        )
    if expires - found["iat"] > MAX_LIFETIME:
        raise rejected("token-lifetime", f"The token is good for longer than {MAX_LIFETIME // 3600} hours.")
    return expires


def groups(value: Any) -> frozenset[str]:
    """A list of names. Raises Refusal."""
    if not isinstance(value, list) or len(value) > MAX_GROUPS or not all(word(group) for group in value):
        raise rejected("token-groups", "The token's groups are not a list of names.")
    return frozenset(value)


def authenticated(claims: Mapping[str, Any], settings: Identity, now: float) -> float | None:
    """`auth_time`, which is optional (OpenID Connect Core section 2). What is no good counts as not said."""
    value = claims.get("auth_time")
    return float(value) if type(value) is int and 0 < value <= now + settings.leeway_seconds else None


def relations(claims: Mapping[str, Any], names: Sequence[str]) -> frozenset[tuple[str, str]]:
    """Pairs of claim and value, for the claims that are named. What is no name is left out."""
    found = set()
    for name in names:
        value = claims.get(name)
        found |= {(name, one) for one in (value if isinstance(value, list) else [value])[:MAX_GROUPS] if word(one)}
    return frozenset(found)


def _session(claims: Mapping[str, Any], digest: str) -> str:
    for name in ("sid", "jti"):
        if name in claims:
            value = claims[name]
            if not word(value):
                raise rejected("token-session", f"The token's `{name}` is not a name that can be used.")
            return value
    return digest[:16]


def word(value: object) -> TypeGuard[str]:
    """Whether a claim is a name that can be used."""
    # Printable keeps line ends, control characters and lone surrogates out of logs, terminals and the record.
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()
