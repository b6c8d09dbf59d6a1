"""Where an export goes: one normal form for a destination, and whether it is ours.

What cannot be brought into the normal form is external: nobody gets inside by writing unreadably.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import quote, unquote_to_bytes

from sluicegate.exchange import Side
from sluicegate.settings.hosts import split_authority

UNREADABLE = "unreadable: "
"""Stands before a destination that has no normal form. A normal form has no space, so the two cannot be mixed up."""
SEVERAL = "several: "
"""Stands before a list of destinations."""

MAX_LENGTH = 2048
_SHOWN = 200
_ALIASES = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}
_BUCKETS = frozenset({"s3", "gs"})
_PORTS = {"http": 80, "https": 443}
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]{0,31}$")
_BUCKET = re.compile(r"^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*$")
_AUTHORITY = re.compile(r"[0-9A-Za-z._\[\]:-]+")
_KEPT = "!$&'()*+,;=:@~"  # besides letters, digits and -._ (RFC 3986 section 3.3)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def normal(text: str) -> str:
    """The normal form: scheme and bucket or host in lower case, escapes decoded, default port and last dot dropped.

    Raises ValueError for what has none: no scheme, user info, dot segments, double escapes, odd characters.
    """
    if len(text) > MAX_LENGTH or not text.isprintable() or "\\" in text or _BAD_ESCAPE.search(text):
        raise ValueError("the destination has characters that do not belong in one")
    scheme, separator, rest = text.partition("://")
    scheme = _ALIASES.get(scheme.lower(), scheme.lower())
    if not separator or not _SCHEME.match(scheme):
        raise ValueError("the destination has no scheme")
    authority, slash, tail = rest.partition("/")
    path, mark, query = tail.partition("?")
    if "#" in rest or " " in query or "?" in authority or (mark and scheme not in _PORTS):
        raise ValueError("the destination has a query or fragment where none belongs")
    return f"{scheme}://{_authority(scheme, _decode(authority))}{slash}{_path(path)}{mark}{query}"


def _authority(scheme: str, text: str) -> str:
    if not _AUTHORITY.fullmatch(text):
        raise ValueError("the destination has user info, or characters that do not belong in a host")
    if scheme in _BUCKETS:
        bucket = text.lower().removesuffix(".")
        if not _BUCKET.match(bucket) or len(bucket) > 63:
            raise ValueError("the destination has no valid bucket")
        return bucket
    host, port = split_authority(text)
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None or port == _PORTS.get(scheme) else f"{shown}:{port}"


def _path(text: str) -> str:
    if not text:
        return ""
    segments = [_decode(segment) for segment in text.split("/")]
    if any(segment in ("", ".", "..") for segment in segments[:-1]) or segments[-1] in (".", ".."):
        raise ValueError("the destination has dot segments or empty ones")
    return "/".join(quote(segment, safe=_KEPT) for segment in segments)


def _decode(text: str) -> str:
    decoded = unquote_to_bytes(text).decode()  # UnicodeDecodeError is a ValueError
    if any(c in "%/\\?#" for c in decoded) or not decoded.isprintable():
        raise ValueError("the destination hides characters in escapes")
    return decoded


@dataclass(frozen=True, slots=True)
class Ours:
    """One entry of internal_destinations: scheme, glob of bucket or host, and optionally a glob of the path."""

    scheme: str
    authority: str
    path: str | None

    @classmethod
    def parse(cls, text: str) -> Ours:
        """Raises ValueError, with the reason, when the glob is too wide or is no destination."""
        scheme, separator, rest = text.lower().partition("://")
        scheme = _ALIASES.get(scheme, scheme)
        if not separator or not _SCHEME.match(scheme):
            raise ValueError("write scheme and bucket or host, such as `s3://acme-*`")
        authority, slash, _ = rest.partition("/")
        path = text.partition("://")[2].partition("/")[2] if slash else None
        fixed = authority.removeprefix("*.") if scheme not in _BUCKETS else authority
        wild = "*" in fixed or "?" in fixed or (fixed != authority and "." not in fixed)
        if not authority.strip("*?.") or (scheme not in _BUCKETS and wild):
            # `https://acme-*` would be anybody's acme-evil.example.
            raise ValueError("is too wide: a host is written out, or `*.domain.tld`")
        if any(c in authority for c in "[]@%\\ "):
            raise ValueError("has characters that do not belong in a bucket or host")
        if scheme in _PORTS:
            authority = authority.removesuffix(f":{_PORTS[scheme]}")
        return cls(scheme, authority.removesuffix("."), path or None)

    def covers(self, destination: str) -> bool:
        """Whether a destination in normal form lies inside. A `*` never reaches from the host into the path."""
        scheme, _, rest = destination.partition("://")
        authority, _, path = rest.partition("/")
        return (
            scheme == self.scheme
            and fnmatchcase(authority, self.authority)
            and (self.path is None or fnmatchcase(path.partition("?")[0], self.path))
        )


def judge(text: str, ours: Sequence[Ours]) -> tuple[str, Side]:
    """The destination in its normal form, and its side. What has no normal form is shown as unreadable, external."""
    try:
        destination = normal(text)
    except ValueError:
        shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:_SHOWN])
        return UNREADABLE + shown, "external"
    return destination, "internal" if any(glob.covers(destination) for glob in ours) else "external"
