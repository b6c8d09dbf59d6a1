"""Host agreement: the CONNECT target, the TLS server name, Host and :authority must all name the same place.

Each of them is chosen by the client, and each is believed by somebody: the gateway dials the first, the certificate
is checked against the second, the service routes by the third. A request in which two of them differ is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from sluicegate.errors import Refusal
from sluicegate.settings.hosts import Origin, normal_host, split_authority


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a request came in. `target` is where the proxy would connect; in transparent mode that is an address."""

    way: Literal["proxy", "tunnel", "transparent"]
    scheme: str
    target_host: str
    target_port: int
    tls: bool
    sni: str | None
    authority: str
    """:authority of HTTP/2, or what an absolute-form target named inside a tunnel."""
    hosts: tuple[str, ...]
    """Every Host header, in order."""
    http2: bool


@lru_cache(maxsize=1024)
def place(arrival: Arrival) -> Origin:
    """The one origin that everything agrees on. Raises Refusal 421 or 400."""
    default = 443 if arrival.tls else 80
    names = list(arrival.hosts)
    if len(names) > 1 or (not names and not arrival.http2):
        raise _refused("the request needs exactly one Host header")
    if arrival.authority:
        if not arrival.http2:
            raise _refused("an absolute-form target inside a tunnel is not accepted")
        names.append(arrival.authority)
    if not names:
        raise _refused("the request names no host")
    if arrival.way == "proxy" and arrival.scheme == "https":
        raise Refusal(
            400,
            "https-without-connect",
            "Use CONNECT for https",
            "An https:// address was sent to the proxy without CONNECT, which carries credentials in the clear.",
            next_step="Set HTTPS_PROXY to the gateway and let the client open a tunnel.",
        )
    try:
        claimed = {(host, port or default) for host, port in map(split_authority, names)}
        if arrival.way == "transparent":
            if arrival.tls and not arrival.sni:
                raise _refused("the TLS handshake names no server")
            (host, _), *_ = claimed
            target = (normal_host(arrival.sni) if arrival.sni else host, arrival.target_port)
        else:
            target = (normal_host(arrival.target_host), arrival.target_port)
            if arrival.sni and normal_host(arrival.sni) != target[0]:
                raise _refused("the TLS server name and the CONNECT target differ")
    except ValueError as error:
        raise _refused(str(error)) from None
    if claimed != {target}:
        raise _refused("the Host header and the connection name different places")
    return Origin("https" if arrival.tls else "http", *target)


def _refused(why: str) -> Refusal:
    return Refusal(
        421,
        "host-disagreement",
        "Host names disagree",
        f"The request was refused because {why}.",
        next_step="Ask for the host that the connection was opened to.",
    )
