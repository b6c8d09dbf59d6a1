"""What the policy calls ours: entries of internal_destinations, and whether a destination lies inside one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import quote

from sluicegate.operations.destination import amazon, microsoft
from sluicegate.operations.destination.form import ALIASES, place
from sluicegate.operations.destination.place import KEPT, PORTS, SCHEME, Place
from sluicegate.settings.suffixes import is_public_suffix

_STAGE = re.compile(r"@([A-Za-z_][\w$.]*)(/.*)?", re.ASCII)
_BUCKET_ARN = re.compile(r"arn:(aws[a-z-]*):s3:::(.*)")
_STORES = ("amazonaws.com", "amazonaws.com.cn", "googleapis.com", "core.windows.net", "cloud.google.com")


@dataclass(frozen=True, slots=True)
class Ours:
    """One entry of internal_destinations: scheme, glob of bucket or host, and optionally a glob of the path."""

    scheme: str
    authority: str
    path: str | None
    wild: bool = True
    """Whether `authority` is a glob."""

    @classmethod
    def parse(cls, text: str) -> Ours:
        """From a place in any spelling, or a glob. Raises ValueError, with the reason, when it is too wide."""
        if not _has_glob(text):
            if "%" in text.partition("://")[2].partition("/")[0]:
                raise ValueError("has escapes in its bucket or host: write it as it is read")
            found = place(text)
            if found.query:
                raise ValueError("has a query, which is no part of a place")
            return cls(found.scheme, found.authority, found.path[1:] or None, wild=False)
        return cls._glob(text)

    @classmethod
    def _glob(cls, text: str) -> Ours:
        text = _STAGE.sub(r"stage://\1\2", text) if text.startswith("@") else text
        arn = _BUCKET_ARN.fullmatch(text)
        if arn:
            text = f"s3{'' if arn[1] == 'aws' else '+' + arn[1]}://{arn[2]}"
        scheme, separator, rest = text.partition("://")
        scheme = ALIASES.get(scheme.lower(), scheme.lower())
        if not separator or not SCHEME.fullmatch(scheme):
            raise ValueError("write scheme and bucket or host, such as `s3://acme-*`")
        authority, slash, path = rest.partition("/")
        authority = authority.lower()
        if any(c in authority for c in "[]@%\\ "):
            raise ValueError("has characters that do not belong in a bucket or host")
        if re.search(r"\?[^/]*=", rest):
            raise ValueError("has a query, which is no part of a place")
        _check_width(scheme, authority)
        if "*" not in authority and "?" not in authority:
            found = place(f"{scheme}://{authority}/x")
            if (found.scheme, found.path) != (scheme, "/x"):
                raise ValueError(f"write it in its normal form, which begins with `{_shown(found)}`")
            authority, wild = found.authority, False
        else:
            authority, wild = authority.removesuffix(f":{PORTS.get(scheme)}").removesuffix("."), True
        return cls(scheme, authority, quote(path, safe=KEPT + "*?[]/%") or None if slash else None, wild)

    def covers(self, destination: str) -> bool:
        """Whether a destination in normal form lies inside. A `*` never reaches from the host into the path."""
        scheme, _, rest = destination.partition("://")
        authority, _, path = rest.partition("?")[0].partition("/")
        return (
            scheme == self.scheme
            and (fnmatchcase(authority, self.authority) if self.wild else authority == self.authority)
            and (self.path is None or fnmatchcase(path, self.path))
        )


def _has_glob(text: str) -> bool:
    _, _, path = text.partition("://")[2].partition("/")
    return "*" in text or "?" in text or "[" in path


def _check_width(scheme: str, authority: str) -> None:
    if not authority.strip("*?."):
        raise ValueError("is too wide: it means everybody's")
    if "*" not in authority and "?" not in authority:
        return
    if amazon.partition_of(scheme) is not None or scheme in ("gs", "stage"):
        return
    if scheme == "azure":
        if not microsoft.BLOB.fullmatch(authority) or not authority.partition(".")[0].strip("*?"):
            raise ValueError("is too wide: write `azure://acme*.blob.core.windows.net`, or the account")
        return
    fixed = authority.removeprefix("*.").partition(":")[0].removesuffix(".")
    if "*" in fixed or "?" in fixed or fixed == authority:
        # `https://acme-*` would be anybody's acme-evil.example.
        raise ValueError("is too wide: a host is written out, or `*.domain.tld`")
    if is_public_suffix(fixed, companies=True) or any(f".{fixed}".endswith("." + store) for store in _STORES):
        raise ValueError(f"is too wide: anybody can have a name below {fixed}")


def _shown(found: Place) -> str:
    return f"{found.scheme}://{found.authority}"
