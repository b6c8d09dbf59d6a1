"""Which of a provider's published keys may verify anything: the JOSE library takes more than it should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from sluicegate.identity.roca import made_badly

MAX_KEYS = 50
MAX_KID = 256
"""Longest key id, in characters."""
_RSA_BITS = range(2048, 8193)
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key that passed the screening, and the algorithms that it may be used with."""

    kid: str
    key: RSAKey | ECKey | OKPKey
    algorithms: frozenset[str]
    thumbprint: str
    """RFC 7638, SHA-256."""


def listed_as(algorithm: str) -> str:
    """The name under which the policy lists an algorithm: RFC 9864 calls EdDSA with its only curve here Ed25519."""
    return "EdDSA" if algorithm == "Ed25519" else algorithm


def screen(published: Sequence[Any]) -> tuple[dict[str, SigningKey], list[str]]:
    """The usable keys by their id, and why each of the others is not. Raises ValueError for more than 50 keys."""
    if len(published) > MAX_KEYS:
        raise ValueError(f"publishes more than {MAX_KEYS} keys")
    usable: dict[str, SigningKey] = {}
    complaints: list[str] = []
    # A kid that stands for two keys stands for none, whatever the second one is for.
    seen = Counter(jwk["kid"] for jwk in published if isinstance(jwk, Mapping) and isinstance(jwk.get("kid"), str))
    for index, jwk in enumerate(published):
        try:
            key = _screened(jwk)
            if seen[key.kid] > 1:
                raise ValueError("its kid is used twice")
        except (ValueError, TypeError, KeyError, OverflowError, JoseError) as error:
            complaints.append(f"key {index}: {error}")
        else:
            usable[key.kid] = key
    return usable, complaints


def _screened(jwk: Any) -> SigningKey:
    if not isinstance(jwk, Mapping):
        raise ValueError("is not an object")
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID:
        raise ValueError("has no usable kid")
    if private := sorted(_PRIVATE & jwk.keys()):
        raise ValueError(f"publishes private members ({', '.join(private)})")
    if jwk.get("use", "sig") != "sig":
        raise ValueError("is not for signatures")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("is not for verifying")
    key, algorithms = _imported(jwk)
    stated = jwk.get("alg")
    if stated is not None:
        algorithms &= {listed_as(stated)}
        if not algorithms:
            raise ValueError("its alg does not fit its type")
    return SigningKey(kid, key, algorithms, key.thumbprint())


def _imported(jwk: Mapping[str, Any]) -> tuple[RSAKey | ECKey | OKPKey, frozenset[str]]:
    # Only the members that make the key: no others can have an effect on the library.
    match jwk.get("kty"), jwk.get("crv"):
        case "RSA", _:
            rsa = RSAKey.import_key({"kty": "RSA", "n": jwk["n"], "e": jwk["e"]})
            numbers = rsa.public_key.public_numbers()
            if numbers.n.bit_length() not in _RSA_BITS or numbers.e.bit_length() > 32:
                raise ValueError("its RSA numbers are too small or too large")
            if made_badly(numbers.n):
                raise ValueError("its RSA primes were made by a bad rule (ROCA), so its private key can be worked out")
            return rsa, frozenset({"RS256", "PS256"})
        case "EC", "P-256":
            return ECKey.import_key({"kty": "EC", "crv": "P-256", "x": jwk["x"], "y": jwk["y"]}), frozenset({"ES256"})
        case "OKP", "Ed25519":
            return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": jwk["x"]}), frozenset({"EdDSA"})
    raise ValueError("is not RSA, P-256 or Ed25519")
