"""An Arrow IPC stream that passes batch by batch (Arrow Columnar Format, "Encapsulated message format").

A message is read once all of it is here; its sizes are believed only after a look at its own metadata.
"""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa

from sluicegate.exchange import Rows
from sluicegate.masking import arrow_size
from sluicegate.masking.arrow_body import BROKEN, FILE, Masker, readable
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

LARGEST = 16 << 20
"""Bytes that one message may have, and what is in it once decompressed."""

_MARK = b"\xff\xff\xff\xff"
_METADATA = 1 << 20
_FRONT = 8


class _Source:
    """What the library reads from: only what is here as a whole."""

    closed = False

    def __init__(self) -> None:
        self.data = bytearray()

    def read(self, size: int = -1) -> bytes:
        size = len(self.data) if size is None or size < 0 else size
        found = bytes(self.data[:size])
        del self.data[:size]
        return found

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


class _Sink:
    """What the library writes to."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        return None

    def taken(self) -> bytes:
        found = b"".join(self._parts)
        self._parts.clear()
        return found


class ArrowPassing:
    """One stream. Raises Unfit."""

    def __init__(self, plan: Plan, tally: Tally) -> None:
        self._plan = plan
        self._tally = tally
        self._rest = bytearray()
        self._source = _Source()
        self._sink = _Sink()
        self._reader: Any = None
        self._writer: Any = None
        self._masker: Masker | None = None
        self._ended = False

    def feed(self, piece: bytes) -> bytes:
        """The next bytes; the batches that end in them."""
        self._rest += piece
        if self._rest[: len(FILE)] == FILE:
            raise Unfit("its body is an Arrow file and not the stream that was announced")
        return readable(self._messages, BROKEN)

    def end(self) -> bytes:
        """Nothing more comes; how the stream ends."""
        if self._rest or self._writer is None or self._source.data:
            raise Unfit(BROKEN)

        def run() -> bytes:
            self._writer.close()
            return self._sink.taken()

        return readable(run, BROKEN)

    def _messages(self) -> bytes:
        while not self._ended and (size := self._size()) is not None:
            raw = bytes(self._rest[:size])
            del self._rest[:size]
            if size == _FRONT:
                self._ended = True
                break
            message = pa.ipc.read_message(pa.BufferReader(raw))
            arrow_size.check_message(message, LARGEST)
            self._source.data += raw
            self._message(message.type)
        if self._ended and self._rest.strip(b"\0"):
            raise Unfit("it has something behind the end of its Arrow stream")
        if self._ended:
            self._rest.clear()
        return self._sink.taken()

    def _message(self, kind: str) -> None:
        if self._writer is None:
            if kind != "schema":
                raise Unfit(BROKEN)
            self._reader = pa.ipc.open_stream(pa.PythonFile(self._source, "r"))
            self._masker = Masker(self._reader.schema, Rows(), self._plan, self._tally, LARGEST)
            self._writer = pa.ipc.new_stream(pa.PythonFile(self._sink, "w"), self._reader.schema)
        elif kind == "record batch" and self._masker is not None:
            self._masker.renew(LARGEST)
            self._writer.write_batch(self._masker.mask(self._reader.read_next_batch()))
            if self._source.data:
                raise Unfit(BROKEN)
        elif kind != "dictionary" or len(self._source.data) > LARGEST:
            raise Unfit(BROKEN)

    def _size(self) -> int | None:
        """Bytes of the next message with its body; None where some of them have not come."""
        data = self._rest
        if len(data) < _FRONT:
            return None
        if data[:4] != _MARK:
            raise Unfit(BROKEN)
        (length,) = struct.unpack_from("<i", data, 4)
        if length == 0:
            return _FRONT
        if not 0 < length <= _METADATA:
            raise Unfit("one of its messages is too large")
        if len(data) < _FRONT + length:
            return None
        body = arrow_size.body_length(bytes(data[_FRONT : _FRONT + length]))
        if not 0 <= body <= LARGEST:
            raise Unfit("one of its messages is too large")
        size = _FRONT + length + body
        return size if len(data) >= size else None
