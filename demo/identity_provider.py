"""The demo's identity provider: OpenID Connect on Authlib's server side, with its state in memory.

It offers discovery and keys, the authorization code with PKCE, the device grant (RFC 8628), refresh tokens that are
good once, revocation, userinfo, client credentials for machines, token exchange, and back-channel logout. Its one
shortcut: the consent page asks who you are and believes it. Run it with `python -m demo.identity_provider`.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint
from flask import Flask, Response, jsonify, render_template_string, request
from joserfc import jwt
from joserfc.errors import JoseError
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from demo.keyring import Algorithm, Keyring
from demo.people import CLIENT, DEVICE_GRANT, PEOPLE, Person
from demo.provider_exchange import EXCHANGE_GRANT
from demo.provider_grants import SCOPES, client_named, register
from demo.provider_state import AUDIENCE, LIFETIME, IdentityProvider, SignIn
from demo.serving import write_port

__all__ = ["AUDIENCE", "LIFETIME", "IdentityProvider", "SignIn", "build", "listen", "main"]

CONSENT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title>
<h1>Sign in to {{ client }}</h1>
<form method="post">{% if code is not none %}
<p><label>Code <input name="user_code" value="{{ code }}" required></label></p>{% endif %}
<p><label>You are <select name="person">{% for p in people %}<option value="{{ p.subject }}">{{ p.name }}</option>
{% endfor %}</select></label></p>
<p><button name="decision" value="allow">Sign in</button> <button name="decision" value="deny">Refuse</button></p>
</form></html>"""


def build(issuer: str, algorithm: Algorithm = "ES256") -> Flask:
    """The provider as a Flask application. `issuer` is the address that it is reached at."""
    app = Flask("identity_provider")
    provider = IdentityProvider(issuer, Keyring(algorithm))
    app.extensions["identity_provider"] = provider
    server = AuthorizationServer(
        app,
        query_client=client_named,
        save_token=lambda token, request: None,  # refresh tokens are kept by the grants; the others prove themselves
    )
    register(server, provider)
    _publish(app, provider)
    _people(app, provider)

    @app.get("/authorize")
    def consent() -> Any:
        try:
            server.get_consent_grant(end_user=None)
        except OAuth2Error as error:
            return server.handle_error_response(server.create_oauth2_request(request), error)
        return render_template_string(CONSENT, client=CLIENT, code=None, people=PEOPLE.values())

    @app.post("/authorize")
    def authorize() -> Any:
        person = _person(provider)
        allowed = person is not None and request.form.get("decision") == "allow"
        try:
            grant = server.get_consent_grant(end_user=None)
        except OAuth2Error as error:
            return server.handle_error_response(server.create_oauth2_request(request), error)
        sign_in = SignIn(person, secrets.token_hex(8)) if allowed and person else None
        return server.create_authorization_response(grant_user=sign_in, grant=grant)

    @app.post("/revoke")
    def revoke() -> Any:
        return server.create_endpoint_response("revocation")

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
        code, person = request.form.get("user_code", ""), _person(provider)
        waiting = any(
            device.get_user_code() == code and not device.is_expired() for device in provider.devices.values()
        )
        if person is None or not waiting or code in provider.decisions:
            return "Nobody waits for this code, or there is no such person.\n", 400
        approved = request.form.get("decision") == "allow"
        provider.decisions[code] = SignIn(person, secrets.token_hex(8)), approved
        return ("Signed in. You can go back to your program.\n" if approved else "Refused.\n"), 200

    return app


def _person(provider: IdentityProvider) -> Person | None:
    person = PEOPLE.get(request.form.get("person", ""))
    return person if person is not None and person.subject not in provider.disabled else None


def _people(app: Flask, provider: IdentityProvider) -> None:
    @app.get("/userinfo")
    def userinfo() -> Any:
        text = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(text, provider.keys.verifying(), algorithms=[provider.keys.algorithm]).claims
        except (JoseError, ValueError):
            return jsonify(error="invalid_token"), 401, {"www-authenticate": "Bearer"}
        person = PEOPLE.get(claims["sub"])
        if person is None:
            return jsonify(error="invalid_token"), 401, {"www-authenticate": "Bearer"}
        claims = provider.personal_claims(SignIn(person, claims["sid"]))
        return jsonify(sub=person.subject, name=claims["name"], groups=claims["groups"])

    @app.post("/logout")
    def logout() -> Any:
        """Everybody's sign-ins of one person end, as when an administrator closes them."""
        subject = request.form.get("person", "")
        found = {one.sign_in.session: one.sign_in for one in provider.refreshes.values()}
        told = [provider.log_out(one) for one in found.values() if one.get_user_id() == subject]
        return jsonify(ended=len(told), told=told)


def _publish(app: Flask, provider: IdentityProvider) -> None:
    @app.get("/.well-known/openid-configuration")
    def discovery() -> Response:
        issuer = provider.issuer
        return jsonify(
            issuer=issuer,
            jwks_uri=f"{issuer}/jwks",
            token_endpoint=f"{issuer}/token",
            device_authorization_endpoint=f"{issuer}/device_authorization",
            authorization_endpoint=f"{issuer}/authorize",
            userinfo_endpoint=f"{issuer}/userinfo",
            revocation_endpoint=f"{issuer}/revoke",
            grant_types_supported=[
                "authorization_code",
                "refresh_token",
                "client_credentials",
                DEVICE_GRANT,
                EXCHANGE_GRANT,
            ],
            response_types_supported=["code"],
            response_modes_supported=["query"],
            code_challenge_methods_supported=["S256"],
            authorization_response_iss_parameter_supported=True,
            backchannel_logout_supported=True,
            backchannel_logout_session_supported=True,
            subject_types_supported=["public"],
            id_token_signing_alg_values_supported=[provider.keys.algorithm],
            token_endpoint_auth_methods_supported=["none", "client_secret_basic", "client_secret_post"],
            scopes_supported=list(SCOPES),
            claims_supported=["sub", "name", "groups", "sid"],
        )

    @app.get("/jwks")
    def jwks() -> Response:
        return jsonify(provider.keys.public())


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
    parser.add_argument("--backchannel-logout", metavar="URL", help="whom to tell of logouts")
    parser.add_argument("--port-file", type=Path, help="file to write the port to, once it listens")
    options = parser.parse_args(arguments)
    try:
        server, issuer = listen(options.port)
    except OSError as error:
        print(f"identity provider: cannot listen on port {options.port}: {error.strerror}", file=sys.stderr)
        return 2
    app: Any = server.app
    app.extensions["identity_provider"].backchannel_logout = options.backchannel_logout
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
