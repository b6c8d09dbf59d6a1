"""Signing in and out in a browser: authorization code with PKCE at the provider, then a session of our own.

The session's handle is the cookie; the database has its SHA-256 alone. So the session is one of those that operators
see and end, and that the provider's logout ends.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from authlib.common.security import generate_token
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sluicegate.clock import Clock
from sluicegate.console.guard import COOKIE, person_of
from sluicegate.console.limits import Limit
from sluicegate.console.pages.site import Site
from sluicegate.errors import Refusal
from sluicegate.identity.provider import ProviderTrouble, usable_address
from sluicegate.identity.sign_in.sign_ins import Proof, SignIns
from sluicegate.settings.model import Identity

BEGUN = "__Host-sluicegate-begun"
"""The cookie that ties the provider's answer to the browser that asked."""
BEGUN_SECONDS = 600.0
MOST_BEGUN = 1000
PATIENCE = 10.0

_log = logging.getLogger("sluicegate.console")


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that the provider has not answered yet."""

    state: str
    nonce: str
    verifier: str
    redirect: str
    onward: str
    at: float


class Door:
    """Where people come in and go out. What was begun is kept in memory: who is cut off by a restart begins anew."""

    def __init__(self, site: Site, settings: Identity, sign_ins: SignIns, clock: Clock, address: str) -> None:
        self._site = site
        self._settings = settings
        self._sign_ins = sign_ins
        self._clock = clock
        self._address = address
        self._begun: OrderedDict[str, Begun] = OrderedDict()
        self._limit = Limit(clock, burst=20, per_second=0.5)

    def routes(self) -> list[Route]:
        """The first two are open: they bring somebody in."""
        return [
            Route("/sign-in", self.sign_in),
            Route("/callback", self.callback),
            self._site.route("/sign-out", self.sign_out, "requester", post=True),
        ]

    async def sign_in(self, request: Request) -> Response:
        """To the provider. `next` is the page that was wanted, `fresh` asks for a new proof of who somebody is."""
        self._limit.take(request.client.host if request.client else "")
        self._sweep()
        redirect = (self._address or str(request.base_url).rstrip("/")) + "/callback"
        onward = request.query_params.get("next", "/")
        begun = Begun(
            generate_token(32), generate_token(32), generate_token(64), redirect, onward if ours(onward) else "/",
            self._clock.now(),
        )  # fmt: skip
        more = {"prompt": "login", "max_age": "0"} if request.query_params.get("fresh") else {}
        try:
            address = (await self._sign_ins.grants.metadata()).get("authorization_endpoint")
        except ProviderTrouble:
            raise _unreachable() from None
        if not isinstance(address, str) or not usable_address(address, beside=self._settings.issuer):
            raise _unreachable()
        url, _ = self._client(begun).create_authorization_url(
            address, state=begun.state, code_verifier=begun.verifier, nonce=begun.nonce, **more
        )
        key = secrets.token_urlsafe(32)
        self._begun[key] = begun
        answer = RedirectResponse(url, 303)
        answer.set_cookie(BEGUN, key, max_age=int(BEGUN_SECONDS), secure=True, httponly=True, samesite="lax")
        return answer

    async def callback(self, request: Request) -> Response:
        """Back from the provider (RFC 6749 section 4.1.2, RFC 9207)."""
        self._sweep()
        begun = self._begun.pop(request.cookies.get(BEGUN, ""), None)
        said = request.query_params
        if begun is None or not secrets.compare_digest(said.get("state", ""), begun.state):
            return self._failed("This sign-in was not begun in this browser, or took too long.", "sign-in-state")
        try:
            if not await self._from_the_provider(said.get("iss")):
                return self._failed("The answer came from another identity provider.", "sign-in-issuer")
            if "code" not in said:
                return self._failed("The identity provider did not sign you in.", "sign-in-refused")
            tokens = await self._tokens(begun, said["code"])
            proof = Proof(
                tokens["id_token"], tokens.get("access_token"), tokens.get("refresh_token"), begun.nonce, "console"
            )
            session = await self._sign_ins.begin(proof, request.client.host if request.client else "")
        except Refusal as refusal:
            return self._failed(refusal.detail, refusal.code)
        except Exception as error:
            _log.warning("A sign-in could not be finished: %s", type(error).__name__)
            return self._failed("The identity provider did not give the tokens that it should have.", "sign-in-refused")
        answer = self._site.bare("arrived.html", onward=begun.onward)
        # Strict: no link on another site brings the session along. The page in between makes the next step our own.
        answer.set_cookie(COOKIE, session.handle, secure=True, httponly=True, samesite="strict", path="/")
        answer.delete_cookie(BEGUN, secure=True, httponly=True, samesite="lax")
        return answer

    async def sign_out(self, request: Request) -> Response:
        """End the session, here and on every gateway."""
        person = person_of(request)
        await self._sign_ins.end(person.session, person, operator=False)
        answer = self._site.bare("signed_out.html")
        answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
        return answer

    async def _tokens(self, begun: Begun, code: str) -> dict[str, Any]:
        address = (await self._sign_ins.grants.metadata()).get("token_endpoint")
        if not isinstance(address, str) or not usable_address(address, beside=self._settings.issuer):
            raise ProviderTrouble("publishes no token_endpoint that can be trusted")
        async with asyncio.timeout(PATIENCE), self._client(begun) as client:
            found: dict[str, Any] = await client.fetch_token(
                address, code=code, code_verifier=begun.verifier, grant_type="authorization_code"
            )
        return found

    def _client(self, begun: Begun) -> Any:
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        ca = self._settings.trusted_ca
        return AsyncOAuth2Client(
            client_id=self._settings.client_id,
            token_endpoint_auth_method="none",
            redirect_uri=begun.redirect,
            scope=" ".join(self._settings.scopes),
            code_challenge_method="S256",
            trust_env=False,
            follow_redirects=False,
            timeout=PATIENCE,
            verify=ssl.create_default_context(cafile=ca) if ca else True,
        )

    async def _from_the_provider(self, issuer: str | None) -> bool:
        """Whether an answer is the provider's: one that says that it names itself always does (RFC 9207)."""
        if issuer is not None:
            return issuer == self._settings.issuer
        metadata = await self._sign_ins.grants.metadata()
        return metadata.get("authorization_response_iss_parameter_supported") is not True

    def _failed(self, why: str, code: str) -> Response:
        return self._site.bare("not_signed_in.html", 400, why=why, code=code)

    def _sweep(self) -> None:
        old = self._clock.now() - BEGUN_SECONDS
        while self._begun and (len(self._begun) >= MOST_BEGUN or next(iter(self._begun.values())).at < old):
            self._begun.popitem(last=False)


def ours(path: str) -> bool:
    """Whether somebody may be sent there: a page of this console, and no other host."""
    # `//host` and `/\\host` lead to other hosts.
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isascii() and path.isprintable()


def _unreachable() -> Refusal:
    return Refusal(
        503,
        "provider-unreachable",
        "Nobody can sign in now",
        "The identity provider cannot be reached, or does not say where people sign in.",
        next_step="Try again in a minute.",
    )
