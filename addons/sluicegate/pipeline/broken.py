"""Exchanges that broke before anybody could judge or answer them: what the person is told, and what is recorded.

Nothing that a client or a service sent is quoted: it may be a credential, or a row that nobody has masked.
"""

from __future__ import annotations

import re
import time
from typing import Any

from mitmproxy import connection, http
from mitmproxy import flow as flows

from sluicegate.errors import Refusal

UNREADABLE_HEAD = "its request line or header section is not valid HTTP/1.1"
HEAD_TOO_LARGE = "its header section is too large"
NO_HOST = "it names no host: it was sent to the gateway itself, which has no pages"
UNREADABLE_BODY = "its body is not framed as its header section says"
TOO_MUCH_BEHIND = "too much was sent behind a request that is not answered yet"
CLIENT_GONE = "the client went away"
SERVICE_SILENT = "the service was silent for too long"
SERVICE_BROKE = "the service broke off, or answered in a way that cannot be read"

_NUMBER = re.compile(r"^\[Errno -?\d+\] ")
"""Says nothing to anybody who does not program."""
_NOTE = "sluicegate.broken"
"""Key in the metadata of a live flow: (message, name of mitmproxy's code, whether it may be answered)."""


def note(flow: http.HTTPFlow, message: str, code: Any, *, answerable: bool) -> None:
    """Keep how the exchange broke until its `error` hook asks."""
    flow.metadata[_NOTE] = (message, code.name, answerable and code.http_status_code() is not None)


def stand_in(conn: connection.Connection, request: http.Request | None) -> http.Request:
    """A request in place of one that cannot be read, or that names no host: sent to the gateway's own address."""
    host, port = conn.sockname[:2] if conn.sockname else ("", 0)
    if request is not None:
        request.data.host, request.data.port = host, port
        return request
    return http.Request(
        host=host,
        port=port,
        method=b"UNREADABLE",
        scheme=b"http",
        authority=b"",
        path=b"/",
        http_version=b"HTTP/1.1",
        headers=http.Headers(),
        content=None,
        trailers=None,
        timestamp_start=time.time(),
        timestamp_end=None,
    )


def refusal(flow: http.HTTPFlow) -> Refusal | None:
    """What the client is told, in the `error` hook. None where it is gone, or where its connection is simply cut."""
    if flow.error is None or flow.error.msg == flows.Error.KILLED_MESSAGE:
        return None
    message, code, answerable = flow.metadata.get(_NOTE, ("", "", True))
    if not answerable:
        return None
    match code:
        case "CONNECT_FAILED":
            return _unreachable(message.removeprefix("Connection killed: "))
        case "GENERIC_SERVER_ERROR" if message == SERVICE_SILENT:
            return _silent()
        case "GENERIC_SERVER_ERROR":
            return _unreadable_answer()
        case "GENERIC_CLIENT_ERROR":
            return _too_large(431, HEAD_TOO_LARGE) if message == HEAD_TOO_LARGE else _malformed(message)
    # mitmproxy's checks of sizes and headers leave nothing but a sentence.
    if flow.response is not None:
        return _answer_too_large() if "body_size_limit" in flow.error.msg else _unreadable_answer()
    if "body_size_limit" in flow.error.msg:
        return _too_large(413, "its body is larger than this gateway takes")
    return _malformed("its framing or one of its headers can be read in more than one way")


def _malformed(why: str) -> Refusal:
    return Refusal(
        400,
        "malformed-request",
        "Request not accepted",
        f"The request was refused because {why}.",
        next_step="Send one plain HTTP request at a time; if your client did that, look at what stands in between.",
    )


def _too_large(status: int, why: str) -> Refusal:
    return Refusal(
        status,
        "request-too-large",
        "Request too large",
        f"The request was refused because {why}.",
        next_step="Send less at a time, or ask the gateway's operator to raise `max_body_bytes` where it is a body.",
    )


def _unreachable(why: str) -> Refusal:
    return Refusal(
        502,
        "service-unreachable",
        "Service not reachable",
        f"The gateway could not connect to the service: {_NUMBER.sub('', why).rstrip('.')}.",
        next_step="Try again later; if it stays, tell the gateway's operator.",
    )


def _unreadable_answer() -> Refusal:
    return Refusal(
        502,
        "response-unreadable",
        "Answer not readable",
        f"Nothing was let through, because {SERVICE_BROKE}.",
        next_step="Try again; if it stays, tell the people who run the service.",
    )


def _silent() -> Refusal:
    return Refusal(
        504,
        "service-silent",
        "Service silent",
        f"Nothing was let through, because {SERVICE_SILENT}.",
        next_step="Ask for less at a time, or ask the gateway's operator to raise `service_seconds`.",
    )


def _answer_too_large() -> Refusal:
    return Refusal(
        502,
        "response-too-large",
        "Answer too large",
        "Nothing was let through, because the service's answer is larger than this gateway takes.",
        next_step="Ask for fewer rows at a time, or ask the gateway's operator to raise `max_body_bytes`.",
    )
