"""Which places the policy knows: services by origin, hosts whose TLS passes untouched, and the others."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from sluicegate.errors import Refusal
from sluicegate.exchange import OTHERS
from sluicegate.lockdown.addresses import Network
from sluicegate.settings.hosts import Dial, HostPattern, Origin, OriginPattern, split_authority
from sluicegate.settings.model import Settings

WEB_PORTS = frozenset({80, 443})


class _Place(NamedTuple):
    """What a host and port are to the policy. The scheme is not part of the key: what is dialled is host and port."""

    scheme: str
    service: str
    networks: tuple[Network, ...]
    dial: Dial | None
    websocket: bool


def console_places(settings: Settings) -> frozenset[tuple[str, int]]:
    """Host and port under which people and the gateway know the console. Other names that lead to it are found out
    where they are dialled; behind a server of its own, only `[console].address` tells where it is."""
    found: set[tuple[str, int | None]] = set()
    if not settings.console.listen.endswith(":0"):  # whatever port is free: nobody knows it yet
        found.add(split_authority(settings.console.listen))
    if settings.console.address is not None:
        origin = Origin.parse(settings.console.address)
        found.add((origin.host, origin.port))
    return frozenset((host, port) for host, port in found if port is not None)


class Places:
    """The policy's hosts, indexed by the normal form that `authority.place` yields."""

    def __init__(self, settings: Settings) -> None:
        self._places: dict[tuple[str, int], _Place] = {}
        self._below: dict[tuple[str, int], _Place] = {}
        """The same for hosts below a domain, by the domain."""
        for name, service in settings.services.items():
            networks = tuple(map(ipaddress.ip_network, service.addresses))
            dial = Dial.parse(service.connect) if service.connect is not None else None
            for text in service.hosts:
                pattern = OriginPattern.parse(text)
                origin = pattern.origin
                index = self._below if pattern.below else self._places
                index[origin.host, origin.port] = _Place(origin.scheme, name, networks, dial, service.websocket)
        self._tunnel = tuple(map(HostPattern.parse, settings.gateway.tunnel_hosts))
        if settings.gateway.others == "refuse":
            self._tunnel = ()
        self._inspect = settings.gateway.others == "inspect"
        self._console = console_places(settings)

    def owner(self, origin: Origin) -> str:
        """The service at an origin, or `others` where those are inspected. Raises Refusal 403."""
        if (origin.host, origin.port) in self._console:
            raise Refusal(
                403,
                "console-not-here",
                "The console is not reached through the gateway",
                "Nobody decides about requests on the way that the requests take.",
                next_step="Open the console directly, without the proxy; `NO_PROXY` names hosts that go without it.",
            )
        found = self._find(origin.host, origin.port)
        if found is not None and found.scheme == origin.scheme:
            return found.service
        if self.tunnels(origin.host, origin.port):
            raise Refusal(
                403,
                "tunnel-only",
                "Tunnel only",
                f"{origin.host} may only be reached by TLS that names it, which then passes untouched.",
                next_step="Use https with a client that sends the server name.",
            )
        if self._inspect and origin.port in WEB_PORTS and found is None:
            return OTHERS
        raise Refusal(
            403,
            "unknown-host",
            "Host not in the policy",
            f"{origin} is not a service that the policy names, and other hosts are not let through.",
            next_step="Ask the gateway's operator to add it under [services] or [gateway] in policy.toml.",
        )

    def tunnels(self, host: str, port: int) -> bool:
        """Whether TLS to this host passes untouched. A host that a service names never does."""
        if port != 443 or (host, port) in self._console or not any(pattern.matches(host) for pattern in self._tunnel):
            return False
        return self._find(host, port) is None

    def reachable(self, host: str, port: int) -> Sequence[Network] | None:
        """The private networks that a host may resolve to, or None where the policy knows no such place."""
        known = self._find(host, port)
        if (host, port) in self._console:
            return None
        if known is not None:
            return known.networks
        if self.tunnels(host, port) or (self._inspect and port in WEB_PORTS):
            return ()
        return None

    def websocket(self, origin: Origin) -> bool:
        """Whether WebSockets may be opened there."""
        found = self._find(origin.host, origin.port)
        return found is not None and found.scheme == origin.scheme and found.websocket

    def dial(self, host: str, port: int) -> Dial | None:
        """Where a host and port of a service are dialled instead; None where that is not said."""
        found = self._find(host, port)
        return found.dial if found is not None else None

    def _find(self, host: str, port: int) -> _Place | None:
        """A host that is written out is what it is written as; below domains the longest has it."""
        found = self._places.get((host, port))
        if found is None and self._below:
            rest = host
            while found is None and "." in rest:
                rest = rest.partition(".")[2]
                found = self._below.get((rest, port))
        return found
