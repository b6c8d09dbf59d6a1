"""Which places the policy knows: services by origin, hosts whose TLS passes untouched, and the others."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from sluicegate.errors import Refusal
from sluicegate.exchange import OTHERS
from sluicegate.lockdown.addresses import Network
from sluicegate.settings.hosts import Dial, HostPattern, Origin
from sluicegate.settings.model import Settings

WEB_PORTS = frozenset({80, 443})


class Places:
    """The policy's hosts, indexed by the normal form that `authority.place` yields."""

    def __init__(self, settings: Settings) -> None:
        self.services: dict[Origin, str] = {}
        self.networks: dict[tuple[str, int], tuple[Network, ...]] = {}
        self.dials: dict[tuple[str, int], Dial] = {}
        """Host and port to where they are dialled instead."""
        for name, service in settings.services.items():
            for text in service.hosts:
                origin = Origin.parse(text)
                self.services[origin] = name
                self.networks[origin.host, origin.port] = tuple(map(ipaddress.ip_network, service.addresses))
                if service.connect is not None:
                    self.dials[origin.host, origin.port] = Dial.parse(service.connect)
        self._tunnel = tuple(map(HostPattern.parse, settings.gateway.tunnel_hosts))
        if settings.gateway.others == "refuse":
            self._tunnel = ()
        self._inspect = settings.gateway.others == "inspect"

    def owner(self, origin: Origin) -> str:
        """The service at an origin, or `others` where those are inspected. Raises Refusal 403."""
        service = self.services.get(origin)
        if service is not None:
            return service
        if self.tunnels(origin.host, origin.port):
            raise Refusal(
                403,
                "tunnel-only",
                "Tunnel only",
                f"{origin.host} may only be reached by TLS that names it, which then passes untouched.",
                next_step="Use https with a client that sends the server name.",
            )
        if self._inspect and origin.port in WEB_PORTS and (origin.host, origin.port) not in self.networks:
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
        return (
            port == 443 and (host, port) not in self.networks and any(pattern.matches(host) for pattern in self._tunnel)
        )

    def reachable(self, host: str, port: int) -> Sequence[Network] | None:
        """The private networks that a host may resolve to, or None where the policy knows no such place."""
        known = self.networks.get((host, port))
        if known is not None:
            return known
        if self.tunnels(host, port) or (self._inspect and port in WEB_PORTS):
            return ()
        return None
