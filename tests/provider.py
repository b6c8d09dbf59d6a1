"""The demo's identity provider on a free loopback port, in a thread, with tokens made to order."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from flask import request
from joserfc.jws import JWSRegistry

from demo.identity_provider import AUDIENCE, LIFETIME, IdentityProvider, SignIn, listen
from demo.keyring import Algorithm
from demo.people import CLIENT, PEOPLE, Person
from sluicegate.clock import Clock, SystemClock

DROP: Any = object()
"""As the value of an override: the claim or header member is left out."""


class Provider:
    """Serves from its making until `stop`. Tokens are dated by `clock`; `certificate` (key and chain) makes it https."""

    def __init__(
        self, *, clock: Clock | None = None, algorithm: Algorithm = "ES256", certificate: Path | None = None
    ) -> None:
        self.clock = clock or SystemClock()
        self.server, self.issuer = listen(algorithm=algorithm)
        app: Any = self.server.app
        self.state: IdentityProvider = app.extensions["identity_provider"]
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.issuer = self.state.issuer = self.issuer.replace("http://127.0.0.1", "https://localhost")
        self.hits: Counter[str] = Counter()
        """Requests by path."""
        self.exchanged: list[str] = []
        """The tokens for which others were asked in exchange (RFC 8693 section 2.1), in order."""
        self.answers: dict[str, Callable[[], Any]] = {}
        """By path, what is answered in the place of the provider's own words: what a Flask view returns."""
        app.before_request(self._first)
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def _first(self) -> Any:
        self.hits[request.path] += 1
        if request.path == "/token":
            request.get_data()  # kept for whoever looks at the bytes
            self.exchanged.extend(request.form.getlist("subject_token"))
        answer = self.answers.get(request.path)
        return None if answer is None else answer()

    def claims(self, person: str = "ada", **overrides: Any) -> dict[str, Any]:
        """The claims of a good access token, with overrides. People that nobody knows are made up, without groups."""
        now = int(self.clock.now())
        signed_in = SignIn(PEOPLE.get(person, Person(person, person.title())), f"session-of-{person}")
        claims = {
            "iss": self.issuer,
            "sub": person,
            "aud": AUDIENCE,
            "client_id": CLIENT,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": f"token-of-{person}",
            **self.state.personal_claims(signed_in),
            **overrides,
        }
        return {name: value for name, value in claims.items() if value is not DROP}

    def token(self, person: str = "ada", *, header: Mapping[str, Any] | None = None, **overrides: Any) -> str:
        """A token signed with the key in use."""
        return self.state.keys.sign(self.claims(person, **overrides), {"typ": "at+jwt", **(header or {})})

    def forge(self, header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes) -> str:
        """Any header and payload at all, byte for byte, under a good signature: what a signer would not make."""
        parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
        signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
        keys = self.state.keys
        signature = JWSRegistry.algorithms[keys.algorithm].sign(signed, keys.current)
        return f"{signed.decode()}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"

    def header(self, **overrides: Any) -> dict[str, Any]:
        """The header of a good access token, with overrides, to forge with."""
        keys = self.state.keys
        members = {"alg": keys.algorithm, "kid": keys.current.kid, "typ": "at+jwt", **overrides}
        return {name: value for name, value in members.items() if value is not DROP}

    def rotate(self, *, keep_old: bool = True, algorithm: Algorithm | None = None) -> None:
        """A new signing key; without `keep_old` what was signed before cannot be verified any more."""
        self.state.keys.rotate(keep_old=keep_old, algorithm=algorithm)

    def stop(self) -> None:
        """Stop listening. Stopping twice is harmless."""
        if self._thread.is_alive():
            self.server.shutdown()
            self._thread.join(60)
            self.server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
