"""Credentials in the pipeline: after the verdict, the service's own secret takes the place of whatever was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import NamedTuple

from mitmproxy import http

from sluicegate import codings
from sluicegate.credentials import echo
from sluicegate.credentials.headers import may_carry, replaced
from sluicegate.credentials.values import ValueTrouble, filled
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Exchange
from sluicegate.settings import Loaded
from sluicegate.settings.model import Service

AT_ONCE = 256 << 10
"""Plain bytes up to which a response is searched in the hook; larger and coded ones are searched in a thread."""
MAX_BODY = 16 << 20


class Secret(NamedTuple):
    """What a service wants to see, and what must not come back from it."""

    header: str
    value: str
    needles: tuple[bytes, ...]


Secrets = Mapping[str, Secret]
"""By the name of the service."""


class CredentialsAddon:
    """Holds the secrets from its making on: a later change of the environment changes nothing.

    Raises Fault when a secret is missing or cannot be used.
    """

    name = "credentials"

    def __init__(self, services: Mapping[str, Service], environ: Mapping[str, str], max_body: int = MAX_BODY) -> None:
        self._max_body = max_body
        self._environ = dict(environ)
        self.part = _secrets(services, self._environ)

    def prepare(self, loaded: Loaded) -> Secrets:
        """The secrets of another policy, from the same environment. Runs on a thread. Raises Fault."""
        return _secrets(loaded.settings.services, self._environ)

    def adopt(self, part: Secrets) -> None:
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
        secret = self._secret(exchange)
        if secret is None:
            return
        header, value, _ = secret
        exchange.secret_headers.add(header.lower())
        flow.request.headers.fields = replaced(
            flow.request.headers.fields, header, value, lower=flow.request.is_http2 or flow.request.is_http3
        )

    def response(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Nothing that gives the service's secret away goes on. Raises Refusal, also where nobody here can tell."""
        secret = self._secret(exchange)
        if secret is None or not secret.needles:
            return None
        secrets = secret.needles
        response = flow.response
        if response is None or response.stream:
            raise RuntimeError("there is no whole response to search")
        raw, coding = response.raw_content or b"", ", ".join(response.headers.get_all("content-encoding"))
        if raw and (len(raw) > AT_ONCE or coding.strip().lower() not in ("", "identity")):
            return self._later(response, secrets, raw, coding)
        if echo.gives_away(secrets, response.headers.fields, raw):
            raise _given_away()
        return None

    def _secret(self, exchange: Exchange) -> Secret | None:
        secrets: Secrets = exchange.in_force.get(self.name, self.part)
        return secrets.get(exchange.service or "")

    async def _later(self, response: http.Response, secrets: tuple[bytes, ...], raw: bytes, coding: str) -> None:
        def found() -> bool:
            body = echo.readable(raw, coding, self._max_body)
            return echo.gives_away(secrets, response.headers.fields, body)

        try:
            if await asyncio.to_thread(found):
                raise _given_away()
        except codings.CodingError as error:
            raise Refusal(
                502,
                "response-unreadable",
                "Answer not readable",
                f"Nothing was let through, because nobody can see what is in it: {error}.",
                next_step="Ask for another content coding, or tell the people who run the service.",
            ) from None


def _given_away() -> Refusal:
    return Refusal(
        502,
        "credential-echoed",
        "Answer holds a credential",
        "Nothing was let through, because the service's answer holds the credential that the gateway signs in with.",
        next_step="Tell the gateway's operator, and the people who run the service, what you had asked for.",
    )


def _secrets(services: Mapping[str, Service], environ: Mapping[str, str]) -> Secrets:
    found = {}
    for name, service in services.items():
        credential = service.credential
        if credential is None:
            continue
        if not may_carry(credential.header):
            raise Fault(f"The credential of the service {name} cannot be sent in the header {credential.header}.")
        try:
            value = filled(credential.value, environ)
        except ValueTrouble as trouble:
            raise Fault(f"The credential of the service {name}: {trouble}.", hint=trouble.suggestion) from None
        found[name] = Secret(credential.header, value, echo.needles(credential.value, value, environ))
    return found
