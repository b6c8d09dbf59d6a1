"""The services' secrets while a gateway runs: looked at again, so that one that is replaced needs no restart."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from sluicegate.credentials import sources
from sluicegate.credentials.headers import may_carry
from sluicegate.credentials.personal import Wanted, wanted
from sluicegate.credentials.secret import Secret, made
from sluicegate.credentials.values import ValueTrouble
from sluicegate.errors import Fault
from sluicegate.settings.model import Credential, Service

logger = logging.getLogger(__name__)


class Held:
    """The secret of one service. `look` may run on a thread; what it changes is one attribute at a time."""

    def __init__(self, service: str, credential: Credential, environ: Mapping[str, str], now: float) -> None:
        self._service, self._credential, self._environ = service, credential, environ
        self._signature = sources.changed(credential)
        self._read_at = now
        self._failed = False
        self.secret = made(credential, environ)
        self.before: Secret | None = None
        """The one before: an answer to a request that had it may still come."""

    @property
    def needles(self) -> tuple[bytes, ...]:
        """What must not be in an answer."""
        return self.secret.needles + (self.before.needles if self.before is not None else ())

    def look(self, now: float) -> None:
        """Read it again where its file has changed, or the command's time is up.

        Raises nothing: while the new one cannot be had, the one that there is serves.
        """
        if self._credential.value is not None:
            return
        signature = sources.changed(self._credential)
        if self._credential.command is not None:
            if now - self._read_at < self._credential.refresh_seconds:
                return
        elif signature == self._signature and not self._failed:
            return
        self._signature, self._read_at = signature, now
        try:
            found = made(self._credential, self._environ)
        except ValueTrouble as trouble:
            if not self._failed:
                logger.error("the credential of the service %s stays the one before: %s", self._service, trouble)
            self._failed = True
            return
        self._failed = False
        if found != self.secret:
            self.before, self.secret = self.secret, found


class Secrets:
    """The secrets by the name of their service. Raises Fault when one is missing or cannot be used."""

    def __init__(self, services: Mapping[str, Service], environ: Mapping[str, str], now: float) -> None:
        self._held = dict(_held(services, environ, now))
        self._wanted = dict(wanted(services))

    def of(self, service: str | None) -> Held | None:
        """The secret of a service; None where it has none, as for other hosts."""
        return self._held.get(service or "")

    def wanted(self, service: str | None) -> Wanted | None:
        """How a service wants a token of the person who asks; None where it does not."""
        return self._wanted.get(service or "")

    @property
    def any_wanted(self) -> bool:
        """Whether there is such a service."""
        return bool(self._wanted)

    def look(self, now: float) -> None:
        """Look at each of them. For a thread: files are read and commands run. Raises nothing."""
        for held in self._held.values():
            held.look(now)


def _held(services: Mapping[str, Service], environ: Mapping[str, str], now: float) -> Iterator[tuple[str, Held]]:
    for name, service in services.items():
        credential = service.credential
        if credential is None:
            continue
        if not may_carry(credential.header):
            raise Fault(f"The credential of the service {name} cannot be sent in the header {credential.header}.")
        if credential.on_behalf is not None:
            continue
        try:
            yield name, Held(name, credential, environ, now)
        except ValueTrouble as trouble:
            raise Fault(f"The credential of the service {name}: {trouble}.", hint=trouble.suggestion) from None
