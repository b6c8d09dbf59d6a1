"""The signing keys of the demo's identity provider: one in use, and those that are still published."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Literal

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

Algorithm = Literal["RS256", "PS256", "ES256", "Ed25519"]


class Keyring:
    """Keys in memory. What was signed with a key that is no longer published cannot be verified any more."""

    def __init__(self, algorithm: Algorithm = "ES256") -> None:
        self.algorithm: Algorithm = algorithm
        self.current = _generate(algorithm)
        self._published = [self.current]

    def rotate(self, *, keep_old: bool = True, algorithm: Algorithm | None = None) -> None:
        """Sign with a new key from now on. `keep_old`: go on publishing those before it, else they are revoked."""
        self.algorithm = algorithm or self.algorithm
        self.current = _generate(self.algorithm)
        self._published = [*(self._published if keep_old else []), self.current]

    def signing(self) -> KeySet:
        """The key in use, in the form in which the signer writes its id into the header."""
        return KeySet([self.current])

    def verifying(self) -> KeySet:
        """All keys that are still published."""
        return KeySet([*self._published])

    def public(self) -> dict[str, Any]:
        """The JWKS document (RFC 7517 section 5)."""
        return {"keys": [key.as_dict(private=False) for key in self._published]}

    def sign(self, claims: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
        """A token with these claims; `header` members come on top of alg, kid and typ."""
        members = {"alg": self.algorithm, "kid": self.current.kid, "typ": "JWT", **(header or {})}
        return jwt.encode(members, dict(claims), self.current, algorithms=[self.algorithm])


def _generate(algorithm: Algorithm) -> RSAKey | ECKey | OKPKey:
    kid, use = secrets.token_urlsafe(8), "sig"
    match algorithm:
        case "RS256" | "PS256":
            return RSAKey.generate_key(2048, {"kid": kid, "use": use, "alg": algorithm})
        case "ES256":
            return ECKey.generate_key("P-256", {"kid": kid, "use": use, "alg": algorithm})
        case "Ed25519":
            return OKPKey.generate_key("Ed25519", {"kid": kid, "use": use, "alg": algorithm})
