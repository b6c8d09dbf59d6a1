"""The address on loopback to which the provider sends the browser back (RFC 8252 section 7.3)."""

from __future__ import annotations

import hmac
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Sluicegate</title><h1>{title}</h1><p>{text}</p></html>'
)
_NOT_OURS = "This is not the answer to the sign-in that was begun. [sign-in-state]"
_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "connection": "close",
}


class Callback:
    """Listens on a free port of 127.0.0.1 for the answer to one sign-in. Use it as a context manager."""

    def __init__(self, state: str) -> None:
        self._state = state
        self.answer: dict[str, str] | None = None
        """The parameters of the answer, once it has come: of the first request whose `state` is ours."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5.0

            def do_GET(self) -> None:
                outer._take(self)

            def log_message(self, format: str, *args: object) -> None:
                return  # the line would hold the code

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/callback"

    def wait(self, seconds: float) -> dict[str, str] | None:
        """The answer, or None when it does not come in time."""
        deadline = time.monotonic() + seconds
        while self.answer is None and (left := deadline - time.monotonic()) > 0:
            self._server.timeout = min(left, 1.0)
            self._server.handle_request()
        return self.answer

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        if parts.path != "/callback":
            return _say(handler, 404, "Not here", "There is nothing at this address.")
        try:
            given = parse_qs(parts.query, keep_blank_values=True, max_num_fields=20)
        except ValueError:
            given = {}
        # Another page can send the browser here too; without our state it changes nothing, and we go on waiting.
        state = given.get("state", [""])
        if len(state) != 1 or not hmac.compare_digest(state[0].encode(), self._state.encode()):
            return _say(handler, 400, "Not the answer", _NOT_OURS)
        if any(len(values) != 1 for values in given.values()):
            return _say(handler, 400, "Not the answer", "Something in this answer comes twice. [sign-in-state]")
        if self.answer is None:
            self.answer = {name: values[0] for name, values in given.items()}
        if "error" in self.answer:
            return _say(handler, 200, "Not signed in", "The identity provider refused. Your terminal says more.")
        return _say(handler, 200, "Signed in", "You can close this page and go back to your terminal.")

    def __enter__(self) -> Callback:
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.server_close()


def _say(handler: BaseHTTPRequestHandler, status: int, title: str, text: str) -> None:
    body = _PAGE.format(title=title, text=text).encode()
    handler.send_response(status)
    for name, value in _HEADERS.items():
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
