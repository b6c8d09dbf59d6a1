"""The grants of the demo's identity provider, on Authlib's server side: who may have which tokens for what."""

from __future__ import annotations

import hmac
import secrets
import time
from typing import Any, ClassVar
from urllib.parse import urlsplit

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, InvalidGrantError
from authlib.oauth2.rfc6749.errors import InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, ClientCredentialsGrant, RefreshTokenGrant
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint, DeviceCodeGrant, DeviceCredentialDict
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from authlib.oauth2.rfc9207 import IssuerParameter

from demo.people import CLIENT, DEVICE_GRANT, GATEWAY, MACHINES
from demo.provider_exchange import Gateway, exchange_grant
from demo.provider_state import AUDIENCE, LIFETIME, Code, IdentityProvider, Refresh, SignIn

CODE_LIFETIME = 600
"""Seconds in which a code has to be approved and redeemed."""
SCOPES = ("openid", "profile", "groups", "offline_access")


class PublicClient(ClientMixin):  # type: ignore[misc]
    """What people sign in with: no secret, PKCE, any port of loopback (RFC 8252 section 7.3)."""

    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return "http://127.0.0.1/callback"

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(word for word in (scope or "").split() if word in SCOPES)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        parts = urlsplit(redirect_uri)
        return (parts.scheme, parts.hostname, parts.path) == ("http", "127.0.0.1", "/callback")

    def check_client_secret(self, client_secret: str) -> bool:
        return False

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return bool(method == "none")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in (DEVICE_GRANT, "authorization_code", "refresh_token")


class Machine(ClientMixin):  # type: ignore[misc]
    """A program with a secret of its own, which signs in as itself."""

    def __init__(self, name: str) -> None:
        self.name = name

    def get_client_id(self) -> str:
        return self.name

    def get_allowed_scope(self, scope: str | None) -> str:
        return ""

    def check_client_secret(self, client_secret: str) -> bool:
        return hmac.compare_digest(client_secret, MACHINES[self.name])

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return bool(method in ("client_secret_basic", "client_secret_post"))

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


def client_named(name: str) -> ClientMixin | None:
    """The client with an id."""
    if name == GATEWAY:
        return Gateway()
    return PublicClient() if name == CLIENT else Machine(name) if name in MACHINES else None


class AccessTokens(JWTBearerTokenGenerator):  # type: ignore[misc]
    """JWT access tokens (RFC 9068) for the gateway; a refresh token where `offline_access` was asked for."""

    def __init__(self, provider: IdentityProvider) -> None:
        super().__init__(
            provider.issuer,
            alg=provider.keys.algorithm,
            refresh_token_generator=lambda **_: secrets.token_urlsafe(32),
            expires_generator=lambda *_: LIFETIME,
        )
        self.provider = provider

    def get_jwks(self) -> Any:
        return self.provider.keys.signing()

    def get_audiences(self, client: Any, user: Any, scope: str) -> str:
        return AUDIENCE

    def get_extra_claims(self, client: Any, grant_type: str, user: SignIn | None, scope: str) -> dict[str, Any]:
        return self.provider.personal_claims(user) if user else {}

    def access_token_generator(self, client: Any, grant_type: str, user: Any, scope: str) -> Any:
        self.alg = self.provider.keys.algorithm  # may have changed with the last rotation
        return super().access_token_generator(client, grant_type, user, scope)

    def generate(
        self,
        grant_type: str,
        client: Any,
        user: Any = None,
        scope: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,
    ) -> Any:
        wanted = "offline_access" in (scope or "").split()
        return super().generate(grant_type, client, user, scope, expires_in, include_refresh_token and wanted)


class Pkce(CodeChallenge):  # type: ignore[misc]
    """No code without a challenge, and none whose challenge is its verifier (RFC 9700 section 2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD: ClassVar = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        super().validate_code_challenge(grant, redirect_uri)
        asked = grant.request.payload.data
        if not asked.get("code_challenge") or not asked.get("code_challenge_method"):
            raise InvalidRequestError("A code_challenge with the method S256 is required.")


def register(server: AuthorizationServer, provider: IdentityProvider) -> None:
    """Everything that the token endpoint and its kin know."""
    server.register_token_generator("default", AccessTokens(provider))
    server.register_grant(_device_grant(provider))
    server.register_grant(_code_grant(provider), [Pkce(required=True)])
    server.register_grant(_refresh_grant(provider))
    server.register_grant(type("Machines", (ClientCredentialsGrant,), {}))
    server.register_grant(exchange_grant(provider))
    server.register_endpoint(_device_endpoint(provider))
    server.register_endpoint(_revocation(provider))
    server.register_extension(type("Issuer", (IssuerParameter,), {"get_issuer": lambda _: provider.issuer})())


def _completed(provider: IdentityProvider, response: Any, sign_in: SignIn, client: str, nonce: str | None) -> Any:
    """A token response with what OpenID Connect adds to it."""
    status, token, headers = response
    scope = token.get("scope") or ""
    provider.remember(token, sign_in, scope, client)
    if "openid" in scope.split():
        token["id_token"] = provider.id_token(sign_in, token["access_token"], nonce=nonce)
    return status, token, headers


def _code_grant(provider: IdentityProvider) -> type[AuthorizationCodeGrant]:
    class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

        def save_authorization_code(self, code: str, request: Any) -> None:
            asked = request.payload
            provider.codes[code] = Code(
                code,
                request.user,
                asked.redirect_uri,
                asked.scope,
                asked.data.get("nonce"),
                time.time() + 60,
                asked.data.get("code_challenge"),
                asked.data.get("code_challenge_method"),
            )

        def query_authorization_code(self, code: str, client: Any) -> Code | None:
            found = provider.codes.get(code)
            return found if found is not None and found.expires > time.time() else None

        def delete_authorization_code(self, authorization_code: Code) -> None:
            provider.codes.pop(authorization_code.code, None)

        def authenticate_user(self, authorization_code: Code) -> SignIn:
            return authorization_code.sign_in

        def create_token_response(self) -> Any:
            code = self.request.authorization_code
            return _completed(provider, super().create_token_response(), code.sign_in, CLIENT, code.nonce)

    return Grant


def _refresh_grant(provider: IdentityProvider) -> type[RefreshTokenGrant]:
    class Grant(RefreshTokenGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ("none",)
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token: str) -> Refresh | None:
            return provider.present(refresh_token)

        def authenticate_user(self, refresh_token: Refresh) -> SignIn:
            return refresh_token.sign_in

        def revoke_old_credential(self, refresh_token: Refresh) -> None:
            provider.spent[refresh_token.text] = provider.refreshes.pop(refresh_token.text)

        def create_token_response(self) -> Any:
            used = self.request.refresh_token
            return _completed(provider, super().create_token_response(), used.sign_in, CLIENT, None)

    return Grant


def _revocation(provider: IdentityProvider) -> type[RevocationEndpoint]:
    class Endpoint(RevocationEndpoint):  # type: ignore[misc]
        CLIENT_AUTH_METHODS = ("none",)

        def query_token(self, token_string: str, token_type_hint: str | None) -> Refresh | None:
            return provider.refreshes.get(token_string)

        def revoke_token(self, token: Refresh, request: Any) -> None:
            provider.forget(token.sign_in)

    return Endpoint


def _device_endpoint(provider: IdentityProvider) -> type[DeviceAuthorizationEndpoint]:
    class Endpoint(DeviceAuthorizationEndpoint):  # type: ignore[misc]
        EXPIRES_IN = CODE_LIFETIME
        INTERVAL = 1

        def get_verification_uri(self) -> str:
            return f"{provider.issuer}/device"

        def save_device_credential(self, client_id: str, scope: str, data: dict[str, Any]) -> None:
            now = time.time()
            for code in [code for code, device in provider.devices.items() if device["expires_at"] < now]:
                provider.decisions.pop(provider.devices.pop(code).get_user_code(), None)
            provider.devices[data["device_code"]] = DeviceCredentialDict(
                client_id=client_id, scope=scope, expires_at=now + CODE_LIFETIME, **data
            )

    return Endpoint


def _device_grant(provider: IdentityProvider) -> type[DeviceCodeGrant]:
    class Grant(DeviceCodeGrant):  # type: ignore[misc]
        def query_device_credential(self, device_code: str) -> DeviceCredentialDict | None:
            return provider.devices.get(device_code)

        def query_user_grant(self, user_code: str) -> tuple[SignIn, bool] | None:
            return provider.decisions.get(user_code)

        def should_slow_down(self, credential: DeviceCredentialDict) -> bool:
            now, last = time.time(), credential.get("polled", 0.0)
            credential["polled"] = now
            return bool(now - last < credential["interval"])

        def create_token_response(self) -> Any:
            device = self.request.credential
            # Redeemed once: taken out before anything is signed, and whoever comes second finds nothing.
            if provider.devices.pop(device["device_code"], None) is None:
                raise InvalidGrantError("The device code has been redeemed.")
            provider.decisions.pop(device.get_user_code(), None)
            # Authlib's device grant leaves the ID token out (OpenID Connect Core section 3.1.3.3).
            return _completed(provider, super().create_token_response(), self.request.user, CLIENT, None)

    return Grant
