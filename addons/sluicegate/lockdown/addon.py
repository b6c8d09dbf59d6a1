"""Lockdown in the pipeline: which connections and requests may exist at all, before anybody asks who or what."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import logging
from collections.abc import Awaitable
from typing import Literal

from mitmproxy import connection, http, tls
from mitmproxy.proxy import mode_specs, server_hooks

from sluicegate.errors import Refusal
from sluicegate.exchange import OTHERS, Exchange, Verdict
from sluicegate.lockdown import addresses, guard, head, shape, websocket
from sluicegate.lockdown.authority import Arrival, place
from sluicegate.lockdown.places import Places
from sluicegate.settings import Loaded, Settings
from sluicegate.settings.hosts import Origin, normal_host

logger = logging.getLogger(__name__)

_STAYS_HERE = frozenset((b"alt-svc", b"upgrade", b"proxy-authenticate", b"trailer"))
"""Response headers that are not passed on. Alt-Svc would take the next request round the gate (RFC 7838)."""


class LockdownAddon:
    """Names the service of each exchange, or refuses it; decides which TLS passes untouched; checks what is dialled."""

    name = "lockdown"

    def __init__(self, settings: Settings, own_ports: set[int]) -> None:
        self.places = Places(settings)
        self.own_ports = own_ports
        """Ports that this gateway (and its console) listen on; filled in once they are known."""
        self._connects: dict[str, Exchange] = {}

    @property
    def part(self) -> Places:
        """What this room made of the policy in force."""
        return self.places

    def prepare(self, loaded: Loaded) -> Places:
        """The places of another policy. Runs on a thread."""
        return Places(loaded.settings)

    def adopt(self, part: Places) -> None:
        """From now on, new exchanges and connections are judged by these places."""
        self.places = part

    async def open(self) -> None:
        """Put the guard on the running loop."""
        guard.install(asyncio.get_running_loop())

    def http_connect(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Remember the CONNECT. Refused hosts are told so inside the tunnel, where clients show the answer."""
        self._connects[flow.client_conn.id] = exchange
        if self._may_tunnel(flow.request.host, flow.request.port):
            exchange.service = "tunnel"
            exchange.verdict = Verdict("allow", ("tunnel",), (f"{flow.request.host} is listed in tunnel_hosts.",))

    def client_disconnected(self, client: connection.Client) -> None:
        self._connects.pop(client.id, None)

    def tls_clienthello(self, data: tls.ClientHelloData) -> Awaitable[None] | None:
        """Let TLS pass untouched where CONNECT target (or original destination) and server name are listed alike."""
        client, address, sni = data.context.client, data.context.server.address, data.client_hello.sni
        if not sni or not address or not self._may_tunnel(sni, address[1]):
            return None
        connect = self._connects.get(client.id)
        if connect is not None:
            if connect.principal is not None and self._same_host(address[0], sni):
                data.ignore_connection = True
            return None
        if isinstance(client.proxy_mode, mode_specs.TransparentMode):
            return self._tunnel_if_resolved(data, address, sni)
        return None

    async def _tunnel_if_resolved(self, data: tls.ClientHelloData, address: tuple[str, int], sni: str) -> None:
        # A transparent client chooses the address and the name apart; only DNS says whether they belong together.
        async with asyncio.timeout(5):
            answers = await asyncio.get_running_loop().getaddrinfo(sni, address[1])
        if ipaddress.ip_address(address[0]) in {ipaddress.ip_address(a[4][0]) for a in answers}:
            data.ignore_connection = True

    def request(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        request, client = flow.request, flow.client_conn
        # The method as it was sent: the property would show it in upper case, and the service would get it in lower.
        shape.check_line(request.data.method.decode("latin-1"), request.http_version, request.path)
        found = head.read(request.headers.fields)
        shape.check_length(found.length, request.raw_content)
        if request.trailers:
            raise shape.malformed("trailers are not supported")
        transparent = isinstance(client.proxy_mode, mode_specs.TransparentMode)
        way: Literal["proxy", "tunnel", "transparent"] = (
            "transparent" if transparent else "tunnel" if self._in_tunnel(client) else "proxy"
        )
        origin = place(
            Arrival(
                way=way,
                scheme=request.scheme,
                target_host=request.host,
                target_port=request.port,
                tls=request.scheme == "https" and way != "proxy",
                sni=client.sni if client.tls_established else None,
                authority=request.authority,
                hosts=found.hosts,
                http2=request.is_http2,
            )
        )
        # A listed host is intercepted when the tunnel's credential was no good: identity says why, and should it be
        # good by now, an exchange without a service still goes nowhere.
        places: Places = exchange.in_force.get(self.name, self.places)
        unsigned = way == "tunnel" and self._connects[client.id].principal is None
        if not (unsigned and places.tunnels(origin.host, origin.port)):
            exchange.service = places.owner(origin)
        if found.upgrade:
            if exchange.service is None or not places.websocket(origin):
                raise websocket.refused()
            exchange.upgrade = websocket.asked(
                request.method, request.http_version, request.headers.fields, request.raw_content
            )
        exchange.job = found.job
        if found.purpose or found.ask_only:
            exchange.purpose, exchange.ask_only = found.purpose, found.ask_only
        exchange.scheme, exchange.host, exchange.port = origin.scheme, origin.host, origin.port
        if exchange.service != OTHERS:
            shape.check_path(request.path)
        request.headers.fields = (
            found.onward if exchange.upgrade is None else websocket.onward(exchange.upgrade, found.onward)
        )
        if transparent:
            # Dial the name that was judged, not the address that the client happened to pick.
            request.host = origin.host
        self._redirect(request, origin)

    def _redirect(self, request: http.Request, origin: Origin) -> None:
        """Choose TLS or not, where the place to dial says so. `exchange.scheme` stays what the client used."""
        dial = self.places.dial(origin.host, origin.port)
        if dial is None or dial.scheme in (None, origin.scheme):
            return
        request.scheme = dial.scheme
        if origin.scheme == "https":
            # Without it a service takes itself for one on plain http, and hands out links to that.
            request.headers.fields = (*request.headers.fields, (b"x-forwarded-proto", b"https"))

    def response(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        assert flow.response is not None
        if flow.response.status_code == 101 and exchange.upgrade is not None:
            flow.response.headers.fields = websocket.answered(exchange.upgrade, flow.response.headers.fields)
            flow.response.reason, flow.response.trailers = "Switching Protocols", None
            exchange.switching = True
            return
        if flow.response.status_code < 200:
            raise Refusal(
                502,
                "upgrade-refused",
                "Protocol upgrade refused",
                "The service answered with a protocol switch or an interim response, which is not let through.",
            )
        headers = flow.response.headers
        if headers.get("transfer-encoding", "chunked").strip().lower() != "chunked":
            raise Refusal(
                502,
                "response-unreadable",
                "Answer not readable",
                "Nothing was let through, because the service's answer has a transfer coding that nothing here reads.",
                next_step="Tell the people who run the service.",
            )
        kept = tuple([field for field in headers.fields if field[0].lower() not in _STAYS_HERE])
        if len(kept) != len(headers.fields):
            headers.fields = kept
        flow.response.trailers = None

    def socket_message(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """The service must still be one that speaks WebSocket, by the policy of now."""
        places: Places = exchange.in_force.get(self.name, self.places)
        origin = Origin(exchange.scheme, exchange.host, exchange.port)
        if not places.websocket(origin) or places.owner(origin) != exchange.service:
            raise websocket.ended()

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Check the place again where it is dialled, and every address that its name resolves to."""
        if not data.server.address or data.server.via is not None:
            raise Refusal(502, "no-upstream", "No upstream", "The connection has no destination of its own.")
        text, port = data.server.address[0], data.server.address[1]
        host, networks = self._known(data, text, port)
        if networks is None:
            raise Refusal(502, "unknown-upstream", "Unknown upstream", f"{text}:{port} is not a place in the policy.")
        dial = self.places.dial(host, port)
        dialled = dial.port if dial else port
        check = functools.partial(addresses.check, port=dialled, networks=networks, own_ports=self.own_ports)
        guard.upstream.set(check)
        guard.instead.set((dial.host, dial.port) if dial else None)
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return  # a name: every address in the resolver's answer is checked before it is dialled
        if dial is not None:
            # An address is dialled without asking the resolver, so it would not be dialled where the policy says.
            raise Refusal(502, "no-upstream", "No upstream", f"{text} has no name to dial another place for.")
        try:
            check(host)
        except addresses.AddressRefused as error:
            raise Refusal(502, "address-refused", "Address refused", f"{error}.") from None

    def _known(
        self, data: server_hooks.ServerConnectionHookData, text: str, port: int
    ) -> tuple[str, tuple[addresses.Network, ...] | None]:
        host = normal_host(text)
        networks = self.places.reachable(host, port)
        if networks is None and isinstance(data.client.proxy_mode, mode_specs.TransparentMode):
            # Untouched TLS keeps the original destination: its name was matched in tls_clienthello.
            sni = data.client.sni
            networks = self.places.reachable(normal_host(sni), port) if sni and self._may_tunnel(sni, port) else None
        return host, None if networks is None else tuple(networks)

    def _in_tunnel(self, client: connection.Client) -> bool:
        # A CONNECT that was refused opened nothing, though the connection goes on.
        connect = self._connects.get(client.id)
        return connect is not None and connect.refusal is None

    def _may_tunnel(self, host: str, port: int) -> bool:
        try:
            return self.places.tunnels(normal_host(host), port)
        except ValueError:
            return False

    def _same_host(self, one: str, other: str) -> bool:
        try:
            return normal_host(one) == normal_host(other)
        except ValueError:
            return False
