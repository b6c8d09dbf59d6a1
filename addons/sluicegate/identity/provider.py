"""Reads what the identity provider publishes: its discovery document and its keys (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sluicegate.identity.compact import strict_object
from sluicegate.identity.screening import MAX_KEYS

if TYPE_CHECKING:
    import httpx2

MAX_DOCUMENT = 256 * 1024
"""Longest document that is read, in bytes."""
PATIENCE = 5.0
"""Seconds for discovery and keys together."""


class ProviderTrouble(Exception):
    """The provider cannot be reached, or what it publishes cannot be used. The text continues a sentence about it."""


class Provider:
    """One issuer, over one HTTP client that knows no proxy variables and follows no redirects."""

    def __init__(self, issuer: str, *, trusted_ca: str | None = None, patience: float = PATIENCE) -> None:
        self.issuer = issuer
        self._trusted_ca = trusted_ca
        self._patience = patience
        self._client: httpx2.AsyncClient | None = None

    async def open(self) -> None:
        """Make the client. Raises ProviderTrouble for a file of authorities that cannot be used."""
        try:
            # Given one explicitly, the context holds these authorities and no others.
            verify = ssl.create_default_context(cafile=self._trusted_ca) if self._trusted_ca else True
        except (OSError, ssl.SSLError):
            raise ProviderTrouble(f"cannot be verified: {self._trusted_ca} is not a readable PEM file") from None
        import httpx2

        self._client = httpx2.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            verify=verify,
            timeout=self._patience,
            # Minutes lie between two fetches: a kept connection would only be one that the provider has closed.
            limits=httpx2.Limits(max_keepalive_connections=0),
            headers={"accept": "application/json", "accept-encoding": "identity", "user-agent": "sluicegate"},
        )

    async def close(self) -> None:
        """Close the client. Closing twice is harmless."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def metadata(self) -> dict[str, Any]:
        """The discovery document, whose `issuer` is ours. Raises ProviderTrouble."""
        try:
            async with asyncio.timeout(self._patience):
                return await self._discover()
        except TimeoutError:
            raise self._late() from None

    async def userinfo(self, address: str, access_token: str) -> dict[str, Any]:
        """What the provider says of the owner of an access token (OpenID Connect Core section 5.3).

        Raises ProviderTrouble, for an address that cannot be trusted too.
        """
        if not usable_address(address, beside=self.issuer):
            raise ProviderTrouble("publishes no userinfo_endpoint that can be trusted (https is needed)")
        try:
            async with asyncio.timeout(self._patience):
                return await self._read(address, {"authorization": f"Bearer {access_token}"})
        except TimeoutError:
            raise self._late() from None

    async def _discover(self) -> dict[str, Any]:
        if not usable_address(self.issuer):
            raise ProviderTrouble("is not an address that can be trusted: https, or http on loopback, is needed")
        document = await self._read(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self.issuer:
            raise ProviderTrouble("publishes another issuer than its own address")
        return document

    def _late(self) -> ProviderTrouble:
        return ProviderTrouble(f"cannot be reached: no answer within {self._patience:g} seconds")

    async def published_keys(self) -> list[Any]:
        """The provider's keys, as published: not screened. Raises ProviderTrouble."""
        try:
            async with asyncio.timeout(self._patience):
                document = await self._discover()
                address = document.get("jwks_uri")
                if not isinstance(address, str) or not usable_address(address, beside=self.issuer):
                    raise ProviderTrouble("publishes no jwks_uri that can be trusted (https is needed)")
                keys = (await self._read(address)).get("keys")
        except TimeoutError:
            raise self._late() from None
        if not isinstance(keys, list) or not keys:
            raise ProviderTrouble("publishes no keys")
        if len(keys) > MAX_KEYS:
            raise ProviderTrouble(f"publishes more than {MAX_KEYS} keys")
        return keys

    async def _read(self, address: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        if self._client is None:
            raise ProviderTrouble("cannot be reached: the gateway is stopping")
        body = bytearray()
        import httpx2

        try:
            async with self._client.stream("GET", address, headers=headers) as response:
                if response.status_code != 200:
                    raise ProviderTrouble(f"answered {response.status_code} for {urlsplit(address).path}")
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise ProviderTrouble("answered in a content coding that was not asked for")
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > MAX_DOCUMENT:
                        raise ProviderTrouble(f"answered with more than {MAX_DOCUMENT // 1024} kB")
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            raise ProviderTrouble(f"cannot be reached: {_said(error)}") from None
        try:
            return strict_object(bytes(body))
        except ValueError:
            raise ProviderTrouble(f"did not answer with a JSON object for {urlsplit(address).path}") from None


def _said(error: Exception) -> str:
    # One line, and no more of it than an operator reads: some of it may be the other side's words.
    text = "".join(c if c.isprintable() else " " for c in str(error)).strip(" .")
    return text[:200] or type(error).__name__


def usable_address(address: str, *, beside: str | None = None) -> bool:
    """Whether keys may be read from here: https, or http on loopback.

    With `beside`, plain http is only accepted where that address is plain http too, so that a document from the
    network cannot send the gateway to a service on its own machine.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or not address.isascii() or not address.isprintable() or parts.username is not None or parts.fragment:
        return False
    if parts.scheme == "https":
        return True
    return parts.scheme == "http" and _loopback(host) and (beside is None or beside.startswith("http://"))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def readable_authorities(path: str) -> bool:
    """Whether a PEM file of authorities can be loaded."""
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError):
        return False
    return Path(path).is_file()
