"""The provider's token endpoint, as the console uses it: refresh and revoke, by Authlib (RFC 6749 section 6, RFC 7009).

Never on the way of a request: the console asks in the background.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any

from sluicegate.identity.provider import PATIENCE, Provider, ProviderTrouble, usable_address
from sluicegate.settings.model import Identity

METADATA_SECONDS = 600.0


class GrantRefused(Exception):
    """The provider has answered that this refresh token counts no more: the person is gone, or was signed out."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What came of a refresh."""

    refresh_token: str
    """The next one; the same where the provider does not rotate them."""
    access_token: str
    id_token: str | None
    lasts: float | None = None
    """Seconds that the access token is good for, where the provider says so."""


class Grants:
    """One provider's token endpoint, as our public client. Lives on one event loop."""

    def __init__(self, settings: Identity, provider: Provider, *, patience: float = PATIENCE) -> None:
        self._settings = settings
        self._provider = provider
        self._patience = patience
        self._metadata: dict[str, Any] = {}
        self._read = float("-inf")

    async def metadata(self) -> dict[str, Any]:
        """The discovery document, remembered for ten minutes. Raises ProviderTrouble."""
        now = asyncio.get_running_loop().time()
        if not self._metadata or now - self._read >= METADATA_SECONDS:
            self._metadata, self._read = await self._provider.metadata(), now
        return self._metadata

    async def refresh(self, refresh_token: str) -> Refreshed:
        """Raises GrantRefused when the token counts no more, ProviderTrouble when that cannot be found out now."""
        from authlib.integrations.base_client import OAuthError

        address = await self.address("token_endpoint")
        try:
            async with asyncio.timeout(self._patience), self._client() as client:
                found = await client.refresh_token(address, refresh_token=refresh_token)
        except OAuthError as error:
            if error.error == "invalid_grant":
                raise GrantRefused(error.error) from None
            raise ProviderTrouble(f"refuses to refresh: {str(error.error)[:80]!r}") from None
        except TimeoutError:
            raise ProviderTrouble(f"did not answer within {self._patience:g} seconds") from None
        except Exception as error:
            # Whatever it sent or broke: it is not the clear answer that would end somebody's session.
            raise ProviderTrouble(f"cannot be asked: {type(error).__name__}") from None
        token, access, identity = (found.get(name) for name in ("refresh_token", "access_token", "id_token"))
        if not isinstance(token, str) or not isinstance(access, str) or not isinstance(identity, str | None):
            raise ProviderTrouble("answered a refresh without the tokens")
        lasts = found.get("expires_in")
        return Refreshed(token, access, identity, float(lasts) if type(lasts) in (int, float) else None)

    async def revoke(self, refresh_token: str) -> None:
        """Tell the provider that a refresh token is not needed any more. Raises ProviderTrouble."""
        address = await self.address("revocation_endpoint")
        try:
            async with asyncio.timeout(self._patience), self._client() as client:
                answer = await client.revoke_token(address, token=refresh_token, token_type_hint="refresh_token")
        except Exception as error:
            raise ProviderTrouble(f"cannot be told: {type(error).__name__}") from None
        if answer.status_code != 200:
            raise ProviderTrouble(f"answered {answer.status_code} to a revocation")

    async def address(self, name: str) -> str:
        """An endpoint of the provider's, such as `token_endpoint`. Raises ProviderTrouble."""
        address = (await self.metadata()).get(name)
        if not isinstance(address, str) or not usable_address(address, beside=self._settings.issuer):
            raise ProviderTrouble(f"publishes no {name} that can be trusted")
        return address

    def _client(self) -> Any:
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        ca = self._settings.trusted_ca
        return AsyncOAuth2Client(
            client_id=self._settings.client_id,
            token_endpoint_auth_method="none",
            revocation_endpoint_auth_method="none",
            trust_env=False,
            follow_redirects=False,
            timeout=self._patience,
            verify=ssl.create_default_context(cafile=ca) if ca else True,
        )
