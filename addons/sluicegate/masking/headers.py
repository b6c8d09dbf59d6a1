"""Header fields around a masked response: what must go, because it speaks of the body that the service sent.

Requests lose what would make the service answer with a piece, a difference, or nothing (RFC 9110 sections 13, 14).
"""

from __future__ import annotations

import re
from collections.abc import Container
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from sluicegate.masking.accept import accepted, offered
from sluicegate.masking.field_names import names_column, names_in_json
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.names import normal

if TYPE_CHECKING:
    from sluicegate.masking.content import Content

Pairs = tuple[tuple[bytes, bytes], ...]
"""Field lines as they are on the wire."""

_PARTIAL = frozenset(
    (
        b"range",
        b"if-range",
        b"if-none-match",
        b"if-modified-since",
        b"a-im",
        b"te",
        b"want-digest",
        b"want-content-digest",
        b"want-repr-digest",
        b"x-amz-checksum-mode",
    )
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
_STANDARD = frozenset(
    (
        *(
            b"content-type",
            b"content-disposition",
            b"content-language",
            b"date",
            b"location",
            b"server",
            b"vary",
            b"allow",
        ),
        *(b"connection", b"retry-after", b"age", b"host", b"via", b"warning", b"upgrade", b"pragma", b"status"),
        *(b"www-authenticate", b"proxy-authenticate", b"accept", b"from", b"origin"),
    )
)
"""Fields whose meaning is not the service's own, whatever its columns are called."""
_ADDED = ((b"cache-control", b"private, no-store"), (b"x-content-type-options", b"nosniff"))


def ask(pairs: Pairs, owing: bool, query: str = "") -> tuple[Pairs, tuple[str, ...]]:
    """The fields that the service gets, and the codings that the client takes. The same object when nothing changes.

    `owing` says whether masks are owed, so that neither pieces nor conditions may be asked for. One pass, since a
    look-up by name in mitmproxy's fields is one too. Fields that the client has signed stay, or the service would
    refuse the request; raises Unfit where one of them asks for a piece.
    """
    values: list[bytes] = []
    kept: list[tuple[bytes, bytes]] = []
    place = 0
    signature = b""
    for pair in pairs:
        name = pair[0].lower()
        if name == b"accept-encoding":
            if not values:
                place = len(kept)
                kept.append(pair)
            values.append(pair[1])
        elif not owing or name not in _PARTIAL:
            kept.append(pair)
            if name == b"authorization" and pair[1][:5] == b"AWS4-":
                signature = pair[1]
    if owing and (signature or "X-Amz-SignedHeaders=" in query):
        signed = _signed(signature.decode("latin-1"), query)
        if not signed.isdisjoint(name.lower() for name, _ in pairs if name.lower() != b"accept-encoding"):
            kept, place = _with_signed(pairs, signed)
        if b"accept-encoding" in signed:
            return (pairs if len(kept) == len(pairs) else tuple(kept)), ()
    if not values:
        return (*kept, (b"accept-encoding", _NOTHING)), ()
    value = b", ".join(values)
    codings, offer = _codings(value) if len(value) <= _KEPT_LENGTH else _read_codings(value)
    if len(kept) == len(pairs) and values[0] == offer:
        return pairs, codings
    kept[place] = (kept[place][0], offer)
    return tuple(kept), codings


def _signed(authorization: str, query: str) -> frozenset[bytes]:
    """Lower-case names of the fields that a signature covers (AWS, version 4), in the header or in the query."""
    found = re.findall(r"SignedHeaders=([^,\s]*)", authorization)
    found += [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "X-Amz-SignedHeaders"]
    return frozenset(name.strip().encode("latin-1", "replace") for text in found for name in text.lower().split(";"))


def _with_signed(pairs: Pairs, signed: frozenset[bytes]) -> tuple[list[tuple[bytes, bytes]], int]:
    """All fields but those that ask for a piece or on a condition and are not signed; and the place of the codings."""
    kept: list[tuple[bytes, bytes]] = []
    place = 0
    seen = False
    for pair in pairs:
        name = pair[0].lower()
        if name == b"range" and name in signed:
            raise Unfit("the request asks for a piece of it, and is signed, so that it cannot be asked for whole")
        if name == b"accept-encoding" and name not in signed:
            if seen:
                continue
            seen, place = True, len(kept)
        elif name in _PARTIAL and name not in signed:
            continue
        kept.append(pair)
    return kept, place


def _read_codings(value: bytes) -> tuple[tuple[str, ...], bytes]:
    codings = accepted(value.decode("utf-8", "surrogateescape"))
    return codings, offered(codings).encode()


_NOTHING = offered(()).encode()
_KEPT_LENGTH = 128
_codings = lru_cache(maxsize=256)(_read_codings)  # clients say the same again and again, and no two kinds the same


def rewrite(
    pairs: Pairs,
    length: int | None,
    coding: str,
    columns: Container[str],
    gone: Container[str] = (),
    content: Content | None = None,
) -> Pairs:
    """The fields of the masked response. `length` is that of its body; None where none may be said (204, 304, HEAD).
    `gone` are further fields to take out, in lower case.

    `content` looks into what the fields say; one in which it finds something is taken out, and so is one, or a cookie,
    that has the name of a column, or names one in what it says.

    Raises Unfit when Location carries a masked column's name (`columns`, in normal form) in its query, or such a value.
    """
    kept = []
    for pair in pairs:
        name = pair[0].lower()
        if name in _GONE or b"signature" in name or name.startswith(b"x-amz-checksum-"):
            continue
        if gone and name.decode("latin-1") in gone:
            continue
        if name == b"location" and _names_column(pair[1].decode("utf-8", "replace"), columns):
            raise Unfit("its redirect carries a masked column")
        if name == b"set-cookie":
            if _is_owed_cookie(pair[1].decode("utf-8", "replace"), columns, content):
                continue
        elif name not in _STANDARD and (
            _is_column(name.decode("latin-1"), columns) or names_column(pair[1].decode("utf-8", "replace"), columns)
        ):
            continue
        if content is not None and content.found(pair[1].decode("utf-8", "replace")) is not None:
            if name == b"location":
                raise Unfit("its redirect carries a value that is masked")
            continue
        kept.append(pair)
    if coding:
        kept.append((b"content-encoding", coding.encode()))
    if length is not None:
        kept.append((b"content-length", b"%d" % length))
    return (*kept, *_ADDED)


_CHARSET = re.compile(rb"""charset\s*=\s*(?:"[^"]*"|[^\s;]+)""", re.IGNORECASE)


def recoded(pairs: Pairs) -> Pairs:
    """The fields of a text that was in another character set, and now is in UTF-8."""
    return tuple(
        (name, _CHARSET.sub(b"charset=utf-8", value)) if name.lower() == b"content-type" else (name, value)
        for name, value in pairs
    )


def _is_column(name: str, columns: Container[str]) -> bool:
    """Whether a field or a cookie has the name of a masked column, also as `X-Customer-Email`."""
    plain = name.lower().removeprefix("x-")
    return any(normal(form) in columns for form in (name, plain, plain.replace("-", "_"), plain.replace("-", "")))


def _is_owed_cookie(cookie: str, columns: Container[str], content: Content | None) -> bool:
    name, _, value = cookie.partition(";")[0].partition("=")
    if _is_column(name.strip(), columns) or names_column(value.strip(), columns):
        return True
    return content is not None and content.found(value.strip().strip('"')) is not None


def _names_column(location: str, columns: Container[str]) -> bool:
    try:
        parts = urlsplit(location)
        names = parse_qsl(f"{parts.query}&{parts.fragment}".replace(";", "&").replace("?", "&"), keep_blank_values=True)
    except ValueError:
        return True  # what we cannot read, a client may read otherwise
    return any(normal(name) in columns or names_in_json(value, columns) for name, value in names)
