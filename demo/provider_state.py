"""What the demo's identity provider remembers, and the tokens that it makes of it. All of it in memory."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from authlib.oauth2.rfc8628 import DeviceCredentialDict

from demo.keyring import Keyring
from demo.people import CLIENT, Person

AUDIENCE = "sluicegate"
LIFETIME = 8 * 3600
"""Seconds for which an access token is good: a working day."""
ID_LIFETIME = 3600
"""Seconds for which an ID token is good."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class SignIn:
    """One person, signed in once: what Authlib calls a user."""

    person: Person
    session: str
    at: int = field(default_factory=lambda: int(time.time()))

    def get_user_id(self) -> str:
        return self.person.subject


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code, and what it was asked for with. Authlib reads the attributes of PKCE by name."""

    code: str
    sign_in: SignIn
    redirect_uri: str
    scope: str
    nonce: str | None
    expires: float
    code_challenge: str | None
    code_challenge_method: str | None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh token. It is good once: each use makes the next, and a second use ends them all (RFC 9700 2.2.2)."""

    text: str
    sign_in: SignIn
    scope: str
    client: str

    def check_client(self, client: Any) -> bool:
        return bool(client.get_client_id() == self.client)

    def get_scope(self) -> str:
        return self.scope

    def is_expired(self) -> bool:
        return False

    def is_revoked(self) -> bool:
        return False


@dataclass
class IdentityProvider:
    """What the provider remembers. Reachable for tests as `app.extensions["identity_provider"]`."""

    issuer: str
    keys: Keyring
    devices: dict[str, DeviceCredentialDict] = field(default_factory=dict)
    """By device code."""
    decisions: dict[str, tuple[SignIn, bool]] = field(default_factory=dict)
    """By user code: who decided, and whether they approved."""
    codes: dict[str, Code] = field(default_factory=dict)
    refreshes: dict[str, Refresh] = field(default_factory=dict)
    spent: dict[str, Refresh] = field(default_factory=dict)
    """Refresh tokens that were used."""
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By subject, groups that differ from those that the person began with."""
    disabled: set[str] = field(default_factory=set)
    """Subjects whose account is closed."""
    ended: set[str] = field(default_factory=set)
    """Sign-ins that are over: their tokens are exchanged no more."""
    exchanged_lifetime: int = 300
    """Seconds for which a token is good that another was exchanged for."""
    backchannel_logout: str | None = None
    """Where the client wants to hear of logouts."""

    def personal_claims(self, sign_in: SignIn) -> dict[str, Any]:
        """What tokens say about a person beyond the protocol's own claims."""
        person = sign_in.person
        groups = self.groups.get(person.subject, person.groups)
        return {"name": person.name, "groups": list(groups), "sid": sign_in.session}

    def id_token(self, sign_in: SignIn, access_token: str | None = None, **more: Any) -> str:
        """An ID token (OpenID Connect Core section 2), bound to the access token that it comes with."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": sign_in.get_user_id(),
            "aud": CLIENT,
            "iat": now,
            "exp": now + ID_LIFETIME,
            "auth_time": sign_in.at,
            **self.personal_claims(sign_in),
            **({"at_hash": half_hash(access_token)} if access_token else {}),
            **more,
        }
        return self.keys.sign({name: value for name, value in claims.items() if value is not None})

    def logout_token(self, *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4). A claim that is None is left out."""
        now = int(time.time())
        everything = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(16),
            "events": {LOGOUT_EVENT: {}},
            **claims,
        }
        said = {name: value for name, value in everything.items() if value is not None}
        return self.keys.sign(said, {"typ": "logout+jwt", **(header or {})})

    def remember(self, token: Mapping[str, Any], sign_in: SignIn, scope: str, client: str) -> None:
        """Keep the refresh token of a response, if there is one."""
        text = token.get("refresh_token")
        if isinstance(text, str):
            self.refreshes[text] = Refresh(text, sign_in, scope, client)

    def present(self, text: str) -> Refresh | None:
        """A refresh token that counts. One that comes a second time takes the whole sign-in's tokens along."""
        found = self.refreshes.get(text)
        if found is None and text in self.spent:
            self.forget(self.spent[text].sign_in)
        return found if found is not None and found.sign_in.person.subject not in self.disabled else None

    def forget(self, sign_in: SignIn) -> None:
        """End a sign-in: none of its refresh tokens counts any more."""
        self.ended.add(sign_in.session)
        for text in [text for text, one in self.refreshes.items() if one.sign_in.session == sign_in.session]:
            self.spent[text] = self.refreshes.pop(text)

    def log_out(self, sign_in: SignIn) -> int | None:
        """End a sign-in, and tell the client. Returns the status that it answered, None where none is to be told."""
        self.forget(sign_in)
        if self.backchannel_logout is None:
            return None
        token = self.logout_token(sub=sign_in.get_user_id(), sid=sign_in.session)
        with httpx2.Client(trust_env=False, timeout=10) as client:
            return client.post(self.backchannel_logout, data={"logout_token": token}).status_code


def half_hash(access_token: str) -> str:
    """`at_hash` for the algorithms that hash with SHA-256."""
    return base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()[:16]).rstrip(b"=").decode()
