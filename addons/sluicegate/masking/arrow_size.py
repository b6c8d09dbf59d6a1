"""How large Arrow messages say they become, before anything is decompressed.

Buffers may be compressed one by one, each with its true length in front ("Compression" in the Arrow Columnar Format).
The library makes room for that length at once, so it is added up first: from the metadata, a FlatBuffers table.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa

from sluicegate.masking.json_body import Unfit

# Message.fbs: Message { version, header_type, header, bodyLength, custom_metadata }
# DictionaryBatch { id, data, isDelta }; RecordBatch { length, nodes, buffers, compression, variadicBufferCounts }
_HEADER, _BODY, _DATA = 2, 3, 1
_LENGTH, _BUFFERS, _COMPRESSION = 0, 2, 3
_BATCHES = ("record batch", "dictionary")


def check(data: bytes, limit: int) -> None:
    """Raises Unfit when the messages of a stream become more than `limit` bytes, or more rows than that."""
    reader = pa.ipc.MessageReader.open_stream(pa.BufferReader(data))
    left = limit
    try:
        for message in reader:
            if message.type in _BATCHES:
                left -= _size(message)
                if left < 0:
                    raise Unfit("the body is too large once decoded")
    except struct.error:
        raise Unfit("its body is not readable as Arrow") from None


def check_message(message: pa.Message, limit: int) -> None:
    """Raises Unfit when one message becomes more than `limit` bytes, or is not readable."""
    try:
        if message.type in _BATCHES and _size(message) > limit:
            raise Unfit("one of its batches is too large once decoded")
    except struct.error:
        raise Unfit("its body is not readable as Arrow") from None


def body_length(metadata: bytes) -> int:
    """Bytes of the body behind a message's metadata. Raises Unfit."""
    try:
        place = _field(metadata, _u32(metadata, 0), _BODY)
        return 0 if place is None else _i64(metadata, place)
    except struct.error:
        raise Unfit("its body is not readable as Arrow") from None


def _size(message: pa.Message) -> int:
    meta = bytes(message.metadata)
    root = _u32(meta, 0)
    batch = _table(meta, root, _HEADER)
    if batch is not None and message.type == "dictionary":
        batch = _table(meta, batch, _DATA)
    if batch is None:
        raise struct.error
    rows = _field(meta, batch, _LENGTH)
    if rows is not None and not 0 <= _i64(meta, rows) <= 1 << 31:
        raise Unfit("it has too many rows")
    body = memoryview(message.body) if message.body is not None else memoryview(b"")
    if _field(meta, batch, _COMPRESSION) is None:
        return len(body)
    return sum(_expanded(body, offset, length) for offset, length in _buffers(meta, batch))


def _expanded(body: memoryview, offset: int, length: int) -> int:
    if length < 8 or offset < 0 or offset + 8 > len(body):
        return max(length, 0)
    size = int(struct.unpack_from("<q", body, offset)[0])
    return length if size < 0 else size  # -1: stored as it is


def _buffers(meta: bytes, batch: int) -> Iterator[tuple[int, int]]:
    field = _field(meta, batch, _BUFFERS)
    if field is None:
        return
    start = field + _u32(meta, field)
    for place in range(_u32(meta, start)):
        yield struct.unpack_from("<qq", meta, start + 4 + 16 * place)


def _field(meta: bytes, table: int, number: int) -> int | None:
    """Where the field of a table is; None where it has its default."""
    vtable = table - int(struct.unpack_from("<i", meta, table)[0])
    entry = 4 + 2 * number
    if vtable < 0 or entry + 2 > struct.unpack_from("<H", meta, vtable)[0]:
        return None
    offset = int(struct.unpack_from("<H", meta, vtable + entry)[0])
    return table + offset if offset else None


def _table(meta: bytes, table: int, number: int) -> int | None:
    field = _field(meta, table, number)
    return None if field is None else field + _u32(meta, field)


def _u32(meta: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", meta, at)[0])


def _i64(meta: bytes, at: int) -> int:
    return int(struct.unpack_from("<q", meta, at)[0])
