"""A service whose one answer is as large as it is asked for: rows of customers, without end or length beforehand.

    CHUNKS_TOKEN=... python -m bench.large_origin --state FOLDER --port-file FILE --megabytes 1000

The dataset's chunk says the form: 0 is JSON lines, 1 is CSV, 2 is one JSON document, 3 is XML,
4 is an array of MessagePack, 5 is multipart with some hundred rows a part.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import signal
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

from demo.certificates import certificates
from demo.serving import write_port

FORMS = {0: "application/x-ndjson", 1: "text/csv", 2: "application/json", 3: "application/xml"}
FORMS |= {4: "application/msgpack", 5: "multipart/mixed; boundary=part"}
"""Chunk to the type of what is in it."""

SECRET = "123-45-"
"""What each masked value begins with, and nothing else."""

_TOGETHER = 400
_NAMES = ("id", "name", "city", "ssn", "email", "note")
_AROUND = {
    "application/x-ndjson": (b"", b"\n", b"\n"),
    "text/csv": (",".join(_NAMES).encode() + b"\n", b"\n", b"\n"),
    "application/json": (b'{"rows":[', b",", b"]}"),
    "application/xml": (b"<rows>", b"\n", b"\n</rows>"),
    "application/msgpack": (b"", b"", b""),
    "multipart/mixed; boundary=part": (b"", b"\n", b"--part--\r\n"),
}
"""What is before the rows of each form, between them, and behind them."""


def pieces(form: str, size: int) -> Iterator[bytes]:
    """A body of about `size` bytes, some hundred rows at a time."""
    begins, between, ends = _AROUND[form]
    count = size // len(_row(0, form)) // _TOGETHER * _TOGETHER
    yield struct.pack(">BI", 0xDD, count) if form == "application/msgpack" else begins
    sent = 0
    for start in itertools.count(0, _TOGETHER):
        piece = between.join(_row(number, form) for number in range(start, start + _TOGETHER))
        if form.startswith("multipart/"):
            piece = b"--part\r\ncontent-type: application/x-ndjson\r\n\r\n%b\r\n" % piece
        elif start:
            piece = between + piece
        sent += len(piece)
        yield piece
        if start + _TOGETHER == count if form == "application/msgpack" else sent >= size:
            break
    yield ends


def _row(number: int, form: str) -> bytes:
    secret = f"{SECRET}{number % 10_000:04d}"
    values = (str(number), f"Name {number}", "Lübeck", secret, f"{secret}@example.org", "nothing in particular")
    if form == "application/xml":
        return ("<row>" + "".join(f"<{n}>{v}</{n}>" for n, v in zip(_NAMES, values, strict=True)) + "</row>").encode()
    if form == "application/msgpack":
        return msgspec.msgpack.encode({**dict(zip(_NAMES, values, strict=True)), "id": number})
    if form == "text/csv":
        return ",".join(values).encode()
    return (
        '{"id":' + f"{number}," + ",".join(f'"{n}":"{v}"' for n, v in zip(_NAMES[1:], values[1:], strict=True)) + "}"
    ).encode()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: bytes, size: int) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if token not in head:
                writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")
                continue
            form = FORMS[int(head.split(b" ", 2)[1].rpartition(b"/")[2])]
            writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {form}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
            for piece in filter(None, pieces(form, size)):
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def serve(state: Path, port_file: Path, token: str, size: int) -> None:
    """Serve until SIGTERM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates(state).service)
    context.set_alpn_protocols(["http/1.1"])
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    expected = f"Bearer {token}".encode()
    server = await asyncio.start_server(lambda r, w: _answer(r, w, expected, size), "127.0.0.1", 0, ssl=context)
    write_port(port_file, server.sockets[0].getsockname()[1])
    await ended.wait()
    server.close()


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m bench.large_origin", description="A service with a large answer.")
    parser.add_argument("--state", type=Path, required=True, help="folder of the certificates")
    parser.add_argument("--port-file", type=Path, required=True, help="written with the port once it listens")
    parser.add_argument("--megabytes", type=int, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.state, options.port_file, os.environ["CHUNKS_TOKEN"], options.megabytes * 1_000_000))


if __name__ == "__main__":
    main()
