"""An HTTPS origin on a free loopback port that keeps every byte it receives, and answers what the test says."""

from __future__ import annotations

import contextlib
import select
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


class _Connection:
    """Where one connection stands. `busy`: bytes are on their way from the socket to `received`."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.busy = True
        self.answering = False

    def settled(self) -> bool:
        """Whether all that arrived is written down. While it answers, nothing is read, for as long as a test likes."""
        if self.busy or self.socket is None:
            return False
        return self.answering or not _readable(self.socket, 0)


class Origin:
    """`received` is every byte of every connection, in order of arrival; `connections` counts the accepted ones,
    `ended` those of which nothing more will arrive.

    It reads on threads of its own. Whoever looks at one of these gets it with all that was sent to this port before:
    that nothing came is said of what came, and not of what was read so far.
    """

    def __init__(
        self, certificate: Path | None, respond: Responder | None = None, address: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.respond: Responder = respond or (lambda request: json_response(b'{"rows":[]}'))
        self._received = bytearray()
        self._connections = 0
        self._ended = 0
        self._open: set[_Connection] = set()
        self._own: set[object] = set()
        self._changed = threading.Condition()
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._address = address
        self._listener = socket.create_server((address, port), family=self._family)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def received(self) -> bytearray:
        self._settle()
        return self._received

    @property
    def connections(self) -> int:
        self._settle()
        return self._connections

    @property
    def ended(self) -> int:
        self._settle()
        return self._ended

    def _settle(self) -> None:
        """Wait until everything that was sent here is written down. Raises AssertionError when that hangs."""
        self._accept_all()
        with self._changed:
            assert self._changed.wait_for(lambda: all(one.settled() for one in self._open), 60), "the origin hangs"

    def _accept_all(self) -> None:
        """Connections are accepted in their order: one of our own is the last of those that are there."""
        with socket.socket(self._family) as own:
            own.bind((self._address, 0))
            name = own.getsockname()
            with self._changed:
                self._own.add(name)
            try:
                own.connect((self._address, self.port))
            except OSError:  # closed: nobody comes any more
                return
            with self._changed:
                assert self._changed.wait_for(lambda: name not in self._own, 60), "the origin accepts nobody"

    def _accept(self) -> None:
        while True:
            try:
                accepted, name = self._listener.accept()
            except OSError:
                with self._changed:
                    self._own.clear()
                    self._changed.notify_all()
                return
            with self._changed:
                if name in self._own:
                    self._own.remove(name)
                    self._changed.notify_all()
                    accepted.close()
                    continue
                self._connections += 1
                one = _Connection()
                self._open.add(one)
            threading.Thread(target=self._serve, args=(accepted, one), daemon=True).start()

    def _serve(self, connection: socket.socket, one: _Connection) -> None:
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            self._note(one, socket=connection, busy=False)
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            pending = b""
            while data := self._read(connection, one):
                pending += data
                while (end := self._complete(pending)) is not None:
                    request, pending = pending[:end], pending[end:]
                    self._note(one, answering=True)
                    connection.sendall(self.respond(request))
                    self._note(one, answering=False)
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
            with self._changed:
                self._open.remove(one)
                connection.close()
                self._ended += 1
                self._changed.notify_all()

    def _read(self, connection: socket.socket, one: _Connection) -> bytes:
        """The next bytes, written down; nothing at the end."""
        while True:
            _readable(connection, None)
            self._note(one, busy=True)
            connection.setblocking(False)  # half a record of TLS is not waited for: that is not being busy
            try:
                data = connection.recv(65536)
                with self._changed:
                    self._received += data
                return data
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            finally:
                connection.setblocking(True)
                self._note(one, busy=False)

    def _note(self, one: _Connection, **changes: object) -> None:
        with self._changed:
            vars(one).update(changes)
            self._changed.notify_all()

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
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # whoever waits in accept is woken
        self._listener.close()


def _readable(connection: socket.socket, milliseconds: int | None) -> bool:
    """Whether bytes, or the end, are there to be read; None waits for it."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(milliseconds))
