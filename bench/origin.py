"""The service of the benchmark: HTTPS, keep-alive, the same 1 kB of customers each time, and as little work as can be.

    CHUNKS_TOKEN=... python -m bench.origin --state FOLDER --port-file FILE

It reads requests without a body and answers one response for each; a request without the token gets a 401.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import signal
import ssl
from pathlib import Path

import orjson

from demo import customers
from demo.certificates import certificates
from demo.serving import write_port

TARGET = "/datasets/customers/chunks/0"
"""What the benchmark asks for."""
SIZE = 1024
"""Bytes that the body has, nearly: as many whole rows as fit."""

_REFUSED = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"
_END = b"\r\n\r\n"


@functools.cache
def body() -> bytes:
    """The body of each answer, shaped as the demo's chunk service shapes it."""
    rows = [dict(zip(customers.COLUMNS, row, strict=True)) for row in customers.customers(SIZE // 100)]
    while True:
        chunk = orjson.dumps({"dataset": "customers", "chunk": 0, "columns": customers.COLUMNS, "rows": rows})
        if len(chunk) <= SIZE:
            return chunk
        rows.pop()


class Origin(asyncio.Protocol):
    """One connection."""

    def __init__(self, response: bytes, token: bytes) -> None:
        self._response, self._token = response, token
        self._pending = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport
        *requests, self._pending = (self._pending + data).split(_END)
        for request in requests:
            self._transport.write(self._response if self._token in request else _REFUSED)


async def serve(state: Path, port_file: Path, token: str) -> None:
    """Serve until SIGTERM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates(state).service)
    context.set_alpn_protocols(["http/1.1"])
    content = body()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    response, expected = head.encode() + content, f"Bearer {token}".encode()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(lambda: Origin(response, expected), "127.0.0.1", 0, ssl=context)
    write_port(port_file, server.sockets[0].getsockname()[1])
    await ended.wait()
    server.close()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m bench.origin", description="The service of the benchmark.")
    parser.add_argument("--state", type=Path, required=True, help="folder of the certificates")
    parser.add_argument("--port-file", type=Path, required=True, help="written with the port once it listens")
    options = parser.parse_args()
    asyncio.run(serve(options.state, options.port_file, os.environ["CHUNKS_TOKEN"]))


if __name__ == "__main__":
    main()
