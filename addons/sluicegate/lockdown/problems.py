"""What can be wrong with the places of services beyond their form."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from sluicegate.lockdown import addresses
from sluicegate.lockdown.places import console_places
from sluicegate.settings import Loaded, Problem
from sluicegate.settings.hosts import Dial, OriginPattern
from sluicegate.settings.model import Service
from sluicegate.settings.positions import line_of


def problems(loaded: Loaded) -> list[Problem]:
    """Every `connect` that could never be dialled, every secret that anybody could collect, and services at the
    console's own place, in the file's order."""
    found, console = [], console_places(loaded.settings)
    for name, service in loaded.settings.services.items():
        for text in service.hosts:
            pattern = OriginPattern.parse(text)
            if not pattern.below and (pattern.origin.host, pattern.origin.port) in console:
                path = ("services", name, "hosts")
                message = f"`{text}` is the console, which is never reached through the gateway"
                found.append(Problem(line_of(path, loaded.lines), ".".join(path), message, "take it out"))
        if service.credential is not None:
            for text in service.hosts:
                if OriginPattern.parse(text).anybodys:
                    message = f"would be sent to `{text}`, below which anybody can have a host"
                    path = ("services", name, "credential")
                    line = line_of(path, loaded.lines)
                    found.append(Problem(line, ".".join(path), message, "write out the hosts that are yours"))
        for message, suggestion in _connect(service):
            path = ("services", name, "connect")
            found.append(Problem(line_of(path, loaded.lines), ".".join(path), message, suggestion))
    return sorted(found)


def _connect(service: Service) -> Iterator[tuple[str, str]]:
    if service.connect is None:
        return
    for text in service.hosts:
        if _is_address(OriginPattern.parse(text).origin.host):
            yield f"`{text}` is an address, so there is no name to dial another place for", "write the address in hosts"
    dial = Dial.parse(service.connect)
    if _is_address(dial.host):
        networks = tuple(map(ipaddress.ip_network, service.addresses))
        try:
            addresses.check(dial.host, dial.port, networks, ())
        except addresses.AddressRefused as error:
            yield str(error), "list its network in `addresses`"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
