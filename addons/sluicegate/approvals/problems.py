"""What is wrong with [notify.*], beyond what the model knows."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from sluicegate.approvals.notify.signature import key_of
from sluicegate.settings import Loaded, Problem
from sluicegate.settings.environment import filled
from sluicegate.settings.model import Notify
from sluicegate.settings.positions import line_of

_NEEDS = {
    "slack": ("url",),
    "teams": ("url",),
    "webhook": ("url", "secrets"),
    "email": ("to", "sender"),
    "terminal": (),
}


def problems(loaded: Loaded) -> list[Problem]:
    """Every problem of these tables."""
    found = []
    for name, place in loaded.settings.notify.items():
        for key, message, hint in _place(place, os.environ):
            path = ("notify", name, *([key] if key else []))
            found.append(Problem(line_of(path, loaded.lines), ".".join(path), message, hint))
    if loaded.settings.notify and loaded.settings.console.address is None:
        where = line_of(("console",), loaded.lines)
        hint = 'write address = "https://gate.example.org" under [console]'
        found.append(Problem(where, "console.address", "is needed for the links in notifications", hint))
    return found


def _place(place: Notify, environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for key in _NEEDS[place.kind]:
        if not getattr(place, key):
            yield "", f"{place.kind} needs `{key}`", ""
    for key in ("url", "password", "secrets"):
        value = getattr(place, key)
        for text in value if isinstance(value, list) else [value]:
            try:
                plain = filled(text or "", environment)
                if key == "secrets":
                    key_of(plain)
            except ValueError as error:
                yield key, str(error), "set it, or write another name"
                continue
            if key == "url" and text and not _usable(plain):
                yield key, "is no https address", "plain http is for this machine alone"
    host = place.server.rpartition(":")[0]
    if place.kind == "email" and place.security == "none" and not _loopback(host):
        yield "security", "sends mail in clear to another machine", 'write "starttls" or "tls"'


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _usable(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _loopback(host)))
