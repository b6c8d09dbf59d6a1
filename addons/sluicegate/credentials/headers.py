"""Which headers may carry a service's credential, and which spellings of one a service may take for it."""

from __future__ import annotations

from collections.abc import Sequence

Field = tuple[bytes, bytes]

_NOT_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def may_carry(header: str) -> bool:
    """False for headers that frame or route the message, or that another room writes: a credential would break it."""
    name = header.lower()
    return name not in _NOT_OURS and not name.startswith("proxy-")


def replaced(fields: Sequence[Field], header: str, value: str, *, lower: bool) -> tuple[Field, ...]:
    """The fields without any occurrence of the header, and with ours at the end.

    CGI and WSGI services read `X_Api_Key` as `X-Api-Key` (RFC 3875 section 4.1.18), so that spelling goes too.
    `lower`: for HTTP/2, where names are lower case (RFC 9113 section 8.2).
    """
    ours = _folded(header.encode("ascii"))
    name = header.lower() if lower else header
    kept = [field for field in fields if _folded(field[0]) != ours]
    return (*kept, (name.encode("ascii"), value.encode("ascii")))


def _folded(name: bytes) -> bytes:
    return name.lower().replace(b"_", b"-")
