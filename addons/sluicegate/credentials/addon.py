"""Credentials in the pipeline: after the verdict, the service's own secret takes the place of whatever was sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from mitmproxy import http

from sluicegate import codings
from sluicegate.clock import Clock, SystemClock
from sluicegate.credentials import echo
from sluicegate.credentials.headers import replaced
from sluicegate.credentials.held import Held, Secrets
from sluicegate.credentials.personal import PersonalTokens, Wanted
from sluicegate.credentials.sigv4 import NotSignable
from sluicegate.credentials.sigv4 import Sent as ToSign
from sluicegate.errors import Fault, Refusal
from sluicegate.exchange import Exchange, Principal, Watch
from sluicegate.settings import Loaded
from sluicegate.settings.model import Service

AT_ONCE = 256 << 10
"""Plain bytes up to which a response is searched in the hook; larger and coded ones are searched in a thread."""
MAX_BODY = 16 << 20
LOOK_SECONDS = 2.0
"""How often files and commands are looked at."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The token of a person that went out with a request."""

    needles: tuple[bytes, ...] = field(repr=False)
    turned_down: Callable[[], None] = field(repr=False)


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
        *,
        personal: PersonalTokens | None = None,
    ) -> None:
        """`personal`: who gets tokens on people's behalf; None where the policy has no [identity.token_exchange]."""
        self._max_body = max_body
        self._environ = dict(environ)
        self._clock = clock or SystemClock()
        self._looking: asyncio.Task[None] | None = None
        self._personal = personal
        self._sent: WeakKeyDictionary[http.HTTPFlow, Sent] = WeakKeyDictionary()
        self.part = self._secrets(services)

    async def open(self) -> None:
        """Begin to look whether files have changed, and to run commands again."""
        if self._personal is not None:
            await self._personal.open()
        self._looking = asyncio.get_running_loop().create_task(self._look(), name="credentials")

    async def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
            self._looking = None
        if self._personal is not None:
            await self._personal.close()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.part.look, self._clock.now())

    def prepare(self, loaded: Loaded) -> Secrets:
        """The secrets of another policy, from the same environment. Runs on a thread. Raises Fault."""
        return self._secrets(loaded.settings.services)

    def _secrets(self, services: Mapping[str, Service]) -> Secrets:
        found = Secrets(services, self._environ, self._clock.now())
        if found.any_wanted and self._personal is None:
            raise Fault("A service wants tokens on people's behalf, and the policy has no [identity.token_exchange].")
        return found

    def adopt(self, part: Secrets) -> None:
        """From now on, new exchanges get these."""
        self.part = part

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Put the secret in. Raises Refusal when nothing has let the exchange through yet."""
        presented, exchange.secret = exchange.secret, None
        verdict = exchange.verdict
        waits = verdict is not None and verdict.effect == "hold" and exchange.approval is None
        if exchange.principal is None or verdict is None or verdict.effect == "deny" or waits:
            raise Refusal(
                403,
                "no-decision",
                "Not decided",
                "Nothing has positively let this exchange through, so the service's credential stays here.",
            )
        wanted = self._in_force(exchange).wanted(exchange.service)
        if wanted is not None:
            return self._on_behalf(flow, exchange, wanted, exchange.principal, presented)
        held = self._held(exchange)
        if held is None:
            return None
        request, secret = flow.request, held.secret
        exchange.secret_headers |= secret.carried_by
        lower = request.is_http2 or request.is_http3
        body = request.raw_content
        if body is None:
            raise RuntimeError("the request has no complete body to sign")
        # In HTTP/2 the host stands in a pseudo-header, and is signed all the same.
        sent = ToSign(request.method, request.path, request.headers.fields, body, request.authority or request.host)
        try:
            request.headers.fields = secret.into(sent, self._clock.now(), lower=lower)
        except NotSignable as error:
            raise _not_signable(str(error)) from None
        return None

    def _on_behalf(
        self, flow: http.HTTPFlow, exchange: Exchange, wanted: Wanted, who: Principal, presented: str | None
    ) -> Awaitable[None] | None:
        """Put a token of the person in: at once where one is at hand. Without one nothing goes out."""
        personal = self._personal
        if personal is None:
            raise RuntimeError("nobody gets tokens on people's behalf")

        def put(token: str) -> None:
            exchange.secret_headers.add(wanted.header.lower())
            request = flow.request
            lower = request.is_http2 or request.is_http3
            request.headers.fields = replaced(request.headers.fields, wanted.header, wanted.value(token), lower=lower)
            self._sent[flow] = Sent(
                echo.needles({token}), lambda: personal.turned_down(who, presented, wanted.target, token)
            )

        async def later() -> None:
            put(await personal.obtain(who, presented, wanted.target))

        token = personal.cached(who, presented, wanted.target)
        if token is None:
            return later()
        put(token)
        return None

    def response_begins(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Has what passes piece by piece looked at as well."""
        secrets = self._needles(flow, exchange)
        if not secrets or flow.response is None:
            return
        if echo.gives_away(secrets, flow.response.headers.fields, b""):
            raise _given_away()
        exchange.watch = _watch(secrets)

    def response(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Nothing that gives the service's secret away goes on. Raises Refusal, also where nobody here can tell."""
        secrets = self._needles(flow, exchange)
        if not secrets:
            return None
        response = flow.response
        if exchange.begun:
            if exchange.watch is None:
                raise RuntimeError("nobody has looked at what left")
            return None
        if exchange.switching:
            exchange.watch = _watch(secrets)
        if response is None or response.stream:
            raise RuntimeError("there is no whole response to search")
        raw, coding = response.raw_content or b"", ", ".join(response.headers.get_all("content-encoding"))
        if raw and (len(raw) > AT_ONCE or coding.strip().lower() not in ("", "identity")):
            return self._later(response, secrets, raw, coding)
        if echo.gives_away(secrets, response.headers.fields, raw):
            raise _given_away()
        return None

    def socket_message(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """The same for a message from the service: nothing of what opened the WebSocket comes back in it."""
        message, opened = exchange.message, exchange.opened
        if message is None or opened is None:
            raise RuntimeError("there is no message to search")
        if not message.from_client and opened.watch is not None:
            opened.watch.look(message.content)

    def _in_force(self, exchange: Exchange) -> Secrets:
        secrets: Secrets = exchange.in_force.get(self.name, self.part)
        return secrets

    def _held(self, exchange: Exchange) -> Held | None:
        return self._in_force(exchange).of(exchange.service)

    def _needles(self, flow: http.HTTPFlow, exchange: Exchange) -> tuple[bytes, ...]:
        """What must not be in the answer."""
        if self._in_force(exchange).wanted(exchange.service) is not None:
            sent = self._sent.get(flow)
            if sent is None:
                raise RuntimeError("it is not known with which token the service was asked")
            if flow.response is not None and flow.response.status_code == 401:
                sent.turned_down()
            return sent.needles
        held = self._held(exchange)
        return held.needles if held is not None else ()

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


def _watch(secrets: tuple[bytes, ...]) -> Watch:
    def look(piece: bytes) -> None:
        if echo.gives_away(secrets, (), piece):
            raise _given_away()

    return Watch(look, max(map(len, secrets)) - 1)


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
