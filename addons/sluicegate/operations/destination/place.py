"""A place in its normal form, and the parts that every spelling of a place is made of."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from sluicegate.settings.hosts import split_authority

PORTS = {"http": 80, "https": 443, "ftp": 21, "sftp": 22, "ssh": 22, "smb": 445}
SCHEME = re.compile(r"(?:jdbc:)?[a-z][a-z0-9+.-]{0,31}")
KEPT = "!$&'()*+,;=:@~"
"""Left as they are in a path, besides letters, digits and -._ (RFC 3986 section 3.3)."""

_AUTHORITY = re.compile(r"[\w.\[\]:-]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DEVIATIONS = frozenset("\u00df\u1e9e\u03c2\u200c\u200d")
"""Letters that IDNA 2003 and IDNA 2008 read as different hosts (UTS 46 section 4, deviations)."""


class Place(NamedTuple):
    """Where data can go. `authority` is a bucket, a host, a stage or an account, as `scheme` says."""

    scheme: str
    authority: str
    path: str = ""
    """Empty, or escaped, with its first slash."""
    query: str = ""
    """Empty, or with its question mark; secrets taken out."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}{self.query}"


def check_escapes(text: str) -> None:
    """Raises ValueError for a percent sign that escapes nothing."""
    if _BAD_ESCAPE.search(text):
        raise ValueError("the destination has a percent sign that escapes nothing")


def decode(text: str) -> str:
    """Escapes decoded, once. Raises ValueError where that brings out something that parts a destination."""
    decoded = unquote_to_bytes(text).decode()  # UnicodeDecodeError is a ValueError
    if any(c in "%/\\?#" for c in decoded) or not decoded.isprintable():
        raise ValueError("the destination hides characters in escapes")
    return decoded


def segments(path: str) -> list[str]:
    """The decoded segments of a path that begins with a slash or is empty. Raises ValueError for dot segments."""
    return checked([decode(segment) for segment in path[1:].split("/")]) if path else []


def checked(parts: list[str]) -> list[str]:
    """The segments, none of which means another than itself. Raises ValueError."""
    if any(part in ("", ".", "..") for part in parts[:-1]) or (parts and parts[-1] in (".", "..")):
        raise ValueError("the destination has dot segments or empty ones")
    return parts


def joined(parts: Iterable[str]) -> str:
    """The path of decoded segments, escaped in one way."""
    return "".join("/" + quote(part, safe=KEPT) for part in parts)


def bucket(text: str) -> str:
    """The name of a bucket, in lower case, without a last dot. Raises ValueError."""
    name = text.lower().removesuffix(".")
    if not _BUCKET.fullmatch(name) or len(name) > 63:
        raise ValueError("the destination has no valid bucket")
    return name


def host_and_port(text: str) -> tuple[str, int | None]:
    """The normal host (an IPv4 address inside an IPv6 one taken out) and the port. Raises ValueError."""
    if not _AUTHORITY.fullmatch(text):
        raise ValueError("the destination has user info, or characters that do not belong in a host")
    if not text.isascii():
        _check_letters(text)
    host, port = split_authority(text)
    if ":" in host:
        mapped = ipaddress.IPv6Address(host).ipv4_mapped
        host = str(mapped) if mapped else host
    return host, port


def shown_host(host: str, port: int | None, default: int | None) -> str:
    """Host and port as an authority; the default port is left out."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None or port == default else f"{shown}:{port}"


def _check_letters(text: str) -> None:
    # A full-width letter or an ideographic full stop is a disguise of ASCII, which not every reader takes off.
    for letter in text:
        if letter in _DEVIATIONS or (not letter.isascii() and unicodedata.normalize("NFKC", letter).isascii()):
            raise ValueError("the destination has letters in its host that are read in more than one way")
