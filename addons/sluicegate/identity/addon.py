"""Identity in the pipeline: who asks, on every request, and no credential of ours beyond this point."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from functools import partial

from mitmproxy import connection, http
from mitmproxy.proxy import mode_specs

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.errors import Refusal
from sluicegate.exchange import Exchange, Principal
from sluicegate.identity import credential, phantom, refusals
from sluicegate.identity.certificates import Certified, ClientCertificates
from sluicegate.identity.recognise import Recognizer
from sluicegate.settings.model import Identity


@dataclass(frozen=True, slots=True)
class Presented:
    """The credential that came with a request, or with the CONNECT of the connection that it is in."""

    token: str
    at: float
    peer: str
    certified: Certified | None = None
    """Whom the client certificate is for, where one came."""


Kept = Presented | Refusal
"""What came with the CONNECT of a connection: the credential, or why there is none that could be used."""


class IdentityAddon:
    """Sets `exchange.principal`, or refuses. Takes every Proxy-* header, and our own tokens, out of the request."""

    name = "identity"

    def __init__(self, settings: Identity, database: Database, clock: Clock, *, console: str = "") -> None:
        """`console`: where people reach it, for the page on which they sign in for an address."""
        self.recognizer = Recognizer(settings, database, clock)
        self._clock = clock
        self._certificates = ClientCertificates(settings.client_ca) if settings.client_ca else None
        self._issuer = settings.issuer
        self._exchanged = settings.token_exchange is not None
        self._page = f"{console}/here" if settings.address_sign_in else ""
        self._tunnels: dict[str, Kept] = {}
        """By connection. Verified again for each request in the tunnel, because a token outlives neither its
        expiry nor its key, and a tunnel may."""

    async def open(self) -> None:
        """Raises Fault when the identity provider's keys or the sessions cannot be had."""
        await self.recognizer.open()

    async def close(self) -> None:
        self._tunnels.clear()
        await self.recognizer.close()

    def client_disconnected(self, client: connection.Client) -> None:
        """Forget the credential of the connection."""
        self._tunnels.pop(client.id, None)

    def http_connect(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """407 without a credential. With one that is no good the tunnel opens all the same: nothing has been dialled,
        and the answer to the request inside is the one that clients show."""
        values = _strip_proxy_headers(flow, exchange)
        kept: Kept
        try:
            token = credential.from_proxy(values)
            if token is None:
                raise refusals.missing(self._issuer, challenge=True)
            kept = self._presented(token, flow)
        except Refusal as refusal:
            if refusal.status == 407:
                raise
            kept = refusal
        client = flow.client_conn.id
        if client in self._tunnels and not _same(self._tunnels[client], kept):
            raise refusals.mixed("The connection has been signed in with another credential already.")
        self._tunnels[client] = kept
        if isinstance(kept, Refusal):
            return None
        principal = self.recognizer.cached(kept.token, kept.peer)
        if principal is None or kept.certified is not None:
            return self._connect(kept, exchange)
        exchange.principal = principal
        return None

    async def _connect(self, kept: Presented, exchange: Exchange) -> None:
        try:
            exchange.principal = await self._who(kept, exchange)
        except Refusal:
            exchange.principal = None  # each request in the tunnel is told why

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        exchange.principal = None
        proxy_values = _strip_proxy_headers(flow, exchange)
        if flow.is_replay:
            raise refusals.replayed()
        client = flow.client_conn
        inner: list[str] = []
        values = flow.request.headers.get_all("authorization")
        if isinstance(client.proxy_mode, mode_specs.TransparentMode):
            token = self._in_place_of_a_key(flow, exchange, values)
            if token is None:
                return self._by_address(flow, exchange)
            came = self._presented(token, flow)
        else:
            came = self._from_proxy(flow, proxy_values)
            if values:
                inner = self._inner_tokens(flow, exchange, values, came.token)
        inner += _withhold(came.token, flow, exchange)
        if self._exchanged:
            exchange.secret = came.token
        exchange.again = partial(self._who, came)
        principal = self.recognizer.cached(came.token, came.peer)
        if principal is None or inner:
            return self._verify(came, inner, exchange)
        if came.certified is not None:
            principal = _bound(principal, came.certified, self._clock.now())
        exchange.principal = principal
        return None

    def _in_place_of_a_key(self, flow: http.HTTPFlow, exchange: Exchange, values: list[str]) -> str | None:
        """The token of a client that knows of no proxy, taken from where its service's key would be. Raises Refusal.

        A Bearer token is taken for ours in any case; elsewhere, what says that it is.
        """
        if len(values) > 1:
            raise refusals.duplicate("Authorization")
        found = phantom.tokens(flow.request.headers.fields, self.recognizer.claims_to_be_ours)
        if len(found) > 1:
            raise refusals.several()
        for token, holding in found.items():
            for field in holding:
                _take(field, flow, exchange)
            return token
        bearer = credential.from_authorization(values)
        if bearer is not None:
            _take_authorization(flow, exchange)
        return bearer

    def _by_address(self, flow: http.HTTPFlow, exchange: Exchange) -> Awaitable[None] | None:
        """Whoever has signed in for the address of the client, which carries no credential at all."""
        if not self._page:
            raise refusals.missing(self._issuer, challenge=False)
        _withhold(None, flow, exchange)
        peer = flow.client_conn.peername
        address = peer[0] if peer else ""
        exchange.again = partial(self._at, address)
        exchange.principal = self.recognizer.sessions.cached_at(address)
        return None if exchange.principal is not None else self._look_at(address, exchange)

    async def _look_at(self, address: str, exchange: Exchange) -> None:
        exchange.principal = await self._at(address, exchange)

    async def _at(self, address: str, exchange: Exchange) -> Principal:
        who = await self.recognizer.sessions.at(address)
        if who is None:
            raise refusals.missing(self._issuer, challenge=False, page=self._page)
        return who

    def response_begins(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """What passes piece by piece passes no further once the sign-in has ended."""
        self.response(flow, exchange)
        assert exchange.principal is not None
        exchange.over = partial(self.recognizer.over, exchange.principal, exchange.started)

    def response(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """An answer for whom the sign-in was ended meanwhile stays here. Raises Refusal."""
        if exchange.principal is None:
            raise RuntimeError("nobody is known to have asked for this response")
        ended = self.recognizer.over(exchange.principal, exchange.started)
        if ended is not None:
            raise ended

    async def socket_message(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Who opened the WebSocket must be signed in now, with the same credential."""
        opened = exchange.opened
        if opened is None or opened.again is None or opened.principal is None:
            raise RuntimeError("nobody is known to have opened this WebSocket")
        who, before = await opened.again(exchange), opened.principal
        if _whom(who) != _whom(before):
            raise refusals.mixed("Somebody else is signed in by now than whoever opened the WebSocket.")
        exchange.principal = who

    def _presented(self, token: str, flow: http.HTTPFlow) -> Presented:
        peer, now = flow.client_conn.peername, self._clock.now()
        certified = None
        # Only the TLS to the proxy asks for one. mitmproxy forgets it in a tunnel, so it is kept with the CONNECT.
        if self._certificates is not None and flow.client_conn.certificate_list:
            chain = [one.to_cryptography() for one in flow.client_conn.certificate_list]
            certified = self._certificates.check(chain, now)
        return Presented(token, now, peer[0] if peer else "", certified)

    def _from_proxy(self, flow: http.HTTPFlow, values: list[str]) -> Presented:
        kept = self._tunnels.get(flow.client_conn.id)
        if isinstance(kept, Refusal):
            # Kept for the life of the tunnel: without this each raise would lengthen its traceback.
            raise kept.with_traceback(None)
        if kept is not None:
            return kept
        token = credential.from_proxy(values)
        if token is None:
            raise refusals.missing(self._issuer, challenge=True)
        return self._presented(token, flow)

    def _inner_tokens(self, flow: http.HTTPFlow, exchange: Exchange, values: list[str], token: str) -> list[str]:
        """Tokens in Authorization that are ours too, taken out of the request. The service gets none of those."""
        if len(values) > 1:
            raise refusals.duplicate("Authorization")
        if token in values[0]:
            _take_authorization(flow, exchange)
            return []
        written = values[0].encode("latin-1", "replace")
        found = [
            one for one in phantom.standing_in(b"authorization", written) if self.recognizer.claims_to_be_ours(one)
        ]
        if found:
            _take_authorization(flow, exchange)
        return [one for one in found if one != token]

    async def _who(self, came: Presented, exchange: Exchange) -> Principal:
        who = await self.recognizer.verify(came.token, came.peer, presented=came.at, findings=exchange.findings)
        return who if came.certified is None else _bound(who, came.certified, self._clock.now())

    async def _verify(self, came: Presented, inner: list[str], exchange: Exchange) -> None:
        principal = await self._who(came, exchange)
        for one in inner:
            other = await self._known(one, came.peer)
            if other is not None and _whom(other) != _whom(principal):
                raise refusals.mixed("The request carries the tokens of two different people.")
        exchange.principal = principal

    async def _known(self, inner: str, peer: str) -> Principal | None:
        try:
            return await self.recognizer.verify(inner, peer)
        except Refusal:
            return None  # it proves nothing, so it contradicts nothing; the service does not get it either way


def _whom(who: Principal) -> tuple[str, str, str]:
    """Who it is, as rules tell people and machines apart."""
    return who.issuer, who.subject, who.kind


def _bound(principal: Principal, certified: Certified, now: float) -> Principal:
    """The principal, known by credential and certificate. Raises Refusal when the two are not about the same."""
    if principal.subject not in certified.names:
        raise refusals.mixed("The client certificate and the credential belong to different people.")
    if now >= certified.ends:
        raise refusals.certificate("The client certificate has ended since the connection was made.")
    return replace(principal, assurance="bound", device=certified.device)


def _withhold(token: str | None, flow: http.HTTPFlow, exchange: Exchange) -> list[str]:
    """Take out every header that holds our token, or any handle, whatever its name. Returns the other handles.

    Raises Refusal 400 where the address holds one.
    """
    request, mark = flow.request, phantom.MARK
    secret = mark if token is None else token.encode("latin-1", "replace")
    # One look over everything: no token has a line end in it, so none is found across two headers.
    said = b"\n".join([request.data.path, *[value for _, value in request.headers.fields]])
    if secret not in said and mark not in said:
        return []
    if (token is not None and secret in request.data.path) or phantom.HANDLE.search(request.data.path):
        raise refusals.misplaced()
    holding = [field for field in request.headers.fields if secret in field[1] or mark in field[1]]
    others: list[str] = []
    for field in holding:
        handles = [found.decode() for found in phantom.HANDLE.findall(field[1])]
        if handles or (token is not None and secret in field[1]):
            others += [one for one in handles if one != token]
            _take(field, flow, exchange)
    return others


def _take(field: tuple[bytes, bytes], flow: http.HTTPFlow, exchange: Exchange) -> None:
    flow.request.headers.fields = tuple(kept for kept in flow.request.headers.fields if kept != field)
    exchange.secret_headers.add(field[0].decode("latin-1").lower())


def _take_authorization(flow: http.HTTPFlow, exchange: Exchange) -> None:
    del flow.request.headers["authorization"]
    exchange.secret_headers.add("authorization")


def _strip_proxy_headers(flow: http.HTTPFlow, exchange: Exchange) -> list[str]:
    """Take out the headers for this hop alone (RFC 9110 section 7.6.1): mitmproxy would send them on, tokens included.

    Returns the values of Proxy-Authorization.
    """
    exchange.secret_headers.add("proxy-authorization")
    headers = flow.request.headers
    if not any(name[:6].lower() == b"proxy-" for name, _ in headers.fields):
        return []
    values = headers.get_all("proxy-authorization")
    headers.fields = tuple(field for field in headers.fields if field[0][:6].lower() != b"proxy-")
    return values


def _same(one: Kept, other: Kept) -> bool:
    if isinstance(one, Refusal) or isinstance(other, Refusal):
        return isinstance(one, Refusal) and isinstance(other, Refusal) and one.code == other.code
    return one.token == other.token
