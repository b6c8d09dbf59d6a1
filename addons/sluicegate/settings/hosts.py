"""Names of hosts: one normal form for comparing what a client, a header and the policy call the same place."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import idna

from sluicegate.settings.suffixes import is_public_suffix

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def normal_host(text: str) -> str:
    """The host in the form in which hosts are compared: lower case, one trailing dot removed, IDNA, IPs compressed.

    Raises ValueError for what is no host: empty, percent signs, user info, ports, odd spellings of addresses
    (`127.1`, `0x7f000001`, `2130706433`), zone ids.
    """
    host = text.removeprefix("[").removesuffix("]") if text.startswith("[") and text.endswith("]") else text
    if ":" in host:
        return str(_address(ipaddress.IPv6Address, host, text)) if "%" not in host else _bad(text)
    host = host.lower().removesuffix(".")
    if not host or len(host) > 253 or any(c in host for c in "%@/\\?# \t\r\n\0"):
        return _bad(text)
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError as error:
            raise ValueError(f"{text!r} is not a host name: {error}") from None
    last = host.rsplit(".", 1)[-1]
    if last.isdigit() or last.startswith("0x"):
        # Whatever ends in a number is an IPv4 address (WHATWG URL), and only one spelling of it is accepted.
        return str(_address(ipaddress.IPv4Address, host, text))
    if not all(_label(label) for label in host.split(".")):
        return _bad(text)
    return host


def _label(label: str) -> bool:
    return 0 < len(label) <= 63 and all(c.isalnum() or c in "-_" for c in label) and label[0] != "-" != label[-1]


def _address(kind: Callable[[str], Address], host: str, text: str) -> Address:
    try:
        return kind(host)
    except ValueError:
        raise ValueError(f"{text!r} is neither a host name nor an address in its usual spelling") from None


def _bad(text: str) -> str:
    raise ValueError(f"{text!r} is not a host name")


def split_authority(text: str) -> tuple[str, int | None]:
    """`host[:port]` as (normal host, port or None). Raises ValueError."""
    host, port = text, None
    if text.startswith("["):
        inner, _, rest = text.partition("]")
        host = inner + "]"
        if rest and not rest.startswith(":"):
            return _bad(text), None
        digits = rest[1:] if rest else None
    else:
        host, colon, after = text.partition(":")
        digits = after if colon else None
    if digits is not None:
        if not digits.isascii() or not digits.isdigit() or not 0 < int(digits) < 65536:
            raise ValueError(f"{text!r} has no valid port")
        port = int(digits)
    return normal_host(host), port


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a service is: scheme, normal host and port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Origin:
        """From `host`, `host:port` or `http://host:port`. Raises ValueError."""
        scheme, authority = "https", text
        if "://" in text:
            parts = urlsplit(text)
            scheme, authority = parts.scheme, parts.netloc
            if scheme not in ("http", "https") or text != f"{scheme}://{authority}":
                raise ValueError(f"{text!r} is not a host: write `host:port`, or `http://host:port` for plain HTTP")
        host, port = split_authority(authority)
        return cls(scheme, host, port or (443 if scheme == "https" else 80))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Dial:
    """Where a service is dialled, where that is not where its host resolves to. `scheme` None: that of the host."""

    scheme: str | None
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Dial:
        """From `host:port`, or `http://host:port` for plain HTTP. Raises ValueError."""
        if "://" in text:
            origin = Origin.parse(text)
            return cls(origin.scheme, origin.host, origin.port)
        host, port = split_authority(text)
        if port is None:
            raise ValueError(f"{text!r} has no port: write `host:port`, or `http://host:port` for plain HTTP")
        return cls(None, host, port)


@dataclass(frozen=True, slots=True)
class HostPattern:
    """A host, or `*.domain` for every host below a domain (not the domain itself)."""

    host: str
    below: bool

    @classmethod
    def parse(cls, text: str) -> HostPattern:
        """Raises ValueError for anything but a host or `*.domain`."""
        below = text.startswith("*.")
        host = normal_host(text[2:] if below else text)
        if "*" in host or (below and is_public_suffix(host, companies=False)):
            raise ValueError(f"{text!r} is too wide: write a host, or `*.domain.tld`")
        return cls(host, below)

    def matches(self, host: str) -> bool:
        """Whether a normal host is meant."""
        return host.endswith("." + self.host) if self.below else host == self.host


@dataclass(frozen=True, slots=True)
class OriginPattern:
    """Where a service is: one origin, or every host below a domain, with scheme and port."""

    origin: Origin
    below: bool
    """Whether the hosts below `origin.host` are meant (one label more, or several), and not that host itself."""

    @classmethod
    def parse(cls, text: str) -> OriginPattern:
        """From what `Origin.parse` reads, or the same with `*.` before the host. Raises ValueError."""
        scheme, separator, authority = text.rpartition("://")
        below = authority.startswith("*.")
        origin = Origin.parse(scheme + separator + authority.removeprefix("*."))
        if below and (origin.host.rpartition(".")[2].isdigit() or ":" in origin.host):
            raise ValueError(f"{text!r} has an address below which there are no hosts")
        if below and is_public_suffix(origin.host, companies=False):
            raise ValueError(f"{text!r} is too wide: anybody can have a name below {origin.host}")
        return cls(origin, below)

    @property
    def anybodys(self) -> bool:
        """Whether anybody can have a host of that pattern from a company that gives them out, as with buckets."""
        return self.below and is_public_suffix(self.origin.host, companies=True)
