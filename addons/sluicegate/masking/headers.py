"""Header fields around a masked response: what must go, because it speaks of the body that the service sent.

Requests lose what would make the service answer with a piece, a difference, or nothing (RFC 9110 sections 13, 14).
"""

from __future__ import annotations

from collections.abc import Container
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

from sluicegate.masking.json_body import Unfit
from sluicegate.masking.names import normal

Pairs = tuple[tuple[bytes, bytes], ...]
"""Field lines as they are on the wire."""

PARTIAL_REQUEST = (
    "range",
    "if-range",
    "if-none-match",
    "if-modified-since",
    "a-im",
    "te",
    "want-digest",
    "want-content-digest",
    "want-repr-digest",
    "x-amz-checksum-mode",
)
"""Request fields that are taken out when masks are owed. If-Match stays: without it a write would go unguarded."""

_GONE = frozenset(
    (
        b"content-md5",
        b"digest",
        b"content-digest",
        b"repr-digest",
        b"etag",
        b"last-modified",
        b"accept-ranges",
        b"content-range",
        b"trailer",
        b"transfer-encoding",
        b"content-length",
        b"content-encoding",
        b"cache-control",
        b"expires",
        b"x-content-type-options",
        b"x-amz-crc32",
        b"x-goog-hash",
        b"x-ms-content-crc64",
        b"x-ms-blob-content-md5",
        # Links to elsewhere that a client follows by itself; Location has its own rule.
        b"link",
        b"content-location",
        b"refresh",
    )
)


def rewrite(pairs: Pairs, length: int | None, coding: str, columns: Container[str]) -> Pairs:
    """The fields of the masked response. `length` is that of its body; None where none may be said (204, 304, HEAD).

    Raises Unfit when Location carries a masked column's name (`columns`, in normal form) in its query.
    """
    kept = [pair for pair in pairs if _stays(pair[0])]
    for name, value in kept:
        if name.lower() == b"location" and _names_column(value.decode("utf-8", "replace"), columns):
            raise Unfit("its redirect carries a masked column")
    if coding:
        kept.append((b"content-encoding", coding.encode()))
    if length is not None:
        kept.append((b"content-length", b"%d" % length))
    kept.append((b"cache-control", b"private, no-store"))
    kept.append((b"x-content-type-options", b"nosniff"))
    return tuple(kept)


@lru_cache(maxsize=512)
def _stays(name: bytes) -> bool:
    lower = name.lower()
    return not (lower in _GONE or lower.startswith(b"x-amz-checksum-") or b"signature" in lower)


def _names_column(location: str, columns: Container[str]) -> bool:
    try:
        parts = urlsplit(location)
        names = parse_qsl(f"{parts.query}&{parts.fragment}".replace(";", "&").replace("?", "&"), keep_blank_values=True)
    except ValueError:
        return True  # what we cannot read, a client may read otherwise
    return any(normal(name) in columns for name, _ in names)
