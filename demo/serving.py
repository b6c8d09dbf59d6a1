"""Serving an ASGI application on loopback, over HTTPS, until SIGTERM; the port is told once it listens."""

from __future__ import annotations

import secrets
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp


def serve(app: ASGIApp, name: str, *, port: int, port_file: Path | None, certificate: Path) -> int:
    """Serve until SIGTERM or SIGINT; returns 0. `certificate` holds key and certificate. Raises OSError."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal that ended it once more when it is done; this makes that a clean end.
        signal.signal(number, _end)
    listener = _listener(port)
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=3,
        ssl_certfile=certificate,
        ssl_keyfile=certificate,
    )
    _Server(config, name, port_file).run(sockets=[listener])
    return 0


def _listener(port: int) -> socket.socket:
    # The protocol is named on purpose: asyncio sets TCP_NODELAY only on sockets that say they are TCP, and without
    # it each answer on a kept connection waits 40 ms for an acknowledgement. socket.create_server does not say it.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


class _Server(uvicorn.Server):
    """Says where it listens as soon as it does."""

    def __init__(self, config: uvicorn.Config, name: str, port_file: Path | None) -> None:
        super().__init__(config)
        self._name, self._port_file = name, port_file

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets
        port = sockets[0].getsockname()[1]
        if self._port_file:
            write_port(self._port_file, port)
        print(f"{self._name}: https://localhost:{port}", flush=True)


def write_port(path: Path, port: int) -> None:
    """Write the port so that who waits for the file never reads half of it."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    part.write_text(f"{port}\n")
    part.replace(path)
