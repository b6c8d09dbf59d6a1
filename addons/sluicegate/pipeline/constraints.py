"""The names that an interception authority may sign for, as X.509 name constraints (RFC 5280 section 4.2.1.10).

A client that trusts a constrained authority refuses a certificate of it for any other host, whoever has the key.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from cryptography import x509

from sluicegate.settings.hosts import OriginPattern, normal_host
from sluicegate.settings.model import Settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NOBODY = "sluicegate.invalid"
"""Permitted where no host name is: a constraint without any name of a kind would permit all of that kind."""
_EVERY_ADDRESS = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class Names:
    """Hosts in their normal form. A domain stands for itself and every host below it: X.509 knows nothing finer."""

    domains: frozenset[str] = frozenset()
    addresses: frozenset[Address] = frozenset()
    everything: bool = False

    def cover(self, host: str) -> bool:
        """Whether a certificate for this host would be believed."""
        if self.everything:
            return True
        try:
            host = normal_host(host)
        except ValueError:
            return False
        try:
            return ipaddress.ip_address(host) in self.addresses
        except ValueError:
            pass
        while host and host not in self.domains:
            host = host.partition(".")[2]
        return bool(host)

    def lack(self, wanted: Names) -> list[str]:
        """What the other names have and these do not cover, for people to read."""
        if wanted.everything and not self.everything:
            return ["every other host"]
        hosts = [*sorted(wanted.domains), *map(str, sorted(wanted.addresses, key=str))]
        return [host for host in hosts if not self.cover(host)]

    def __str__(self) -> str:
        if self.everything:
            return "every host"
        return ", ".join([*sorted(self.domains), *map(str, sorted(self.addresses, key=str))]) or "no host"


def of_policy(settings: Settings) -> Names:
    """The hosts that the policy governs; everything where other hosts are inspected."""
    domains, addresses = set(), set()
    own = settings.identity.gateway_address  # clients may speak TLS to the proxy itself
    for hosts in (*(service.hosts for service in settings.services.values()), [own] if own else []):
        for text in hosts:
            host = OriginPattern.parse(text).origin.host
            try:
                addresses.add(ipaddress.ip_address(host))
            except ValueError:
                domains.add(host)
    return Names(frozenset(domains), frozenset(addresses), settings.gateway.others == "inspect")


def of_certificate(certificate: x509.Certificate) -> Names:
    """The names that a certificate of an authority permits. Raises ValueError for constraints that are not ours."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return Names(everything=True)
    domains, addresses = set(), set()
    for name in found.permitted_subtrees or ():
        if isinstance(name, x509.DNSName):
            domains.add(name.value.removeprefix(".").lower())
        elif isinstance(name, x509.IPAddress) and isinstance(name.value, Network) and name.value.num_addresses == 1:
            addresses.add(name.value.network_address)
        else:
            raise ValueError("its name constraints are of another kind than the gateway makes")
    return Names(frozenset(domains - {NOBODY}), frozenset(addresses))


def extension(names: Names) -> x509.NameConstraints | None:
    """The constraints to put into a certificate; None where it may sign for everything."""
    if names.everything:
        return None
    permitted: list[x509.GeneralName] = [x509.DNSName(host) for host in sorted(names.domains) or [NOBODY]]
    permitted += [x509.IPAddress(ipaddress.ip_network(address)) for address in sorted(names.addresses, key=str)]
    versions = {address.version for address in names.addresses}
    excluded = [x509.IPAddress(network) for network in _EVERY_ADDRESS if network.version not in versions]
    return x509.NameConstraints(permitted, excluded or None)
