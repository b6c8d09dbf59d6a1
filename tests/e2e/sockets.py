"""WebSockets frame by frame: a service that sends what a test says, and a client that keeps every byte that it got."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable

from sluicegate.lockdown.websocket import accept
from tests.e2e.tunnels import Tunnel
from tests.origin import Cut

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
KEY = base64.b64encode(b"sixteen bytes ..").decode()


def frame(payload: bytes, kind: int = TEXT, *, end: bool = True, masked: bool = False) -> bytes:
    """One frame (RFC 6455 section 5.2); 0 continues a message. `masked`: as clients send them."""
    length = len(payload)
    sign = 0x80 if masked else 0
    if length < 126:
        head = bytes([sign | length])
    elif length < 1 << 16:
        head = bytes([sign | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([sign | 127]) + length.to_bytes(8, "big")
    if masked:
        key = os.urandom(4)
        head += key
        payload = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
    return bytes([(0x80 if end else 0) | kind]) + head + payload


def pieces(payload: bytes, cuts: Iterable[int], kind: int = TEXT, *, masked: bool = False) -> bytes:
    """One message in several frames, cut before these bytes."""
    places = [0, *cuts, len(payload)]
    last = len(places) - 2
    return b"".join(
        frame(payload[places[at] : places[at + 1]], kind if at == 0 else 0, end=at == last, masked=masked)
        for at in range(last + 1)
    )


def switch(request: bytes, **more: str) -> bytes:
    """The 101 of a service that agrees. `more` are fields; underscores in their names stand for hyphens."""
    fields = {name.strip().lower(): value.strip() for name, _, value in lines(request)}
    said = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept(fields["sec-websocket-key"]),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in said.items() if value)
    return f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n".encode()


def lines(request: bytes) -> list[tuple[str, str, str]]:
    """The fields of a request, each as name, colon and value."""
    return [line.partition(":") for line in request.decode("latin-1").split("\r\n")[1:] if line]


def sends(*frames: bytes, **more: str):
    """A responder: agree, send these frames, and end the connection."""

    def respond(request: bytes) -> bytes:
        raise Cut(switch(request, **more) + b"".join(frames))

    return respond


class Socket(Tunnel):
    """A raw client of a WebSocket. `seen` is every byte behind the 101."""

    seen = b""

    def ask(self, path: str, **more: str) -> tuple[int, dict[str, str], bytes]:
        """Ask for the WebSocket; the status, fields and body of the answer."""
        fields = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": KEY,
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        self.send(self.request("GET", path, **{name: value for name, value in fields.items() if value}))
        status, headers, body = self.response()
        return status, headers, body

    def rest_within(self, body: bytes) -> bytes:
        """What follows an answer: a request that is denied is sent behind it, and what comes is read up to its answer."""
        self.send(self.request("DELETE", "/none"))
        head = self.head()
        if head:  # or it was closed, and that is all
            assert head.startswith(b"HTTP/1.1 403 "), head
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            body += head + self.exactly(length)
        return body

    def frames(self) -> list[tuple[int, bytes]]:
        """Everything until the other side closes, as (kind, payload). Frames of one message are put together."""
        self.seen += self.rest()
        found: list[tuple[int, bytes]] = []
        data, begun = self.seen, b""
        while len(data) >= 2:
            kind, size, at = data[0] & 15, data[1] & 127, 2
            if size > 125:
                width = 2 if size == 126 else 8
                size, at = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
            payload, last, data = data[at : at + size], data[0] & 0x80, data[at + size :]
            begun += payload
            if last:
                found.append((kind, begun))
                begun = b""
        return found
