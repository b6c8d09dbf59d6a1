"""Verifies a token against a key, with joserfc, in the order in which less and less has to be taken on trust.

Form, header, signature, claims. The library alone would let through a wrong `typ`, duplicate JSON members, `jku` and
`x5u` beside a good signature, and times with fractions.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from sluicegate.errors import Refusal
from sluicegate.exchange import Principal
from sluicegate.identity import claims
from sluicegate.identity.compact import decode, split
from sluicegate.identity.refusals import rejected
from sluicegate.identity.screening import MAX_KID, SigningKey, listed_as
from sluicegate.settings.model import Identity

ACCESS = ("jwt", "at+jwt", "application/at+jwt")
"""`typ` of tokens that sign requests in (media types, so case does not count). Not every provider knows RFC 9068."""
ID = ("jwt",)
"""`typ` of ID tokens."""
LOGOUT = ("jwt", "logout+jwt", "application/logout+jwt")
"""`typ` of logout tokens. The specification recommends the second; older providers leave it out."""
_REFUSED = ("jku", "x5u", "x5c", "jwk", "crit", "b64", "zip")
"""Header members that bring keys along or change what is signed (RFC 8725 section 3.10, RFC 7797)."""


@dataclass(frozen=True, slots=True)
class Unproved:
    """A token of the right form. Its signature has not been looked at, so nothing in it may be believed."""

    text: str
    algorithm: str
    kid: str
    access_token: bool
    """Whether its `typ` says more than JWT: for what reads access tokens, that it is one (RFC 9068)."""
    claims: dict[str, Any]


def read(token: str, settings: Identity, types: tuple[str, ...] = ACCESS) -> Unproved:
    """Check form and header. Raises Refusal; what it returns still has to be proved with `prove`."""
    header, payload = split(token)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or listed_as(algorithm) not in settings.algorithms:
        raise rejected("token-algorithm", "The token's signature algorithm is not accepted here.")
    for name in _REFUSED:
        if name in header:
            raise rejected("token-header", f"The token's header has a member that is not accepted here: {name}.")
    if "typ" not in header and types is ACCESS and not settings.untyped_tokens:
        raise rejected("token-type", "The token does not say what kind of token it is (it has no `typ`).")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in types:
        raise rejected("token-type", f"This kind of token is not taken here (its `typ` is none of {', '.join(types)}).")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID:
        raise rejected("token-key-unnamed", "The token does not name the key that it is signed with.")
    return Unproved(token, algorithm, kid, kind.lower() != "jwt", payload)


def prove(token: Unproved, key: SigningKey, settings: Identity, now: float) -> Principal:
    """Check the signature and then the claims of an access token, at event time `now`. Raises Refusal."""
    check_signature(token, key)
    return claims.principal(
        token.claims, access_token=token.access_token, settings=settings, now=now, digest=digest(token.text).hex()
    )


def check_signature(token: Unproved, key: SigningKey) -> None:
    """Raises Refusal unless the key has signed the token, with the algorithm that its header names."""
    if listed_as(token.algorithm) not in key.algorithms:
        raise rejected("token-algorithm", "The token's signature algorithm does not fit the key that it names.")
    signed, _, signature = token.text.rpartition(".")
    try:
        # The library's own primitive. Its `deserialize_compact` would read the header once more, as loosely as it does.
        good = jws.JWSRegistry.algorithms[token.algorithm].verify(signed.encode("ascii"), decode(signature), key.key)
    except (JoseError, ValueError, TypeError):
        raise _bad_signature() from None
    if good is not True:
        raise _bad_signature()


def digest(token: str) -> bytes:
    """SHA-256 of a token, under which its verification is remembered: a cache that is read holds no credential."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _bad_signature() -> Refusal:
    return rejected("token-signature", "The token's signature is not valid.")
