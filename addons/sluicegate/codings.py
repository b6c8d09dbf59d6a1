"""Content codings (RFC 9110 section 8.4): decoding that is bounded, complete and strict, and encoding.

Python's codecs are never asked: a Content-Encoding may name any of them. A stream that is cut, has something behind
its end, or grows past the limit is an error, never a shorter body.
"""

from __future__ import annotations

import zlib

import brotli
import zstandard

NAMES = ("gzip", "br", "zstd")
"""The codings that we ask for, besides identity. `deflate` and `x-gzip`, and two on top of each other, are read too."""

_ALSO = {"x-gzip": "gzip", "deflate": "deflate"}
MAX_LAYERS = 2
"""Codings on top of each other. More of them are nobody's need, and each can be a bomb."""

ACCEPT = ", ".join(NAMES)
"""What services are told that we accept."""


class CodingError(ValueError):
    """The body is not what its Content-Encoding says, or is too large once decoded."""


def decode(body: bytes, coding: str, limit: int) -> bytes:
    """The decoded body, at most `limit` bytes. `coding` is the whole header value; empty means identity."""
    names = [name for name in (part.strip().lower() for part in coding.split(",")) if name not in ("", "identity")]
    if len(names) > MAX_LAYERS:
        raise CodingError("the body has too many content codings on top of each other")
    if not names and len(body) > limit:
        raise CodingError("the body is too large")
    for name in reversed(names):  # the last one was applied last (RFC 9110 section 8.4)
        body = _decode(body, _ALSO.get(name, name), coding, limit)
    return body


def _decode(body: bytes, name: str, coding: str, limit: int) -> bytes:
    reader = _READERS.get(name)
    if reader is None:
        raise CodingError(f"the content coding {coding[:40]!r} is not supported")
    try:
        return reader(body, limit)
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise CodingError(f"the body is not valid {name}: {error}") from None


def encode(body: bytes, coding: str) -> bytes:
    """The body in one of NAMES, or unchanged for identity; fast settings, since this is on the way of a request."""
    match coding.strip().lower():
        case "gzip":
            packer = zlib.compressobj(1, wbits=31)
            return packer.compress(body) + packer.flush()
        case "br":
            return bytes(brotli.compress(body, quality=1))
        case "zstd":
            return zstandard.ZstdCompressor(level=1).compress(body)
        case _:
            return body


def _gunzip(body: bytes, limit: int) -> bytes:
    out, size = [], 0
    while body:  # a gzip body may have several members, and all of them are content
        member = zlib.decompressobj(31)
        while not member.eof:
            piece = member.decompress(body, limit - size + 1)
            size += len(piece)
            if size > limit:
                raise CodingError("the body is too large once decoded")
            out.append(piece)
            body = member.unconsumed_tail
            if not member.eof and not body:
                raise CodingError("the gzip body is cut off")
        body = member.unused_data
    return b"".join(out)


def _inflate(body: bytes, limit: int) -> bytes:
    # The format is zlib's (RFC 9110 section 8.4.1.2); some services leave its head and its sum out.
    wrapped = len(body) >= 2 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
    reader = zlib.decompressobj(15 if wrapped else -15)
    out = reader.decompress(body, limit + 1)
    if len(out) > limit:
        raise CodingError("the body is too large once decoded")
    if not reader.eof:
        raise CodingError("the deflate body is cut off")
    if reader.unused_data or reader.unconsumed_tail:
        raise CodingError("there is something behind the end of the deflate body")
    return out


def _unbrotli(body: bytes, limit: int) -> bytes:
    reader = brotli.Decompressor()
    out = reader.process(body, output_buffer_limit=limit + 1)
    while len(out) <= limit and not reader.is_finished():
        more = reader.process(b"", output_buffer_limit=limit + 1 - len(out))
        if not more:
            break
        out += more
    if len(out) > limit:
        raise CodingError("the body is too large once decoded")
    if not reader.is_finished():
        raise CodingError("the br body is cut off")
    return bytes(out)


def _unzstd(body: bytes, limit: int) -> bytes:
    out, size = [], 0
    while body:  # frames can follow each other, and all of them are content
        frame = zstandard.ZstdDecompressor(max_window_size=1 << 23).decompressobj()
        # The library offers no bound on one call's output, so the input is fed in pieces whose growth is bounded
        # by the block size of the format (128 KiB a block, RFC 8878 section 3.1.1.2.4).
        rest = b""
        for start in range(0, len(body), 256):
            piece = frame.decompress(body[start : start + 256])
            size += len(piece)
            if size > limit:
                raise CodingError("the body is too large once decoded")
            out.append(piece)
            if frame.eof:
                rest = frame.unused_data + body[start + 256 :]
                break
        if not frame.eof:
            raise CodingError("the zstd body is cut off")
        body = rest
    return b"".join(out)


_READERS = {"gzip": _gunzip, "br": _unbrotli, "zstd": _unzstd, "deflate": _inflate}
