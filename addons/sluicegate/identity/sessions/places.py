"""Whether one handle is in two places at once.

A laptop that roams leaves a place and does not come back to it soon. Two people who share a handle go back and forth:
a request from here, one from there, one from here again. Going back twice within a minute counts as two places. A
machine that speaks IPv4 and IPv6 in turn is not in two places, so the two are looked at apart; within IPv6 a place is
a /64, because machines change their addresses in it by themselves (RFC 8981).
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

RETURNS = 2
"""So many returns make two places."""


class Place(NamedTuple):
    """Where a request came from, as far as it matters here."""

    version: int
    network: str


class PlaceNames:
    """Which addresses are the same place. Remembers what it was asked, up to a bound."""

    def __init__(self, same: Sequence[str]) -> None:
        self._same = [ipaddress.ip_network(network) for network in same]
        self._known: dict[str, Place] = {}

    def of(self, address: str) -> Place:
        """The place of an address; of what is no address, a place of its own."""
        found = self._known.get(address)
        if found is None:
            if len(self._known) >= 10_000:
                self._known.clear()
            found = self._known[address] = self._name(address)
        return found

    def _name(self, text: str) -> Place:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return Place(0, text)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if address.is_loopback:
            return Place(0, "loopback")
        for network in self._same:
            if address.version == network.version and address in network:
                return Place(address.version, str(network))
        if address.version == 6:
            return Place(6, str(ipaddress.IPv6Network((int(address), 64), strict=False)))
        return Place(4, str(address))


@dataclass(slots=True)
class Whereabouts:
    """The places of one session, as requests come in."""

    now: dict[int, str] = field(default_factory=dict)
    """By IP version, where the last request came from."""
    left: dict[Place, float] = field(default_factory=dict)
    """When other places were last seen."""
    returns: deque[float] = field(default_factory=lambda: deque(maxlen=RETURNS))

    def seen(self, place: Place, at: float, within: float) -> str | None:
        """A request came from `place`. Returns the other place when the session is in two at once, else None."""
        before = self.now.get(place.version)
        if before == place.network:
            return None
        self.now[place.version] = place.network
        if before is None:
            return None
        for old in [old for old, when in self.left.items() if at - when > within]:
            del self.left[old]
        back = place in self.left
        self.left[Place(place.version, before)] = at
        if not back:
            return None
        self.returns.append(at)
        return before if len(self.returns) == RETURNS and at - self.returns[0] <= within else None
