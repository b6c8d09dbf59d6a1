"""Content codings (RFC 9110 section 8.4) piece by piece: decoding that is bounded and complete, and encoding.

A stream that is cut, or has something behind its end, is an error when that is known: at the latest at the end.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Protocol

import brotli
import zstandard

from sluicegate.codings import MAX_LAYERS, CodingError

STEP = 256 << 10
"""Decoded bytes that are handed out at a time."""
_FREE = 1 << 20
_RATIO = 200
"""Once more than `_FREE` bytes came out, no more than so many for each byte that went in: the rest is a bomb."""


class Unpacker(Protocol):
    """Decodes one body."""

    light: bool
    """Whether what comes out is never more than what went in."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What these bytes decode to, in pieces of about STEP bytes. Raises CodingError."""

    def end(self) -> None:
        """Nothing more comes. Raises CodingError where something is missing."""


def unpacker(coding: str) -> Unpacker | None:
    """A decoder for a whole Content-Encoding; empty means identity. None for what nobody here reads."""
    names = [name for name in (part.strip().lower() for part in coding.split(",")) if name not in ("", "identity")]
    if len(names) > MAX_LAYERS or any(name not in _UNPACKERS for name in names):
        return None
    if not names:
        return _Identity()
    first, *others = [_UNPACKERS[name]() for name in reversed(names)]  # the last one was applied last
    return _Layers(first, *others) if others else first


class Packer:
    """Encodes one body; what was put in is out again at once, so that no event waits for the next."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        match coding:
            case "gzip":
                self._packer: Any = zlib.compressobj(1, wbits=31)
            case "br":
                self._packer = brotli.Compressor(quality=1)
            case "zstd":
                self._packer = zstandard.ZstdCompressor(level=1).compressobj()
            case _:
                self._packer = None

    def pack(self, data: bytes) -> bytes:
        """The next bytes on the wire."""
        match self._coding:
            case "gzip":
                return bytes(self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH))
            case "br":
                return bytes(self._packer.process(data) + self._packer.flush())
            case "zstd":
                return bytes(self._packer.compress(data) + self._packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
            case _:
                return data

    def end(self) -> bytes:
        """The last bytes on the wire."""
        match self._coding:
            case "br":
                return bytes(self._packer.finish())
            case "gzip" | "zstd":
                return bytes(self._packer.flush())
            case _:
                return b""


class _Identity:
    light = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), STEP):
            yield data[start : start + STEP]

    def end(self) -> None:
        return None


class _Bounded:
    """Counts what went in and what came out."""

    light = False
    _name = ""

    def __init__(self) -> None:
        self._in = 0
        self._out = 0

    def _came(self, piece: bytes) -> bytes:
        self._out += len(piece)
        if self._out > _FREE and self._out > self._in * _RATIO:
            raise CodingError("the body grows too much when it is decoded")
        return piece

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._in += len(data)
        try:
            for piece in self._pieces(data):
                if piece:
                    yield self._came(piece)
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise CodingError(f"the body is not valid {self._name}: {error}") from None

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        raise NotImplementedError


class _Gzip(_Bounded):
    _name = "gzip"

    def __init__(self) -> None:
        super().__init__()
        self._member: Any = zlib.decompressobj(31)
        self._inside = True  # an empty body is no gzip body

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        while data:  # a gzip body may have several members, and all of them are content
            if not self._inside:
                self._member, self._inside = zlib.decompressobj(31), True
            yield self._member.decompress(data, STEP)
            data = self._member.unconsumed_tail
            while not self._member.eof and not data:
                # Output that did not fit may wait inside, with all input taken.
                more = self._member.decompress(b"", STEP)
                if not more:
                    return
                yield more
                data = self._member.unconsumed_tail
            if self._member.eof:
                data, self._inside = self._member.unused_data, False

    def end(self) -> None:
        if self._inside:
            raise CodingError("the gzip body is cut off")


class _Brotli(_Bounded):
    _name = "br"

    def __init__(self) -> None:
        super().__init__()
        self._reader = brotli.Decompressor()

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        piece = self._reader.process(data, output_buffer_limit=STEP)
        while piece:
            yield piece
            piece = b"" if self._reader.is_finished() else self._reader.process(b"", output_buffer_limit=STEP)

    def end(self) -> None:
        if not self._reader.is_finished():
            raise CodingError("the br body is cut off")


class _Zstd(_Bounded):
    _name = "zstd"

    def __init__(self) -> None:
        super().__init__()
        self._frame: Any = None

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        # The library bounds no call's output, so small pieces go in: what one grows to is bounded by the size of a
        # block (128 KiB, RFC 8878 section 3.1.1.2.4).
        while data:  # frames can follow each other, and all of them are content
            if self._frame is None:
                self._frame = zstandard.ZstdDecompressor(max_window_size=1 << 23).decompressobj()
            yield self._frame.decompress(data[:256])
            rest = data[256:]
            if self._frame.eof:
                rest, self._frame = self._frame.unused_data + rest, None
            data = rest

    def end(self) -> None:
        if self._frame is not None or not self._in:
            raise CodingError("the zstd body is cut off")


class _Deflate(_Bounded):
    """The format is zlib's (RFC 9110 section 8.4.1.2); some services leave its head and its sum out."""

    _name = "deflate"

    def __init__(self) -> None:
        super().__init__()
        self._front = b""
        self._reader: Any = None

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if self._reader is None:
            self._front += data
            if len(self._front) < 2:
                return
            data, head = self._front, self._front[:2]
            wrapped = head[0] & 15 == 8 and (head[0] << 8 | head[1]) % 31 == 0
            self._reader = zlib.decompressobj(15 if wrapped else -15)
        if self._reader.eof and data:
            raise CodingError("there is something behind the end of the deflate body")
        while not self._reader.eof:
            piece = self._reader.decompress(data, STEP)
            data = self._reader.unconsumed_tail
            if not piece and not data:
                break
            yield piece
        if self._reader.unused_data:
            raise CodingError("there is something behind the end of the deflate body")

    def end(self) -> None:
        if self._reader is None or not self._reader.eof:
            raise CodingError("the deflate body is cut off")


class _Layers(_Bounded):
    """Two codings, one on top of the other. What they do together is bounded as one coding is."""

    _name = "body"

    def __init__(self, outer: Unpacker, inner: Unpacker) -> None:
        super().__init__()
        self._outer = outer
        self._inner = inner

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        for piece in self._outer.feed(data):
            yield from self._inner.feed(piece)

    def end(self) -> None:
        self._outer.end()
        self._inner.end()


_UNPACKERS: dict[str, Any] = {
    "deflate": _Deflate,
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "br": _Brotli,
    "zstd": _Zstd,
}
