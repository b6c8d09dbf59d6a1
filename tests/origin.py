"""An HTTPS origin on a free loopback port that keeps every byte it receives, and answers what the test says."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

Responder = Callable[[bytes], bytes]


def json_response(body: bytes, extra: str = "", status: str = "200 OK") -> bytes:
    """An HTTP/1.1 response with a JSON body."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{extra}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Cut(Exception):
    """Raised by a responder: send these bytes and end the connection."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = data


class Poured(Exception):
    """Raised by a responder: send these pieces, each once the one before it was taken, and end the connection."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__()
        self.pieces = pieces


class Origin:
    """`received` is every byte of every connection, in order of arrival; `connections` counts the accepted ones,
    `ended` those of which nothing more will arrive."""

    def __init__(
        self, certificate: Path | None, respond: Responder | None = None, address: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.respond: Responder = respond or (lambda request: json_response(b'{"rows":[]}'))
        self.received = bytearray()
        self.connections = 0
        self.ended = 0
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            pending = b""
            while data := connection.recv(65536):
                with self._lock:
                    self.received += data
                pending += data
                while (end := self._complete(pending)) is not None:
                    request, pending = pending[:end], pending[end:]
                    connection.sendall(self.respond(request))
        except Cut as cut:
            with contextlib.suppress(OSError):
                connection.sendall(cut.data)
        except Poured as poured:
            with contextlib.suppress(OSError):
                for piece in poured.pieces:
                    connection.sendall(piece)
        except OSError:
            pass
        finally:
            connection.close()
            with self._lock:
                self.ended += 1

    @staticmethod
    def _complete(data: bytes) -> int | None:
        head, separator, body = data.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                length = int(value)
        return len(head) + 4 + length if len(body) >= length else None

    def close(self) -> None:
        self._listener.close()
