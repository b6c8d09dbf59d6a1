"""Which addresses may be dialled: what stands between a name that somebody chose and the network behind the gate."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata services of most clouds
        "100.100.100.200/32",  # metadata (Alibaba)
        "192.0.0.192/32",  # metadata (Oracle)
        "168.63.129.16/32",  # platform agent (Azure)
        "224.0.0.0/4",
        "255.255.255.255/32",
        "::/128",
        "fe80::/10",
        "fd00:ec2::254/128",  # metadata (EC2)
        "fd20:ce::254/128",  # metadata (Google)
        "ff00::/8",
    )
)
"""Refused even where a service's `addresses` would cover them."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")
_TEREDO = ipaddress.ip_network("2001::/32")
_TRANSLATED = ipaddress.ip_network("::ffff:0:0:0/96")  # IPv4 behind a translator (RFC 7915)
_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is anybody's on the Internet (RFC 4291 section 2.4). Python takes site-local and unassigned ones for
global as well."""
_SHARED = ipaddress.ip_network("100.64.0.0/10")  # carrier-grade NAT


class AddressRefused(OSError):
    """The address may not be dialled. An OSError, because a resolver may raise nothing else."""


def check(text: str, port: int, networks: Sequence[Network], own_ports: Collection[int]) -> None:
    """Raise AddressRefused unless `text` is public, or private and within `networks`, and is not this gateway."""
    address = plain(ipaddress.ip_address(text.split("%")[0]))
    if any(address in network for network in NEVER):
        raise AddressRefused(f"{address} is a link-local, metadata or reserved address")
    if port in own_ports and is_own(address):
        raise AddressRefused(f"{address}:{port} is this gateway itself")
    if any(address in network for network in networks):
        return
    beyond = address.version == 6 and address not in _UNICAST
    if beyond or not address.is_global or address in _SHARED or any(address in n for n in (_NAT64_LOCAL, _TEREDO)):
        raise AddressRefused(f"{address} is a private address, and the policy does not list it for this host")


def plain(address: Address) -> Address:
    """The address that a packet really goes to: IPv4 inside IPv6 (mapped, translated, NAT64, 6to4) is taken out."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64 or address in _TRANSLATED:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address in _SIX_TO_FOUR and address.sixtofour:
            return address.sixtofour
        if int(address) >> 32 == 0 and int(address) > 1:  # IPv4-compatible, long deprecated
            return ipaddress.IPv4Address(int(address))
    return address


def is_own(address: Address) -> bool:
    """Whether the address is one of this machine. Binding tells, without a list of interfaces that grows old."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
