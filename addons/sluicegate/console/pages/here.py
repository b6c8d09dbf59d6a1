"""The page on which somebody signs in for the address of their machine, where the policy offers that."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sluicegate.console.guard import person_of
from sluicegate.console.pages.site import Site
from sluicegate.errors import Refusal
from sluicegate.identity.sessions import addresses
from sluicegate.identity.sign_in.sign_ins import SignIns
from sluicegate.settings import Settings


class Here:
    """One form. The address is the one that the browser comes from, and nothing that it says."""

    def __init__(self, site: Site, sign_ins: SignIns, settings: Settings) -> None:
        self._site = site
        self._sign_ins = sign_ins
        self._in_front = settings.console.in_front
        self._identity = settings.identity

    def routes(self) -> list[Route]:
        """None where nobody signs in so."""
        if not self._identity.address_sign_in:
            return []
        return [
            self._site.route("/here", self.ask, "requester"),
            self._site.route("/here", self.sign_in, "requester", post=True),
        ]

    async def ask(self, request: Request) -> Response:
        address = self._address(request)
        why = addresses.trouble(address, self._identity.same_place)
        minutes = int(self._identity.address_seconds // 60)
        return self._site.render(request, "here.html", address=address, why=why, minutes=minutes, until=None)

    async def sign_in(self, request: Request) -> Response:
        address = self._address(request)
        until = await self._sign_ins.here(person_of(request), address)
        return self._site.render(request, "here.html", address=address, why=None, minutes=0, until=until)

    def _address(self, request: Request) -> str:
        peer = request.client.host if request.client else ""
        try:
            return addresses.seen(peer, request.headers.getlist("x-forwarded-for"), self._in_front)
        except ValueError as error:
            raise Refusal(
                403, "address-not-known", "Where this comes from is not known", str(error),
                next_step="Tell the gateway's operator.",
            ) from None  # fmt: skip
