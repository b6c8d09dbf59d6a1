"""Places that findings are sent to, as real servers on loopback that do what a test says."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sluicegate.detection.finding import Found


def found(number, indicator="walk", **more):
    given = {
        "evidence": {"in a row": "99"},
        "exchange": f"x{number}",
        "service": "chunks",
        "dataset": "customers",
        "score": 21.0,
        **more,
    }
    return Found(f"{number:032x}", 1_800_000_000.5 + number, "https://idp.test ada", "Ada \u00c5", indicator,
                 "took 99 chunks\nin a row", **given)  # fmt: skip


class SyslogServer:
    """Takes RFC 5425 frames, one connection after the other. `drops` connections are cut off before they are answered."""

    def __init__(self, certificate, drops=0):
        self.messages, self.drops = [], drops
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"localhost:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            try:
                self._take(plain)
            except (OSError, ValueError):
                plain.close()

    def _take(self, plain):
        plain.settimeout(60)
        with self._context.wrap_socket(plain, server_side=True) as line:
            data = b""
            while more := line.recv(65536):
                data += more
            if self.drops:
                self.drops -= 1
                return  # without a close_notify of its own
            while data:
                length, _, data = data.partition(b" ")
                message, data = data[: int(length)], data[int(length) :]
                assert len(message) == int(length)
                self.messages.append(message)
            line.unwrap()

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


class Place:
    """An HTTP address that gives the answers it is told to, then 204; it keeps what it said yes to."""

    def __init__(self, *answers):
        self.taken, self.seen, place = [], [], self
        self.answers = list(answers)
        self.arrived, self.goes_on = threading.Event(), threading.Event()
        """Whether somebody came; and, while it is not set, all wait."""
        self.goes_on.set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                place.seen.append(dict(self.headers))
                place.arrived.set()
                place.goes_on.wait(60)
                answer = place.answers.pop(0) if place.answers else 204
                if answer in (204, "took and died"):
                    place.taken.append((self.headers["idempotency-key"], json.loads(body)))
                if answer == "took and died":
                    self.close_connection = True
                    return
                if answer == "a letter at a time":
                    with contextlib.suppress(OSError):
                        self.wfile.write(b"HTTP/1.1 2")
                        while not place.ended.wait(0.01):
                            self.wfile.write(b"x")
                    self.close_connection = True
                    return
                self.send_response(answer)
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/in?from=gate"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self):
        self.ended.set()
        self.goes_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
