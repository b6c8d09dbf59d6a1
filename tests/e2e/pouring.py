"""Services that pour a response out in pieces, and a client that says how far it came."""

from __future__ import annotations

import hashlib
import json

from tests.e2e.tunnels import tunnel
from tests.origin import Origin, Poured

CHUNK = "/datasets/customers/chunks/3"
SSN = "123-45-6789"
CHUNKED = "transfer-encoding: chunked\r\n"


def head(media: str, more: str = CHUNKED) -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-type: {media}\r\n{more}\r\n".encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def lines(count: int, start: int = 0) -> bytes:
    rows = ({"id": n, "ssn": SSN, "note": hashlib.sha256(b"%d" % n).hexdigest()} for n in range(start, start + count))
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def pour(origin: Origin, media: str, pieces: list[bytes], *, end: bytes = b"0\r\n\r\n", more: str = CHUNKED) -> None:
    def respond(request: bytes) -> bytes:
        raise Poured([head(media, more), *map(chunk, pieces), end])

    origin.respond = respond


def read(gate, origin, token, path=CHUNK) -> tuple[int, dict[str, str], bytes, bool]:
    """Status, fields, the body with its framing taken off, and whether it came to its end."""
    with tunnel(gate, origin.port, token) as wire:
        wire.send(wire.request("GET", path, Accept_Encoding="gzip"))
        said = wire.head().decode("latin-1").split("\r\n")
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in said[1:] if line)}
        seen = b""
        if "content-length" in fields:
            while len(seen) < int(fields["content-length"]) and (data := wire.socket.recv(65536)):
                seen += data
            return int(said[0].split()[1]), fields, seen, len(seen) == int(fields["content-length"])
        while not seen.endswith(b"0\r\n\r\n"):
            try:
                data = wire.socket.recv(65536)
            except ConnectionError:
                break
            if not data:
                break
            seen += data
        body, whole = b"", False
        while seen:
            size, _, rest = seen.partition(b"\r\n")
            whole = int(size, 16) == 0
            body += rest[: int(size, 16)]
            seen = rest[int(size, 16) + 2 :]
        return int(said[0].split()[1]), fields, body, whole
