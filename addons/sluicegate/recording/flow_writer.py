"""A live flow and its exchange, as one element of a mitmproxy flow file (version 21): what the client saw, no secrets.

The live objects are only read. Certificates are never looked at, since turning them into PEM costs more than all the
rest, and they are the same for every flow of a connection.
"""

from __future__ import annotations

import dataclasses
import zlib
from functools import lru_cache
from typing import Any

from mitmproxy import connection, http, version

from sluicegate.exchange import Exchange
from sluicegate.recording.flow_reader import NO_CRC
from sluicegate.recording.redact import Redactor
from sluicegate.recording.summary import summarise
from sluicegate.recording.tnetstring import Encoded
from sluicegate.recording.tnetstring import encode as encode_value

if version.FLOW_FORMAT_VERSION != 21:
    raise ImportError(f"mitmproxy writes flow format {version.FLOW_FORMAT_VERSION}, and this writer knows 21")

METADATA = "sluicegate"
"""The key in a flow's metadata under which everything of ours is."""

Fields = tuple[tuple[bytes, bytes], ...]
_SMALL = 4096
"""Bytes up to which a header section is remembered."""
_SIMPLE = frozenset({str, bytes, int, float, bool, type(None)})
_EMPTIED = frozenset({"certificate_list", "alpn_offers", "cipher_list"})


def _names(kind: type[connection.Connection]) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind) if f.metadata.get("serialize", True))


_CLIENT, _SERVER = _names(connection.Client), _names(connection.Server)


class FlowWriter:
    """Encodes flows. `run` names the recorder that wrote them; clients never learn it."""

    def __init__(self, redact: Redactor, run: str) -> None:
        self._redact = redact
        self._run = run
        # A client that keeps its connection sends the same headers again and again.
        self._remembered = lru_cache(512)(self._encoded)

    def request_body(self, flow: http.HTTPFlow) -> bytes | None:
        """The request body as it is recorded."""
        data = flow.request.data
        return self._redact.form(data.headers.fields, data.content) if data.content else data.content

    def summary(self, flow: http.HTTPFlow, exchange: Exchange, finished: float, *, intent: bool) -> dict[str, Any]:
        """The metadata of the flow: the exchange, how it ended, who recorded it, and whether an intent was written."""
        return {
            **summarise(exchange, self._redact, finished),
            "status": flow.response.status_code if flow.response else None,
            "error": self._redact.error(flow.error.msg) if flow.error else None,
            "intent": intent,
            "run": self._run,
        }

    def encode(self, flow: http.HTTPFlow, exchange: Exchange, summary: dict[str, Any]) -> bytes:
        """One element for a flow file. Raises TypeError when something in it cannot be recorded."""
        error = flow.error
        head = encode_value(
            {
                "version": version.FLOW_FORMAT_VERSION,
                "type": flow.type,
                "id": flow.id,
                "error": {"msg": summary["error"], "timestamp": float(error.timestamp)} if error else None,
                "intercepted": False,
                "is_replay": flow.is_replay,
                "marked": "",
                "comment": _comment(summary),
                "timestamp_created": float(flow.timestamp_created),
                "backup": None,
                "websocket": None,
                "request": self._request(flow, exchange),
                "response": self._response(flow, exchange),
            }
        )
        body = b"%b11:client_conn;%b11:server_conn;%b8:metadata;%b" % (
            head[head.index(b":") + 1 : -1],
            _connection(_CLIENT, _values(_CLIENT, flow.client_conn)),
            _connection(_SERVER, _values(_SERVER, flow.server_conn)),
            encode_value({METADATA: {**summary, "crc32": "00000000"}}),
        )
        element = b"%d:%b}" % (len(body), body)
        return b"%b8:%08x;}}}" % (element[: -len(NO_CRC)], zlib.crc32(element))

    def _request(self, flow: http.HTTPFlow, exchange: Exchange) -> dict[str, Any]:
        state = self._message(flow.request.data, exchange)
        state["content"] = self.request_body(flow)
        state["path"] = self._redact.target(state["path"].decode("latin-1")).encode("latin-1")
        state["authority"] = self._redact.authority(state["authority"].decode("latin-1")).encode("latin-1")
        return state

    def _response(self, flow: http.HTTPFlow, exchange: Exchange) -> dict[str, Any] | None:
        return self._message(flow.response.data, exchange) if flow.response else None

    def _message(self, data: http.MessageData, exchange: Exchange) -> dict[str, Any]:
        state = dict(vars(data))
        state["headers"] = self._headers(data.headers.fields, exchange.secret_headers)
        if data.trailers is not None:
            state["trailers"] = self._headers(data.trailers.fields, exchange.secret_headers)
        return state

    def _headers(self, fields: Fields, secret: set[str]) -> Encoded:
        if sum([len(name) + len(value) for name, value in fields]) <= _SMALL:
            return self._remembered(fields, frozenset(secret))
        return self._encoded(fields, frozenset(secret))

    def _encoded(self, fields: Fields, secret: frozenset[str]) -> Encoded:
        return Encoded(encode_value(self._redact.headers(fields, secret)))


def _comment(summary: dict[str, Any]) -> str:
    """One line for those who open the file with mitmproxy's own tools."""
    outcome = f"refused: {summary['refusal']}" if summary["refusal"] else summary["effect"] or "not judged"
    rules = f" ({', '.join(summary['rules'])})" if summary["rules"] else ""
    return f"{summary['name'] or 'nobody'}: {outcome}{rules}"


def _values(names: tuple[str, ...], conn: connection.Connection) -> tuple[Any, ...]:
    state = vars(conn)
    return tuple([v if type(v := state[name]) in _SIMPLE else _plain(v) for name in names if name not in _EMPTIED])


def _plain(value: Any) -> Any:
    """A hashable plain value; whatever else a connection refers to (a certificate, a mode) by its name, or not."""
    if isinstance(value, str | bytes | int | float):
        return value
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return getattr(value, "full_spec", None)


@lru_cache(256)
def _connection(names: tuple[str, ...], values: tuple[Any, ...]) -> bytes:
    # Nearly every flow of a connection has the same state of it, so that it is encoded once.
    kept = dict(zip([name for name in names if name not in _EMPTIED], values, strict=True))
    return encode_value({**kept, **{name: [] for name in _EMPTIED}})
