"""The parts of a flow that come again and again: connections, metadata, and how a message begins.

They are remembered by their values; encoding them anew took most of the recorder's time. What comes in here is
without secrets already.
"""

from __future__ import annotations

import dataclasses
from operator import itemgetter
from typing import Any

from mitmproxy import connection, http

from sluicegate.recording.remembered import Remembered
from sluicegate.recording.tnetstring import encode

METADATA = "sluicegate"
"""The key in a flow's metadata under which everything of ours is."""

Key = tuple[Any, ...]
_EMPTIED = ("certificate_list", "alpn_offers", "cipher_list")
_NOTHING = "mitmcert"
_SINGLE = (
    *("id", "started", "finished", "path", "detail", "error", "salt", "operation", "exposure"),
    *("risk", "findings", "parts", "part_count"),
)
"""What of the metadata is another in each exchange, or is remembered by itself."""


def inside(table: dict[str, Any]) -> bytes:
    """The keys and values of a table, to be put into a larger one."""
    framed = encode(table)
    return framed[framed.index(b":") + 1 : -1]


def request_line(data: http.RequestData, scheme: bytes, authority: bytes) -> bytes:
    """The inside of a table: what a request has besides fields, times, path and body; `authority` without secrets."""
    return _request_line((data.http_version, data.host, data.port, data.method, scheme, authority))


def response_line(data: http.ResponseData) -> bytes:
    """The inside of a table: what a response has besides fields, times and body."""
    return _response_line((data.http_version, data.status_code, data.reason))


def metadata(summary: dict[str, Any]) -> bytes:
    """The metadata of a flow, a table that ends with the place of the checksum. Raises TypeError."""
    rest = summary.copy()
    single = {name: rest.pop(name) for name in _SINGLE}
    operation, exposure = single.pop("operation"), single.pop("exposure")
    ours = b"%b%b9:operation;%b8:exposure;%b5:crc32;8:00000000;" % (
        _repeating(_flat(rest)),
        inside(single),
        _table(_flat(operation)) if operation else encode(None),
        _exposure((_flat(exposure["columns"]), exposure["rows"], _flat(exposure["masks"])))
        if exposure
        else encode(None),
    )
    ours = b"10:%b;%d:%b}" % (METADATA.encode(), len(ours), ours)
    return b"%d:%b}" % (len(ours), ours)


def _flat(table: dict[str, Any]) -> Key:
    return (*table, *table.values())


def _unflat(key: Key) -> dict[str, Any]:
    half = len(key) // 2
    return dict(zip(key[:half], key[half:], strict=True))


def _encode_exposure(key: Key) -> bytes:
    columns, rows, masks = key
    return encode({"columns": _unflat(columns), "rows": rows, "masks": _unflat(masks)})


_REQUEST_LINE = ("http_version", "host", "port", "method", "scheme", "authority")
_RESPONSE_LINE = ("http_version", "status_code", "reason")
_request_line = Remembered[Key](lambda key: inside(dict(zip(_REQUEST_LINE, key, strict=True))))
_response_line = Remembered[Key](lambda key: inside(dict(zip(_RESPONSE_LINE, key, strict=True))))
_repeating = Remembered[Key](lambda key: inside(_unflat(key)))
_table = Remembered[Key](lambda key: encode(_unflat(key)))
_exposure = Remembered[Key](_encode_exposure)


class _Connections:
    """Encodes connections of one kind. Nearly every flow of a connection has the same state of it.

    Certificates are never looked at: turned into PEM they cost more than all the rest.
    """

    def __init__(self, kind: type[connection.Connection]) -> None:
        serialized = [field.name for field in dataclasses.fields(kind) if field.metadata.get("serialize", True)]
        self._names = [name for name in serialized if name not in (*_EMPTIED, _NOTHING)]
        self._empty: dict[str, Any] = {name: [] for name in _EMPTIED} | (
            {_NOTHING: None} if _NOTHING in serialized else {}
        )
        self._values = itemgetter(*self._names)
        # Each connection leaves an entry behind; more than are open at a time only look like a leak.
        self._remembered = Remembered[Key](self._encode, 128)

    def __call__(self, conn: connection.Connection) -> bytes:
        """The connection as a table. Raises TypeError."""
        return self._remembered(self._values(vars(conn)))

    def _encode(self, values: Key) -> bytes:
        return encode({**dict(zip(self._names, map(_plain, values), strict=True)), **self._empty})


def _plain(value: Any) -> Any:
    """A plain value; whatever else a connection refers to (a mode) by its name, or not."""
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return getattr(value, "full_spec", None)


client_state = _Connections(connection.Client)
server_state = _Connections(connection.Server)
