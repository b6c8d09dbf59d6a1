"""A live flow and its exchange, as one element of a mitmproxy flow file (version 21): what the client saw, no secrets.

The live objects are only read.
"""

from __future__ import annotations

import os
import zlib
from functools import lru_cache
from typing import Any

from mitmproxy import http, version

from sluicegate.exchange import Exchange
from sluicegate.recording.flow_parts import client_state, metadata, request_line, response_line, server_state
from sluicegate.recording.flow_reader import NO_CRC
from sluicegate.recording.redact import Redactor
from sluicegate.recording.summary import delivered, summarise
from sluicegate.recording.tnetstring import encode as encode_value

if version.FLOW_FORMAT_VERSION != 21:
    raise ImportError(f"mitmproxy writes flow format {version.FLOW_FORMAT_VERSION}, and this writer knows 21")

Fields = tuple[tuple[bytes, bytes], ...]
_SMALL = 4096
"""Bytes up to which a header section is remembered."""
_FLOW = (
    b"7:version;%b4:type;%b2:id;%b5:error;%b11:intercepted;5:false!9:is_replay;%b6:marked;0:;7:comment;%b"
    b"17:timestamp_created;%b6:backup;0:~9:websocket;%b7:request;%b8:response;%b"
    b"11:client_conn;%b11:server_conn;%b8:metadata;%b"
)
_MESSAGE = b"%b7:headers;%b7:content;%b8:trailers;%b15:timestamp_start;%b13:timestamp_end;%b"
_NO_MESSAGES = encode_value(None)
_VERSION = encode_value(version.FLOW_FORMAT_VERSION)


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
        return self._redact.body(data.headers.fields, data.content) if data.content else data.content

    def summary(self, flow: http.HTTPFlow, exchange: Exchange, finished: float, *, intent: bool) -> dict[str, Any]:
        """The metadata of the flow: the exchange, how it ended, who recorded it, and whether an intent was written."""
        return {
            **summarise(exchange, self._redact, finished),
            "status": flow.response.status_code if flow.response else None,
            "error": self._redact.error(flow.error.msg) if flow.error else None,
            "delivered": delivered(exchange, flow.response.raw_content if flow.response else None),
            "intent": intent,
            "run": self._run,
            "salt": os.urandom(16).hex(),
        }

    def encode(self, flow: http.HTTPFlow, exchange: Exchange, summary: dict[str, Any]) -> bytes:
        """One element for a flow file. Raises TypeError when something in it cannot be recorded."""
        error = flow.error
        body = _FLOW % (
            _VERSION,
            encode_value(flow.type),
            encode_value(flow.id),
            encode_value({"msg": summary["error"], "timestamp": float(error.timestamp)} if error else None),
            encode_value(flow.is_replay),
            encode_value(_comment(summary)),
            encode_value(float(flow.timestamp_created)),
            self._messages(flow, exchange),
            self._request(flow, exchange),
            self._response(flow, exchange),
            client_state(flow.client_conn),
            server_state(flow.server_conn),
            metadata(summary),
        )
        element = b"%d:%b}" % (len(body), body)
        return b"%b8:%08x;}}}" % (element[: -len(NO_CRC)], zlib.crc32(element))

    def _request(self, flow: http.HTTPFlow, exchange: Exchange) -> bytes:
        data = flow.request.data
        authority = self._redact.authority(data.authority.decode("latin-1")).encode("latin-1")
        path = self._redact.target(data.path.decode("latin-1")).encode("latin-1")
        # Not the scheme of the request: a service may be dialled without TLS, and the client did not see that.
        scheme = exchange.scheme.encode("latin-1", "replace")
        line = b"%b4:path;%d:%b," % (request_line(data, scheme, authority), len(path), path)
        return self._message(line, data, self.request_body(flow), exchange)

    def _response(self, flow: http.HTTPFlow, exchange: Exchange) -> bytes:
        if flow.response is None:
            return encode_value(None)
        data = flow.response.data
        content = self._redact.body(data.headers.fields, data.content) if data.content else data.content
        return self._message(response_line(data), data, content, exchange)

    def _messages(self, flow: http.HTTPFlow, exchange: Exchange) -> bytes:
        """The message that an exchange is, as it leaves. Of one from the service that does not leave nothing is kept:
        nobody has masked it."""
        message = exchange.message
        if message is None or flow.websocket is None:
            return _NO_MESSAGES
        refused = exchange.refusal is not None
        content = b"" if refused and not message.from_client else self._redact.body((), message.content)
        state = flow.websocket.get_state()
        kind, from_client, _, at, _, injected = state["messages"][-1]
        return encode_value({**state, "messages": ((kind, from_client, content, float(at), refused, injected),)})

    def _message(self, line: bytes, data: http.MessageData, content: bytes | None, exchange: Exchange) -> bytes:
        secret = frozenset(exchange.secret_headers)
        state = _MESSAGE % (
            line,
            self._headers(data.headers.fields, secret),
            encode_value(content),
            encode_value(None) if data.trailers is None else self._headers(data.trailers.fields, secret),
            encode_value(data.timestamp_start),
            encode_value(data.timestamp_end),
        )
        return b"%d:%b}" % (len(state), state)

    def _headers(self, fields: Fields, secret: frozenset[str]) -> bytes:
        if sum([len(name) + len(value) for name, value in fields]) <= _SMALL:
            return self._remembered(fields, secret)
        return self._encoded(fields, secret)

    def _encoded(self, fields: Fields, secret: frozenset[str]) -> bytes:
        return encode_value(self._redact.headers(fields, secret))


def _comment(summary: dict[str, Any]) -> str:
    """One line for those who open the file with mitmproxy's own tools."""
    outcome = f"refused: {summary['refusal']}" if summary["refusal"] else summary["effect"] or "not judged"
    rules = f" ({', '.join(summary['rules'])})" if summary["rules"] else ""
    return f"{summary['name'] or 'nobody'}: {outcome}{rules}"
