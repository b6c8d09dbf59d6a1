"""The provider's token endpoint, over one HTTP client that knows no proxy variables and follows no redirects."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from sluicegate.identity.on_behalf.request import Asking
from sluicegate.identity.provider import Provider, ProviderTrouble
from sluicegate.identity.sign_in.grants import Grants
from sluicegate.settings.model import Identity

if TYPE_CHECKING:
    import httpx2

MAX_ANSWER = 64 << 10
"""Longest answer that is read, in bytes."""


class TokenEndpoint:
    """Lives on one event loop: `open` before, `close` after use."""

    def __init__(self, settings: Identity, patience: float) -> None:
        self._settings = settings
        self._patience = patience
        self._provider = Provider(settings.issuer, trusted_ca=settings.trusted_ca, patience=patience)
        self._grants = Grants(settings, self._provider)
        self._client: httpx2.AsyncClient | None = None

    async def open(self) -> None:
        """Raises ProviderTrouble for a file of authorities that cannot be used."""
        await self._provider.open()
        import httpx2

        ca = self._settings.trusted_ca
        self._client = httpx2.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            verify=ssl.create_default_context(cafile=ca) if ca else True,
            timeout=self._patience,
            limits=httpx2.Limits(max_connections=16, max_keepalive_connections=4, keepalive_expiry=10),
            headers={"accept": "application/json", "accept-encoding": "identity", "user-agent": "sluicegate"},
        )

    async def close(self) -> None:
        """Closing twice is harmless."""
        await self._provider.close()
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def ask(self, asking: Asking) -> tuple[int, bytes]:
        """Status and body of the answer. Raises ProviderTrouble, whose text holds nothing of what was sent."""
        address = await self._grants.address("token_endpoint")
        if self._client is None:
            raise ProviderTrouble("is not asked any more: the gateway is stopping")
        import httpx2

        body = bytearray()
        try:
            async with self._client.stream(
                "POST", address, content=asking.body, headers=dict(asking.headers)
            ) as response:
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise ProviderTrouble("answered in a content coding that was not asked for")
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > MAX_ANSWER:
                        raise ProviderTrouble(f"answered with more than {MAX_ANSWER // 1024} kB")
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            raise ProviderTrouble(f"cannot be reached: {type(error).__name__}") from None
        if response.status_code >= 500 or response.status_code == 429:
            raise ProviderTrouble(f"answered {response.status_code}")
        return response.status_code, bytes(body)
