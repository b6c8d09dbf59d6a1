"""Credentials in the pipeline: after the verdict, the service's own secret takes the place of whatever was sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping

from mitmproxy import http

from sluicegate import codings
from sluicegate.clock import Clock, SystemClock
from sluicegate.credentials import echo
from sluicegate.credentials.held import Held, Secrets
from sluicegate.credentials.sigv4 import NotSignable, Sent
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Watch
from sluicegate.settings import Loaded
from sluicegate.settings.model import Service

AT_ONCE = 256 << 10
"""Plain bytes up to which a response is searched in the hook; larger and coded ones are searched in a thread."""
MAX_BODY = 16 << 20
LOOK_SECONDS = 2.0
"""How often files and commands are looked at."""


class CredentialsAddon:
    """Holds the secrets from its making on: a later change of the environment changes nothing, one of a file does.

    Raises Fault when a secret is missing or cannot be used.
    """

    name = "credentials"

    def __init__(
        self,
        services: Mapping[str, Service],
        environ: Mapping[str, str],
        max_body: int = MAX_BODY,
        clock: Clock | None = None,
    ) -> None:
        self._max_body = max_body
        self._environ = dict(environ)
        self._clock = clock or SystemClock()
        self._looking: asyncio.Task[None] | None = None
        self.part = Secrets(services, self._environ, self._clock.now())

    async def open(self) -> None:
        """Begin to look whether files have changed, and to run commands again."""
        self._looking = asyncio.get_running_loop().create_task(self._look(), name="credentials")

    async def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
            self._looking = None

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.part.look, self._clock.now())

    def prepare(self, loaded: Loaded) -> Secrets:
        """The secrets of another policy, from the same environment. Runs on a thread. Raises Fault."""
        return Secrets(loaded.settings.services, self._environ, self._clock.now())

    def adopt(self, part: Secrets) -> None:
        """From now on, new exchanges get these."""
        self.part = part

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Put the secret in. Raises Refusal when nothing has let the exchange through yet."""
        verdict = exchange.verdict
        waits = verdict is not None and verdict.effect == "hold" and exchange.approval is None
        if exchange.principal is None or verdict is None or verdict.effect == "deny" or waits:
            raise Refusal(
                403,
                "no-decision",
                "Not decided",
                "Nothing has positively let this exchange through, so the service's credential stays here.",
            )
        held = self._held(exchange)
        if held is None:
            return
        request, secret = flow.request, held.secret
        exchange.secret_headers |= secret.carried_by
        lower = request.is_http2 or request.is_http3
        body = request.raw_content
        if body is None:
            raise RuntimeError("the request has no complete body to sign")
        # In HTTP/2 the host stands in a pseudo-header, and is signed all the same.
        sent = Sent(request.method, request.path, request.headers.fields, body, request.authority or request.host)
        try:
            request.headers.fields = secret.into(sent, self._clock.now(), lower=lower)
        except NotSignable as error:
            raise _not_signable(str(error)) from None

    def response_begins(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Has what passes piece by piece looked at as well."""
        held = self._held(exchange)
        secrets = held.needles if held is not None else ()
        if not secrets or flow.response is None:
            return
        if echo.gives_away(secrets, flow.response.headers.fields, b""):
            raise _given_away()

        def look(piece: bytes) -> None:
            if echo.gives_away(secrets, (), piece):
                raise _given_away()

        exchange.watch = Watch(look, max(map(len, secrets)) - 1)

    def response(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Nothing that gives the service's secret away goes on. Raises Refusal, also where nobody here can tell."""
        held = self._held(exchange)
        secrets = held.needles if held is not None else ()
        if not secrets:
            return None
        response = flow.response
        if exchange.begun:
            if exchange.watch is None:
                raise RuntimeError("nobody has looked at what left")
            return None
        if response is None or response.stream:
            raise RuntimeError("there is no whole response to search")
        raw, coding = response.raw_content or b"", ", ".join(response.headers.get_all("content-encoding"))
        if raw and (len(raw) > AT_ONCE or coding.strip().lower() not in ("", "identity")):
            return self._later(response, secrets, raw, coding)
        if echo.gives_away(secrets, response.headers.fields, raw):
            raise _given_away()
        return None

    def _held(self, exchange: Exchange) -> Held | None:
        secrets: Secrets = exchange.in_force.get(self.name, self.part)
        return secrets.of(exchange.service)

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


def _not_signable(why: str) -> Refusal:
    return Refusal(
        403,
        "not-signable",
        "Request cannot be signed",
        f"The gateway signs with the service's own key, and cannot sign this request, because {why}.",
        next_step="Let your SDK sign as usual, with any key, and set request_checksum_calculation = when_required.",
    )
