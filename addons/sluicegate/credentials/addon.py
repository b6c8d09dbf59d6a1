"""Credentials in the pipeline: after the verdict, the service's own secret takes the place of whatever was sent."""

from __future__ import annotations

from collections.abc import Mapping

from mitmproxy import http

from sluicegate.credentials.headers import may_carry, replaced
from sluicegate.credentials.values import ValueTrouble, filled
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Exchange
from sluicegate.settings import Loaded
from sluicegate.settings.model import Service


class CredentialsAddon:
    """Holds the secrets from its making on: a later change of the environment changes nothing.

    Raises Fault when a secret is missing or cannot be used.
    """

    name = "credentials"

    def __init__(self, services: Mapping[str, Service], environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self.part = _secrets(services, environ)
        """Service name to header name and value."""

    def prepare(self, loaded: Loaded) -> dict[str, tuple[str, str]]:
        """The secrets of another policy, from the same environment. Runs on a thread. Raises Fault."""
        return _secrets(loaded.settings.services, self._environ)

    def adopt(self, part: dict[str, tuple[str, str]]) -> None:
        """From now on, new exchanges get these."""
        self.part = part

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Put the secret in. Raises Refusal when nothing has let the exchange through yet."""
        verdict = exchange.verdict
        held = verdict is not None and verdict.effect == "hold" and exchange.approval is None
        if exchange.principal is None or verdict is None or verdict.effect == "deny" or held:
            raise Refusal(
                403,
                "no-decision",
                "Not decided",
                "Nothing has positively let this exchange through, so the service's credential stays here.",
            )
        secret = exchange.in_force.get(self.name, self.part).get(exchange.service or "")
        if secret is None:
            return
        header, value = secret
        exchange.secret_headers.add(header.lower())
        flow.request.headers.fields = replaced(
            flow.request.headers.fields, header, value, lower=flow.request.is_http2 or flow.request.is_http3
        )


def _secrets(services: Mapping[str, Service], environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    found = {}
    for name, service in services.items():
        credential = service.credential
        if credential is None:
            continue
        if not may_carry(credential.header):
            raise Fault(f"The credential of the service {name} cannot be sent in the header {credential.header}.")
        try:
            found[name] = credential.header, filled(credential.value, environ)
        except ValueTrouble as trouble:
            raise Fault(f"The credential of the service {name}: {trouble}.", hint=trouble.suggestion) from None
    return found
