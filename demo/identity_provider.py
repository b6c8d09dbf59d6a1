"""The demo's identity provider: OpenID Connect on Authlib's server side, with its state in memory.

It offers discovery, keys, and the device grant (RFC 8628), which is how a program without a browser signs somebody in.
Its one shortcut: the consent page asks who you are and believes it. Run it with `python -m demo.identity_provider`.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, InvalidGrantError
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint, DeviceCodeGrant, DeviceCredentialDict
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, Response, jsonify, render_template_string, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from demo.keyring import Algorithm, Keyring
from demo.people import CLIENT, DEVICE_GRANT, PEOPLE, Person
from demo.serving import write_port

AUDIENCE = "sluicegate"
LIFETIME = 8 * 3600
"""Seconds for which a token is good: a working day."""
CODE_LIFETIME = 600
"""Seconds in which a device code has to be approved and redeemed."""

CONSENT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title>
<h1>Sign in to {{ client }}</h1>
<form method="post"><p><label>Code <input name="user_code" value="{{ code }}" required></label></p>
<p><label>You are <select name="person">{% for p in people %}<option value="{{ p.subject }}">{{ p.name }}</option>
{% endfor %}</select></label></p>
<p><button name="decision" value="allow">Sign in</button> <button name="decision" value="deny">Refuse</button></p>
</form></html>"""


@dataclass(frozen=True, slots=True)
class SignIn:
    """One person, signed in once: what Authlib calls a user."""

    person: Person
    session: str

    def get_user_id(self) -> str:
        return self.person.subject


@dataclass
class IdentityProvider:
    """What the provider remembers. Reachable for tests as `app.extensions["identity_provider"]`."""

    issuer: str
    keys: Keyring
    devices: dict[str, DeviceCredentialDict] = field(default_factory=dict)
    """By device code."""
    decisions: dict[str, tuple[SignIn, bool]] = field(default_factory=dict)
    """By user code: who decided, and whether they approved."""

    def personal_claims(self, sign_in: SignIn) -> dict[str, Any]:
        """What tokens say about a person beyond the protocol's own claims."""
        person = sign_in.person
        return {"name": person.name, "groups": list(person.groups), "sid": sign_in.session}


class DemoClient(ClientMixin):  # type: ignore[misc]
    """The one public client: no secret, device grant only."""

    def get_client_id(self) -> str:
        return CLIENT

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(word for word in (scope or "").split() if word in ("openid", "profile", "groups"))

    def check_client_secret(self, client_secret: str) -> bool:
        return False

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return bool(method == "none")

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == DEVICE_GRANT


class AccessTokens(JWTBearerTokenGenerator):  # type: ignore[misc]
    """JWT access tokens (RFC 9068) for the gateway."""

    def __init__(self, provider: IdentityProvider) -> None:
        super().__init__(provider.issuer, alg=provider.keys.algorithm, expires_generator=lambda *_: LIFETIME)
        self.provider = provider

    def get_jwks(self) -> Any:
        return self.provider.keys.signing()

    def get_audiences(self, client: Any, user: Any, scope: str) -> str:
        return AUDIENCE

    def get_extra_claims(self, client: Any, grant_type: str, user: SignIn, scope: str) -> dict[str, Any]:
        return self.provider.personal_claims(user)

    def access_token_generator(self, client: Any, grant_type: str, user: Any, scope: str) -> Any:
        self.alg = self.provider.keys.algorithm  # may have changed with the last rotation
        return super().access_token_generator(client, grant_type, user, scope)


def build(issuer: str, algorithm: Algorithm = "ES256") -> Flask:
    """The provider as a Flask application. `issuer` is the address that it is reached at."""
    app = Flask("identity_provider")
    provider = IdentityProvider(issuer, Keyring(algorithm))
    app.extensions["identity_provider"] = provider
    client = DemoClient()
    server = AuthorizationServer(
        app,
        query_client=lambda client_id: client if client_id == CLIENT else None,
        save_token=lambda token, request: None,  # tokens carry their own proof; nothing is looked up later
    )
    server.register_token_generator("default", AccessTokens(provider))
    server.register_grant(_device_grant(provider))
    server.register_endpoint(_device_endpoint(provider))
    _publish(app, provider)

    @app.post("/device_authorization")
    def device_authorization() -> Any:
        return server.create_endpoint_response(DeviceAuthorizationEndpoint.ENDPOINT_NAME)

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.get("/device")
    def ask() -> str:
        code = request.args.get("user_code", "")
        return render_template_string(CONSENT, client=CLIENT, code=code, people=PEOPLE.values())

    @app.post("/device")
    def decide() -> tuple[str, int]:
        code, person = request.form.get("user_code", ""), PEOPLE.get(request.form.get("person", ""))
        waiting = any(
            device.get_user_code() == code and not device.is_expired() for device in provider.devices.values()
        )
        if person is None or not waiting or code in provider.decisions:
            return "Nobody waits for this code, or there is no such person.\n", 400
        approved = request.form.get("decision") == "allow"
        provider.decisions[code] = SignIn(person, secrets.token_hex(8)), approved
        return ("Signed in. You can go back to your program.\n" if approved else "Refused.\n"), 200

    return app


def _publish(app: Flask, provider: IdentityProvider) -> None:
    @app.get("/.well-known/openid-configuration")
    def discovery() -> Response:
        issuer = provider.issuer
        return jsonify(
            issuer=issuer,
            jwks_uri=f"{issuer}/jwks",
            token_endpoint=f"{issuer}/token",
            device_authorization_endpoint=f"{issuer}/device_authorization",
            grant_types_supported=[DEVICE_GRANT],
            response_types_supported=[],  # no authorization endpoint: the device grant is all there is
            subject_types_supported=["public"],
            id_token_signing_alg_values_supported=[provider.keys.algorithm],
            token_endpoint_auth_methods_supported=["none"],
            scopes_supported=["openid", "profile", "groups"],
            claims_supported=["sub", "name", "groups", "sid"],
        )

    @app.get("/jwks")
    def jwks() -> Response:
        return jsonify(provider.keys.public())


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

        def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
            device = self.request.credential
            # Redeemed once: taken out before anything is signed, and whoever comes second finds nothing.
            if provider.devices.pop(device["device_code"], None) is None:
                raise InvalidGrantError("The device code has been redeemed.")
            provider.decisions.pop(device.get_user_code(), None)
            status, token, headers = super().create_token_response()
            if "openid" in (device.get_scope() or "").split():
                # Authlib's device grant leaves the ID token out (OpenID Connect Core section 3.1.3.3).
                token["id_token"] = self._id_token(self.request.user)
            return status, token, headers

        def _id_token(self, sign_in: SignIn) -> str:
            now = int(time.time())
            return provider.keys.sign(
                {
                    "iss": provider.issuer,
                    "sub": sign_in.get_user_id(),
                    "aud": CLIENT,
                    "iat": now,
                    "exp": now + LIFETIME,
                    **provider.personal_claims(sign_in),
                }
            )

    return Grant


class _Silent(WSGIRequestHandler):
    """No access log: requests to a provider hold codes."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return None


def listen(port: int = 0, algorithm: Algorithm = "ES256") -> tuple[BaseWSGIServer, str]:
    """A server on loopback that accepts connections already, and its issuer. Raises OSError when the port is taken."""
    with socket.create_server(("127.0.0.1", port), backlog=64) as listener:
        issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = build(issuer, algorithm)
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent, fd=listener.fileno())
    return server, issuer


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="demo.identity_provider", description="The demo's identity provider.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="file to write the port to, once it listens")
    options = parser.parse_args(arguments)
    try:
        server, issuer = listen(options.port)
    except OSError as error:
        print(f"identity provider: cannot listen on port {options.port}: {error.strerror}", file=sys.stderr)
        return 2
    if options.port_file:
        write_port(options.port_file, int(issuer.rpartition(":")[2]))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"identity provider: {issuer}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
