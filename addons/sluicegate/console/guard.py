"""What every call to the console goes through before any route: the right host, a signed-in person, not too
often, a small body.

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
from sluicegate.clock import Clock
from sluicegate.console.limits import Limit
from sluicegate.errors import Refusal
from sluicegate.exchange import Principal
from sluicegate.identity.handle import PREFIX
from sluicegate.settings.hosts import split_authority

BODY_LIMIT = 16_384
"""Bytes of a request body."""

BODY_SECONDS = 10.0
"""How long a body may take to arrive."""

SIGN_IN_LIMIT = 65_536
"""The same, where people sign in: three tokens of the provider may come in one body."""

OPEN_PATHS = frozenset({"/healthz", "/authority.pem", "/api/sign-in", "/oidc/backchannel-logout"})
"""What may be asked by anybody: whether the console is there, whom to trust, and what brings its own proof."""

SIGN_IN = "/api/sign-in"

FORM_PATHS = frozenset({"/oidc/backchannel-logout"})
"""Where the body is a form (OpenID Connect Back-Channel Logout 1.0 section 2.5)."""

COOKIE = "__Host-sluicegate"
"""The cookie of a browser's session. The prefix binds it to this host, whole, and to a safe connection."""

OPEN_PAGES = ("/sign-in", "/callback", "/static/")
"""What a browser may ask for before anybody has signed in."""

HANDLE = "sluicegate.handle"
"""Where in the scope the pages find the session's handle, to tie forms to it."""

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


_PAGE_HEADERS = {
    **_HEADERS,
    # No inline script or style, nothing from anywhere else, no form that leads away, no frame.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    # The address of a page names an approval: other sites are not told. Our own forms say where they come from.
    "referrer-policy": "same-origin",
}


class Pages(Protocol):
    """What a browser is shown in the place of a problem."""

    def refused(self, refusal: Refusal) -> Response: ...
    def sign_in_first(self, path: str, query: str, from_elsewhere: bool) -> Response: ...


class Verifies(Protocol):
    """What the console needs of identity: a token in, a Principal out, or a Refusal."""

    async def verify(self, token: str) -> Principal: ...


class Guard:
    """ASGI middleware. Every answer that leaves through it carries the security headers; every error is a problem."""

    def __init__(
        self, app: ASGIApp, *, hosts: frozenset[str], verifier: Verifies, clock: Clock, pages: Pages | None = None
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._verifier = verifier
        self._pages = pages
        # A person's own, so that nobody who calls in a circle keeps others waiting. A command that watches asks twice a
        # second, a page at most once.
        self._looks = Limit(clock, burst=1200, per_second=30.0)
        self._acts = Limit(clock, burst=60, per_second=1.0)
        self._sign_ins = Limit(clock, burst=60, per_second=1.0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # There are no WebSockets here, and nothing to start or stop.
        begun, pages = False, self._pages if is_page(scope["path"]) else None

        async def send_guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                MutableHeaders(scope=message).update(_PAGE_HEADERS if pages else _HEADERS)
            await send(message)

        try:
            if pages is not None:
                await self._admit_browser(pages, scope, receive, send_guarded)
            else:
                await self._admit(scope, receive, send_guarded)
        except Refusal as refusal:
            await (pages.refused if pages else answer)(refusal)(scope, receive, send_guarded)
        except Exception:
            _log.exception("A call to the console failed.")
            if begun:
                raise
            await (pages.refused if pages else answer)(_failed())(scope, receive, send_guarded)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers)
        if scope["path"] not in OPEN_PATHS:
            scope[PERSON] = await self._person(headers)
            self._take(scope, scope[PERSON])
        elif scope["path"] == SIGN_IN and scope["method"] == "POST":
            # By address, since nobody is known yet. The provider's logout is not limited: none of them may be lost.
            self._sign_ins.take((scope.get("client") or ("",))[0])
        if scope["method"] not in ("GET", "HEAD"):
            _check_type(headers, scope["path"])
        body = await _body(receive, SIGN_IN_LIMIT if scope["path"] in OPEN_PATHS else BODY_LIMIT)
        await self._app(scope, _once(body, receive), send)

    async def _admit_browser(self, pages: Pages, scope: Scope, receive: Receive, send: Send) -> None:
        """A browser comes with a cookie, and never with a bearer token; a call never comes with a cookie."""
        headers, path = Headers(scope=scope), scope["path"]
        self._check_host(headers)
        site = headers.get("sec-fetch-site", "same-origin")
        if scope["method"] not in ("GET", "HEAD") and site not in ("same-origin", "none"):
            raise Refusal(403, "form-not-ours", "This form is not ours", "It was sent from another site.")
        if not path.startswith(OPEN_PAGES):
            handle = _cookie(headers)
            person = await self._signed_in(handle) if handle else None
            if person is None:
                again = pages.sign_in_first(path, scope["query_string"].decode("latin-1"), site == "cross-site")
                return await again(scope, receive, send)
            scope[PERSON], scope[HANDLE] = person, handle
            self._take(scope, person)
        if scope["method"] not in ("GET", "HEAD"):
            types = headers.getlist("content-type")
            if len(types) != 1 or types[0].partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
                raise Refusal(415, "form-required", "A form is required", "This page takes a form.")
        body = await _body(receive, BODY_LIMIT)
        return await self._app(scope, _once(body, receive), send)

    def _take(self, scope: Scope, person: Principal) -> None:
        """One call of a person. Raises Refusal 429."""
        limit = self._looks if scope["method"] in ("GET", "HEAD") else self._acts
        limit.take(f"{person.issuer}\n{person.subject}")

    async def _signed_in(self, handle: str) -> Principal | None:
        try:
            return await self._verifier.verify(handle)
        except Refusal as refusal:
            if refusal.status == 503:
                raise
            return None

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


def is_page(path: str) -> bool:
    """Whether a path is one of the pages for browsers, and no call of a program."""
    return not path.startswith(("/api/", "/oidc/")) and path not in OPEN_PATHS | {"/api", "/oidc"}


def _cookie(headers: Headers) -> str:
    """The session's handle; empty where there is none, or more than one."""
    found = [value for name, value in _cookies(headers) if name == COOKIE]
    return found[0] if len(found) == 1 and found[0].startswith(PREFIX) else ""


def _cookies(headers: Headers) -> list[tuple[str, str]]:
    pairs = [pair.partition("=") for value in headers.getlist("cookie") for pair in value.split(";")]
    return [(name.strip(), value.strip()) for name, _, value in pairs]


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
