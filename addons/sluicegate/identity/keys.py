"""The provider's keys as the gateway holds them: fetched ahead of need, so that requests do not wait for the provider.

They are fetched again in the background every ten minutes. A token that names an unknown key (the provider rolled its
keys) makes the requests that carry it wait for one fetch, together, at most once in half a minute. While the provider
is down the known keys stay good for a day.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging

from sluicegate.clock import Clock
from sluicegate.identity.provider import Provider, ProviderTrouble
from sluicegate.identity.screening import SigningKey, screen

logger = logging.getLogger(__name__)

FRESH_FOR = 600.0
"""Seconds after which keys are fetched again in the background."""
USABLE_FOR = 86_400.0
"""Seconds for which keys may be used when they cannot be fetched again."""
RETRY_AFTER = 30.0
"""Least seconds between two fetches."""


class Keys:
    """The screened keys of one provider. All times are event time. Lives on one event loop."""

    def __init__(self, provider: Provider, clock: Clock) -> None:
        self.version = 0
        """Grows with every change of the keys: what was verified under another version has to be verified again."""
        self.trouble: str | None = None
        """Why the last fetch failed, None when it did not."""
        self._provider = provider
        self._clock = clock
        self._keys: dict[str, SigningKey] = {}
        self._fetched = self._tried = float("-inf")
        self._flight: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Fetch the keys for the first time. Raises ProviderTrouble."""
        await self._provider.open()
        await self._fetch_once()
        if self.trouble is not None:
            raise ProviderTrouble(self.trouble)

    async def close(self) -> None:
        """Give up the fetch that is under way, if any, and close the client."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait([self._flight])
        await self._provider.close()

    def ready(self, now: float) -> bool:
        """Whether the keys that are held may be believed. Starts a fetch in the background when it is due."""
        age = now - self._fetched
        if 0 <= age < FRESH_FOR:
            return True
        if self._may_fetch(now):
            self._start()
        return 0 <= age < USABLE_FOR

    async def find(self, kid: str) -> SigningKey | None:
        """The key with this id; None when the provider has none, or cannot be asked (then `trouble` says why)."""
        key = self._held(kid)
        if key is None and (self._flight is not None or self._may_fetch(self._clock.now())):
            await self._fetch_once()
            key = self._held(kid)
        return key

    def _held(self, kid: str) -> SigningKey | None:
        return self._keys.get(kid) if 0 <= self._clock.now() - self._fetched < USABLE_FOR else None

    def _may_fetch(self, now: float) -> bool:
        # A clock that was set back must not lock the keys for as long as it went back.
        return not 0 <= now - self._tried < RETRY_AFTER

    async def _fetch_once(self) -> None:
        # Shielded: one who gives up waiting must not take the answer from the others.
        await asyncio.shield(self._flight or self._start())

    def _start(self) -> asyncio.Task[None]:
        if self._flight is None:
            self._tried = self._clock.now()
            # In a context of its own, or the fetch would inherit the address check of whichever upstream
            # connection the request that set it off belongs to.
            self._flight = asyncio.create_task(self._fetch(), context=contextvars.Context())
        return self._flight

    async def _fetch(self) -> None:
        try:
            keys, complaints = screen(await self._provider.published_keys())
            if not keys:
                raise ProviderTrouble(f"publishes no key that can be used ({'; '.join(complaints)})")
        except (ProviderTrouble, ValueError) as error:
            self._failed(str(error))
        except Exception as error:
            # Whatever it was: the keys that are held stay, grow stale, and are refused in the end.
            logger.exception("Fetching the keys of %s failed", self._provider.issuer)
            self._failed(f"cannot be used: {type(error).__name__}")
        else:
            self._take(keys, complaints)
        finally:
            self._flight = None

    def _take(self, keys: dict[str, SigningKey], complaints: list[str]) -> None:
        if self.trouble is not None:
            logger.info("The identity provider %s is back.", self._provider.issuer)
        self.trouble = None
        self._fetched = self._clock.now()
        known = {kid: (key.thumbprint, key.algorithms) for kid, key in self._keys.items()}
        if known != {kid: (key.thumbprint, key.algorithms) for kid, key in keys.items()}:
            self.version += 1
            logger.info("The identity provider %s has %d usable keys.", self._provider.issuer, len(keys))
            for complaint in complaints:
                logger.warning("The identity provider %s: %s.", self._provider.issuer, complaint)
            self._keys = keys

    def _failed(self, trouble: str) -> None:
        if self.trouble is None and self._keys:
            logger.warning("The identity provider %s %s; its known keys stay in use.", self._provider.issuer, trouble)
        self.trouble = trouble
