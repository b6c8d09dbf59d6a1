"""Token exchange at the demo's identity provider (RFC 8693): a person's token for one that a service takes."""

from __future__ import annotations

import hmac
import secrets
import time
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.errors import InvalidRequestError
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin
from joserfc import jwt
from joserfc.errors import JoseError

from demo.people import CLIENT, GATEWAY, GATEWAY_SECRET, MACHINES, PEOPLE, SERVICES
from demo.provider_state import AUDIENCE, IdentityProvider

EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPES = "urn:ietf:params:oauth:token-type:"


class Gateway(ClientMixin):  # type: ignore[misc]
    """The gateway: it signs nobody in, and gets tokens on behalf of those who have signed in to it."""

    def get_client_id(self) -> str:
        return GATEWAY

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or ""

    def check_client_secret(self, client_secret: str) -> bool:
        return hmac.compare_digest(client_secret, GATEWAY_SECRET)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return bool(method in ("client_secret_basic", "client_secret_post"))

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == EXCHANGE_GRANT


class InvalidTarget(OAuth2Error):  # type: ignore[misc]
    """Section 2.2.2."""

    error = "invalid_target"
    description = "There is no such service."


def exchange_grant(provider: IdentityProvider) -> type[BaseGrant]:
    """The grant, for Authlib's server, which has none of its own."""

    class Grant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
        GRANT_TYPE = EXCHANGE_GRANT
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

        def validate_token_request(self) -> None:
            self.request.client = self.authenticate_token_endpoint_client()
            form = self.request.form
            kind = form.get("subject_token_type")
            if kind not in (f"{TYPES}access_token", f"{TYPES}id_token"):
                raise InvalidRequestError("The subject_token_type is not supported.")
            if form.get("requested_token_type", f"{TYPES}access_token") != f"{TYPES}access_token":
                raise InvalidRequestError("The requested_token_type is not supported.")
            ours = AUDIENCE if kind.endswith("access_token") else CLIENT
            self.subject = self._claims(form.get("subject_token", ""), ours)
            subject, session = self.subject["sub"], self.subject.get("sid")
            if subject not in {*PEOPLE, *MACHINES} or subject in provider.disabled or session in provider.ended:
                raise InvalidRequestError("The subject_token is not acceptable.")
            self.actor = GATEWAY
            if "actor_token" in form:
                self.actor = str(self._claims(form["actor_token"], AUDIENCE)["sub"])
            if form.get("audience") not in SERVICES:
                raise InvalidTarget()

        def _claims(self, text: str, audience: str) -> dict[str, Any]:
            try:
                found = jwt.decode(text, provider.keys.verifying(), algorithms=[provider.keys.algorithm]).claims
            except (JoseError, ValueError):
                raise InvalidRequestError("A token is not one of ours.") from None
            if found.get("aud") != audience or found.get("exp", 0) <= time.time():
                raise InvalidRequestError("A token is not for this, or over.")
            return dict(found)

        def create_token_response(self) -> Any:
            form, now = self.request.form, int(time.time())
            claims = {
                "iss": provider.issuer,
                "sub": self.subject["sub"],
                "aud": form["audience"],
                "client_id": GATEWAY,
                "act": {"sub": self.actor},
                "iat": now,
                "exp": now + provider.exchanged_lifetime,
                "jti": secrets.token_urlsafe(12),
                "scope": form.get("scope", ""),
            }
            answer = {
                "access_token": provider.keys.sign(claims, {"typ": "at+jwt"}),
                "issued_token_type": f"{TYPES}access_token",
                "token_type": "Bearer",
                "expires_in": provider.exchanged_lifetime,
            }
            return 200, answer, self.TOKEN_RESPONSE_HEADER

    return Grant
