"""The provider as a workstation sees it: what it publishes, and Authlib's client for it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluicegate.errors import Fault
from sluicegate.identity.provider import Provider, ProviderTrouble, usable_address

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import OAuth2Client

SECONDS = 15.0
"""How long one call to the provider may take."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the console says about signing in."""

    issuer: str
    client_id: str
    scopes: tuple[str, ...]
    device: bool
    """Whether the device flow is allowed."""
    gateway: str
    ca: str | None
    """PEM file with the authorities of console and provider; None: those of the system."""

    @classmethod
    def of(cls, document: dict[str, Any], ca: str | None) -> Terms:
        """From the console's answer. Raises Fault when that is not what it should be."""
        try:
            issuer, client_id, gateway = (str(document[name]) for name in ("issuer", "client_id", "gateway"))
            return cls(issuer, client_id, tuple(map(str, document["scopes"])), bool(document["device"]), gateway, ca)
        except (KeyError, TypeError):
            raise Fault("The console does not say how to sign in; is it of another version?") from None


def discover(terms: Terms) -> dict[str, Any]:
    """The provider's discovery document. Raises Fault."""

    async def read() -> dict[str, Any]:
        provider = Provider(terms.issuer, trusted_ca=terms.ca, patience=SECONDS)
        await provider.open()
        try:
            return await provider.metadata()
        finally:
            await provider.close()

    try:
        return asyncio.run(read())
    except ProviderTrouble as trouble:
        raise Fault(
            f"The identity provider {terms.issuer} {trouble}.", hint="Try again, or tell the gateway's operator."
        ) from None


def endpoint(metadata: dict[str, Any], name: str, terms: Terms) -> str:
    """An address of the provider. Raises Fault when it has none that can be trusted."""
    address = metadata.get(name)
    if not isinstance(address, str) or not usable_address(address, beside=terms.issuer):
        raise Fault(f"The identity provider {terms.issuer} publishes no {name} that can be trusted.")
    return address


@contextmanager
def client(terms: Terms, redirect_uri: str | None = None) -> Iterator[OAuth2Client]:
    """Authlib's client: public, with PKCE. No proxy of the environment: that is the gateway itself."""
    from authlib.integrations.httpx_client import OAuth2Client

    with OAuth2Client(
        client_id=terms.client_id,
        token_endpoint_auth_method="none",
        scope=" ".join(terms.scopes),
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
        trust_env=False,
        follow_redirects=False,
        timeout=SECONDS,
        verify=ssl.create_default_context(cafile=terms.ca) if terms.ca else True,
    ) as made:
        yield made
