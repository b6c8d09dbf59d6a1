"""What every call to the console goes through before any route: the right host, a signed-in person, a small body.

It stands before the routing, so that a route which somebody adds later cannot be reached without it.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sluicegate import problem
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal
from sluicegate.settings.hosts import split_authority

BODY_LIMIT = 16_384
"""Bytes of a request body."""

BODY_SECONDS = 10.0
"""How long a body may take to arrive."""

SIGN_IN_LIMIT = 65_536
"""The same, where people sign in: three tokens of the provider may come in one body."""

OPEN_PATHS = frozenset({"/healthz", "/authority.pem", "/api/sign-in", "/oidc/backchannel-logout"})
"""What may be asked by anybody: whether the console is there, whom to trust, and what brings its own proof."""

FORM_PATHS = frozenset({"/oidc/backchannel-logout"})
"""Where the body is a form (OpenID Connect Back-Channel Logout 1.0 section 2.5)."""

PERSON = "sluicegate.person"
"""Where in the scope the routes find who is calling."""

_log = logging.getLogger("sluicegate.console")

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Verifies(Protocol):
    """What the console needs of identity: a token in, a Principal out, or a Refusal."""

    async def verify(self, token: str) -> Principal: ...


class Guard:
    """ASGI middleware. Every answer that leaves through it carries the security headers; every error is a problem."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str], verifier: Verifies) -> None:
        self._app = app
        self._hosts = hosts
        self._verifier = verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # There are no WebSockets here, and nothing to start or stop.
        begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            await self._admit(scope, receive, send_guarded)
        except Refusal as refusal:
            await answer(refusal)(scope, receive, send_guarded)
        except Exception:
            _log.exception("A call to the console failed.")
            if begun:
                raise
            await answer(_failed())(scope, receive, send_guarded)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers)
        if scope["path"] not in OPEN_PATHS:
            scope[PERSON] = await self._person(headers)
        if scope["method"] not in ("GET", "HEAD"):
            _check_type(headers, scope["path"])
        body = await _body(receive, SIGN_IN_LIMIT if scope["path"] in OPEN_PATHS else BODY_LIMIT)
        await self._app(scope, _once(body, receive), send)

    def _check_host(self, headers: Headers) -> None:
        # A page of somebody else's can make its own name lead to this address; the browser then sends that name here.
        named = headers.getlist("host")
        try:
            if len(named) == 1 and split_authority(named[0])[0] in self._hosts:
                return
        except ValueError:
            pass
        raise Refusal(421, "wrong-host", "Wrong host", "The console does not answer under this host name.")

    async def _person(self, headers: Headers) -> Principal:
        credentials = headers.getlist("authorization")
        scheme, _, token = credentials[0].partition(" ") if len(credentials) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unauthorized(
                "sign-in-required", "Sign in first", "This call needs exactly one `Authorization: Bearer TOKEN`."
            )
        try:
            return await self._verifier.verify(token.strip())
        except Refusal as refusal:
            if refusal.status == 503:
                raise
            # Identity answers as a proxy does; here we are the service itself.
            raise _unauthorized(refusal.code, refusal.title, refusal.detail, refusal.next_step) from None


def person_of(request: Request) -> Principal:
    """Who is calling. Raises TypeError on a route that the guard let nobody in to."""
    person = request.scope.get(PERSON)
    if not isinstance(person, Principal):
        raise TypeError("a route that needs a person was reached without one")
    return person


def answer(refusal: Refusal) -> Response:
    """The problem+json response for a refusal."""
    rendered = problem.render(refusal, str(uuid.uuid4()))
    # This is an origin, not a proxy, so Proxy-Status has no place here.
    headers = {name: value for name, value in rendered.headers if name != "proxy-status"}
    return Response(rendered.body, rendered.status, headers)


def _unauthorized(code: str, title: str, detail: str, next_step: str = "") -> Refusal:
    return Refusal(401, code, title, detail, next_step=next_step, headers={"www-authenticate": "Bearer"})


def _failed() -> Refusal:
    return Refusal(
        500,
        "internal",
        "The console failed",
        "Something went wrong inside the console; nothing was decided unless it says so when you look again.",
        next_step="Try again; if it stays like this, tell whoever runs the gateway.",
    )


def _check_type(headers: Headers, path: str) -> None:
    # A form of another site can send text or forms here without being asked, but not JSON.
    types = headers.getlist("content-type")
    wanted = "application/x-www-form-urlencoded" if path in FORM_PATHS else "application/json"
    if len(types) != 1 or types[0].partition(";")[0].strip().lower() != wanted:
        if path in FORM_PATHS:
            raise Refusal(415, "form-required", "A form is required", f"Send the body as `Content-Type: {wanted}`.")
        raise Refusal(415, "json-required", "JSON is required", "Send the body as `Content-Type: application/json`.")


async def _body(receive: Receive, limit: int) -> bytes:
    body: bytes = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal(400, "body-cut", "The body was cut", "The client went before its body was complete.")
                body += message.get("body", b"")
                if len(body) > limit:
                    raise Refusal(413, "body-too-large", "Body too large", f"A body has at most {limit} bytes here.")
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        raise Refusal(408, "body-too-slow", "Body too slow", "The body took too long to arrive.") from None


def _once(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body that was read, and then whatever comes."""
    left = [body]

    async def again() -> Message:
        return {"type": "http.request", "body": left.pop(), "more_body": False} if left else await receive()

    return again
