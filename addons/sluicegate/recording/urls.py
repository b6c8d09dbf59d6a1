"""The URL of a recorded request as mitmproxy shows it: by its Host header or :authority, where it has one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_AUTHORITY = re.compile(r"(?P<host>[^:]+|\[.+\])(?::(?P<port>\d+))?\Z")
_LABEL = re.compile(r"[A-Z0-9_-]{1,63}\Z", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def shown_url(request: Mapping[str, Any]) -> tuple[str, str]:
    """The URL and the host in it, from the parts of a request as a flow file has them. Raises KeyError, TypeError."""
    host, port, scheme = _text(request["host"]), request["port"], _text(request["scheme"])
    authority = _text(request["authority"])
    said = _said(request, authority)
    name, said_port = _split(said) if said else (host, None)
    if request["method"] == b"CONNECT":
        return authority, name
    path = _text(request["path"])
    if said:
        port = said_port or _DEFAULT_PORTS.get(scheme) or 443
    place = name if _DEFAULT_PORTS.get(scheme) == port else f"{name}:{port}"
    return f"{scheme}://{place}{'' if path == '*' else path}", name


def _said(request: Mapping[str, Any], authority: str) -> str:
    """What the request itself names as its host."""
    if authority and request["http_version"] in (b"HTTP/2.0", b"HTTP/3"):
        return authority
    found = [_text(value) for name, value in request["headers"] if name.lower() == b"host"]
    return ", ".join(found)


def _split(authority: str) -> tuple[str, int | None]:
    match = _AUTHORITY.match(authority)
    if match is None:
        return authority, None
    host = match["host"]
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    port = int(match["port"]) if match["port"] else None
    if not _valid(bare) or (port is not None and not 0 <= port <= 65_535):
        return authority, None
    return bare, port


def _valid(host: str) -> bool:
    if ":" in host:
        return True  # an IPv6 address: what is in the brackets is not looked at closely
    return len(host) <= 255 and all(_LABEL.match(label) for label in host.rstrip(".").split("."))


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")
