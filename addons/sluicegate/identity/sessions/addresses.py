"""Signing in for an address: what a client is given that can carry no credential at all.

An address is no secret, and whoever uses the machine has it. So it lasts a short time, counts as `network`, and is
refused where several machines stand behind one address. It hangs on the session that it was made with, and ends with
it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from hashlib import sha256

type _Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def digest(address: str) -> bytes:
    """Under which an address is kept among the handles. No handle has this digest, because it begins otherwise."""
    return sha256(f"address {address.removeprefix('::ffff:')}".encode()).digest()


def trouble(text: str, same_place: Sequence[str]) -> str | None:
    """Why nobody can be signed in for an address, as a sentence; None where somebody can."""
    try:
        address = _parsed(text)
    except ValueError:
        return "The address that this comes from is not known."
    if address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast:
        return f"{address} is not the address of one machine on the network."
    if any(address in ipaddress.ip_network(network) for network in same_place):
        return f"{address} stands for many machines ([identity].same_place), so it says nothing about who asks."
    return None


def seen(peer: str, forwarded: Sequence[str], in_front: Sequence[str]) -> str:
    """The address that a call to the console came from, in its normal form.

    `forwarded`: the values of X-Forwarded-For, which count when `peer`, and each server after it, is one of `in_front`.
    Raises ValueError, with a sentence, when a server stands in front that nobody has named.
    """
    chain = [part.strip() for value in forwarded for part in value.split(",")]
    networks = [ipaddress.ip_network(network) for network in in_front]
    address = _parsed(peer)
    if chain and not any(address in network for network in networks):
        raise ValueError(f"This comes by way of {address}, which [console].in_front does not name.")
    while any(address in network for network in networks):
        if not chain:
            raise ValueError(f"The server in front ({address}) does not say where this comes from.")
        address = _parsed(chain.pop())
    return str(address)


def _parsed(text: str) -> _Address:
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
