"""Where a value of MessagePack ends in bytes of which the rest has not come yet. It finds borders; the strict reader
of `msgpack_body` reads.

A length that a value claims is only counted down: nothing is made ready for what has not come.
"""

from __future__ import annotations

import struct
from typing import Any

import msgpack

from sluicegate.masking.json_body import Unfit

ARRAY, MAP = b"[", b"{"
_SIZES: dict[int, tuple[bytes, str]] = {0xDC: (ARRAY, ">H"), 0xDD: (ARRAY, ">I"), 0xDE: (MAP, ">H"), 0xDF: (MAP, ">I")}


def front(data: bytes | bytearray, at: int) -> tuple[bytes, int, int] | None:
    """ARRAY or MAP, where what is in it begins, and how many it says there are. None where none begins at a place, and
    where its length has not come.
    """
    first = data[at]
    if 0x80 <= first < 0xA0:
        return ARRAY if first & 0x10 else MAP, at + 1, first & 0x0F
    if first not in _SIZES:
        return None
    kind, form = _SIZES[first]
    end = at + 1 + struct.calcsize(form)
    return (kind, end, struct.unpack_from(form, data, at + 1)[0]) if end <= len(data) else None


def opens(first: int) -> bool:
    """Whether an array or a map begins with that byte."""
    return 0x80 <= first < 0xA0 or first in _SIZES


def array_of(count: int) -> bytes:
    """How an array with so many elements begins, as short as it can be."""
    return _begin(count, 0x90, 0xDC)


def map_of(count: int) -> bytes:
    """How a map with so many members begins, as short as it can be."""
    return _begin(count, 0x80, 0xDE)


def _begin(count: int, short: int, medium: int) -> bytes:
    if count < 16:
        return bytes((short | count,))
    return struct.pack(">BH", medium, count) if count < 1 << 16 else struct.pack(">BI", medium + 1, count)


class Ends:
    """Finds the end of the value at a place, and remembers how far it looked when the end was not there yet."""

    def __init__(self) -> None:
        self._reader: Any = None
        self._begin = -1
        """Where the reader's first byte is."""
        self._next = -1
        """Where the value begins that it looks at."""
        self._fed = 0

    def moved(self, count: int) -> None:
        """So many bytes were taken away at the front."""
        self._begin -= count
        self._next -= count
        self._fed -= count

    def end(self, data: bytes | bytearray, start: int) -> int | None:
        """Where the value ends that begins at `start`; None where the rest of it has not come. Raises Unfit."""
        if self._reader is None or self._next != start:
            self._reader = msgpack.Unpacker(max_buffer_size=0)
            self._begin = self._next = self._fed = start
        if self._fed < len(data):
            self._reader.feed(bytes(data[self._fed :]))
            self._fed = len(data)
        try:
            self._reader.skip()
        except msgpack.OutOfData:
            return None
        except msgpack.StackError:
            raise Unfit("it is nested too deeply") from None
        except (msgpack.UnpackException, ValueError):
            raise Unfit("its body is not valid MessagePack") from None
        self._next = self._begin + int(self._reader.tell())
        return self._next
