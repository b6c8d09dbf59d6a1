"""One exchange of a person's token for one that a service takes, and how a failure is told: in the log with the
provider's own words, to the person with a refusal, and never with a secret."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from sluicegate.clock import Clock
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Target
from sluicegate.identity.on_behalf import answer, refusals, request
from sluicegate.identity.on_behalf.endpoint import TokenEndpoint
from sluicegate.identity.provider import PATIENCE, ProviderTrouble
from sluicegate.settings.model import Identity

logger = logging.getLogger(__name__)

_NOT_OF_THE_PERSON = ("invalid_client", "unauthorized_client", "temporarily_unavailable", "server_error", "slow_down")
"""Words of the provider that say nothing about the person or the service."""


class NoToken(Exception):
    """None came. `said`: the provider's own word, where it speaks about this person and this service; else empty."""

    def __init__(self, refusal: Refusal, said: str = "") -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.said = said


class Exchanger:
    """The gateway's client at the provider. Lives on one event loop: `open` before, `close` after use."""

    def __init__(
        self,
        settings: Identity,
        environ: Mapping[str, str],
        clock: Clock,
        claims_to_be_ours: Callable[[str], bool],
    ) -> None:
        """Raises Fault when the secret of the client cannot be had. [identity.token_exchange] must be set."""
        assert settings.token_exchange is not None
        self._settings = settings.token_exchange
        self._environ = dict(environ)
        self._clock = clock
        self._ours = claims_to_be_ours
        self._endpoint = TokenEndpoint(settings, PATIENCE)
        try:
            request.client_secret(self._settings, self._environ)
        except request.NoSecret as trouble:
            raise Fault(f"The gateway's client at the identity provider: {trouble}.") from None

    async def open(self) -> None:
        """Raises Fault for a file of authorities that cannot be used."""
        try:
            await self._endpoint.open()
        except ProviderTrouble as trouble:
            raise Fault(f"The identity provider {trouble}.", hint="Check [identity].") from None

    async def close(self) -> None:
        """Closing twice is harmless."""
        await self._endpoint.close()

    async def exchanged(self, target: Target, whose: str, subject: str, kind: str) -> answer.Granted:
        """A token for `target` in exchange for `subject`, a token of the kind `kind`. Raises NoToken."""
        service = target.service
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._asked(target, subject, kind)
        except answer.NotGranted as trouble:
            logger.error("no token for the service %s on behalf of %r: the provider %s", service, whose, trouble)
            said = "" if trouble.error in _NOT_OF_THE_PERSON else trouble.error
            raise NoToken(refusals.refused(service, trouble.error), said) from None
        except (ProviderTrouble, request.NoSecret) as trouble:
            by = "the provider " if isinstance(trouble, ProviderTrouble) else ""
            logger.error("no token for the service %s on behalf of %r: %s%s", service, whose, by, trouble)
        except TimeoutError:
            logger.error("no token for the service %s on behalf of %r: no answer in time", service, whose)
        except Exception as error:
            # Only its kind is told: what it says may quote what was sent.
            logger.error("no token for the service %s on behalf of %r: %s", service, whose, type(error).__name__)
        raise NoToken(refusals.unavailable(service))

    async def _asked(self, target: Target, subject: str, kind: str) -> answer.Granted:
        asking = await asyncio.to_thread(request.made, self._settings, self._environ, target, subject, kind)
        sent = self._clock.now()
        status, body = await self._endpoint.ask(asking)
        granted = answer.read(status, body, target, sent, asking.secrets)
        if self._ours(granted.token):
            raise answer.NotGranted("", "gave a token for the gateway itself, with which the service could come here")
        return granted
