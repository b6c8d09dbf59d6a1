"""What can be wrong with [identity] beyond its form."""

from __future__ import annotations

import os

from sluicegate.identity.on_behalf import request
from sluicegate.identity.provider import readable_authorities, usable_address
from sluicegate.settings import Loaded, Problem
from sluicegate.settings.positions import line_of


def problems(loaded: Loaded) -> list[Problem]:
    """Everything that keeps tokens from being verified and can be seen without asking the provider."""
    found: list[Problem] = []

    def add(key: str, message: str, suggestion: str = "") -> None:
        add_at((key,), message, suggestion)

    def add_at(path: tuple[str, ...], message: str, suggestion: str = "") -> None:
        line = line_of(("identity", *path), loaded.lines)
        found.append(Problem(line, ".".join(("identity", *path)), message, suggestion))

    identity = loaded.settings.identity
    if not usable_address(identity.issuer):
        add("issuer", "must be https, or http on loopback, without user or password")
    if identity.trusted_ca is not None and not readable_authorities(identity.trusted_ca):
        add("trusted_ca", f"{identity.trusted_ca} is not a readable PEM file of certificates")
    if identity.client_ca is not None and not readable_authorities(identity.client_ca):
        add("client_ca", f"{identity.client_ca} is not a readable PEM file of certificates")
    if identity.client_id == identity.audience:
        add("client_id", "must differ from `audience`: else an ID token would pass for an access token")
    if "openid" not in identity.scopes:
        add("scopes", "must contain `openid`: without it the provider gives no ID token", 'such as ["openid"]')
    if not identity.algorithms:
        add("algorithms", "must name at least one algorithm", 'such as ["RS256"]')
    wanted = identity.token_exchange
    if wanted is not None:
        if wanted.client_id == identity.client_id:
            add("token_exchange", "client_id must be another one than [identity].client_id, which has no secret")
        for key in ("client_secret", "client_secret_file", "actor_token_file"):
            why = request.trouble(wanted, key, os.environ)
            if why is not None:
                add_at(("token_exchange", key), why)
    return found
