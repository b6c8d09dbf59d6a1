"""A raw client inside a tunnel that keeps every byte that it got, so that a test can say what was not among them."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import h2.config
import h2.connection
import h2.events
import h2.settings

from tests.running import Running, Wire

IDS = re.compile(rb"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
"""Ids are drawn by lot: one in many thousands looks like a piece of a number that a test looks for."""


class Got(NamedTuple):
    """One answer. `wire` is every byte that came with it and behind it, up to the next answer or the end."""

    status: int
    headers: dict[str, str]
    body: bytes
    wire: bytes
    whole: bool = True
    """Whether it came to its end, as far as its framing says so."""


class Tunnel(Wire):
    """A tunnel to one service, through TLS that is verified against the gateway's authority."""

    def __init__(self, gate: Running, port: int, token: str, room: int | None = None) -> None:
        """`room`: bytes that are read at a time, with about as much room for what is not read yet; it is a slow client."""
        super().__init__(gate.port, timeout=60)
        self._room = room or 1 << 20
        if room is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.origin = f"localhost:{port}"
        assert b" 200 " in self.connect("localhost", port, token)
        self.tls(gate.gateway_ca, "localhost")

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        """The bytes of a request; underscores in the names of headers stand for hyphens."""
        fields = {"Host": self.origin, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body:
            fields |= {"Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body

    def fetch(self, method: str, path: str, body: bytes = b"", **headers: str) -> Got:
        """Ask, and then ask for something that is denied: what stands before that answer came with the first one.

        A gateway that closes the connection instead has sent all that there is, too.
        """
        self.send(self.request(method, path, body, **headers))
        head = self.head()
        if not head:
            return Got(0, {}, b"", b"")
        lines = head.decode("latin-1").split("\r\n")
        found = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
        length = 0 if method == "HEAD" else int(found.get("content-length", "0"))
        content = self.exactly(length)
        raw = content
        if found.get("transfer-encoding") == "chunked":
            raw, content = self.chunks()
        behind = b""
        try:
            self.send(self.request("DELETE", "/datasets/customers"))
            while not (behind.endswith(b"}\n") and b"urn:sluicegate:policy-denied" in behind):
                piece = self.socket.recv(65536)
                if not piece:
                    break
                behind += piece
        except OSError:
            pass
        if behind:
            assert behind.startswith(b"HTTP/1.1 403 "), behind[:200]
            behind = IDS.sub(b"", behind)
        return Got(int(lines[0].split()[1]), found, content, head + raw + content + behind)

    def exactly(self, length: int) -> bytes:
        """So many bytes, or fewer where the connection ends."""
        content = b""
        while len(content) < length and (piece := self.socket.recv(min(length - len(content), self._room))):
            content += piece
        return content

    def chunks(self) -> tuple[bytes, bytes]:
        """A chunked body as it is on the wire, and what it says. Of one that is broken off, what came."""
        raw = content = b""
        while True:
            line = b""
            while not line.endswith(b"\r\n") and (piece := self.socket.recv(1)):
                line += piece
            raw += line
            size = int(line, 16) if line.endswith(b"\r\n") else 0
            chunk = self.exactly(size + 2) if line else b""
            raw += chunk
            content += chunk[:size]
            if not size:
                return raw, content


@contextmanager
def tunnel(gate: Running, port: int, token: str, room: int | None = None) -> Iterator[Tunnel]:
    """A tunnel that is closed at the end."""
    found = Tunnel(gate, port, token, room)
    try:
        yield found
    finally:
        found.close()


def over_http2(gate: Running, port: int, token: str, path: str, window: int | None = None) -> Got:
    """One GET over HTTP/2; `wire` is every byte of fields and body. `window`: bytes that may come before some are read."""
    wire = Wire(gate.port, timeout=60)
    try:
        assert b" 200 " in wire.connect("localhost", port, token)
        wire.tls(gate.gateway_ca, "localhost", ["h2"])
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        connection.initiate_connection()
        if window is not None:
            connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        fields = [(":method", "GET"), (":path", path), (":scheme", "https"), (":authority", f"localhost:{port}")]
        connection.send_headers(1, [*fields, ("accept-encoding", "identity")], end_stream=True)
        wire.send(connection.data_to_send())
        status, headers, body, seen = 0, {}, b"", b""
        while data := wire.socket.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
                    status = int(headers[":status"])
                    seen += repr(event.headers).encode()
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, 1)
                elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                    return Got(status, headers, body, seen + body, isinstance(event, h2.events.StreamEnded))
            wire.send(connection.data_to_send())
        return Got(status, headers, body, seen + body, whole=False)
    finally:
        wire.close()
