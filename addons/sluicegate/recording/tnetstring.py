"""Typed netstrings, the encoding of mitmproxy's flow files: a fast encoder, and a parser for files one cannot trust.

mitmproxy's own parser believes each length and nests without end; this one has limits, so that a hostile file costs no
more than its size. The encoder writes what mitmproxy reads; it takes half the time of mitmproxy's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

MAX_DEPTH = 12
MAX_ITEMS = 200_000
"""Values in one element; a flow has about a hundred, plus two for each header."""


def encode(value: Any) -> bytes:
    """The bytes of None, bool, int, float, bytes, str, list, tuple or dict. Raises TypeError for anything else.

    Text that is no valid Unicode (lone surrogates, from header bytes) is written with backslashes.
    """
    kind = type(value)
    if kind is bytes:
        return b"%d:%b," % (len(value), value)
    if kind is str:
        try:
            data = value.encode()
        except UnicodeEncodeError:
            data = value.encode("utf-8", "backslashreplace")
        return b"%d:%b;" % (len(data), data)
    if value is None:
        return b"0:~"
    if kind is bool:
        return b"4:true!" if value else b"5:false!"
    if kind is int:
        data = b"%d" % value
        return b"%d:%b#" % (len(data), data)
    if kind is float:
        data = repr(value).encode()
        return b"%d:%b^" % (len(data), data)
    if kind is dict:
        data = b"".join([_key(key) + encode(item) for key, item in value.items()])
        return b"%d:%b}" % (len(data), data)
    if kind is tuple or kind is list:
        data = b"".join([encode(item) for item in value])
        return b"%d:%b]" % (len(data), data)
    raise TypeError(f"{kind.__name__} cannot be recorded")


_key = lru_cache(1024)(encode)  # a table has the same few keys in every flow


def parse(data: bytes) -> Any:
    """The one value that the bytes are. Raises ValueError when they are not exactly one, or too deep or too many."""
    value, end = _Parser(data).value(0, len(data), 0)
    if end != len(data):
        raise ValueError("there is something behind the end")
    return value


class _Parser:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.items = 0

    def value(self, start: int, limit: int, depth: int) -> tuple[Any, int]:
        data = self.data
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise ValueError("it is nested too deeply or has too many parts")
        colon = data.find(b":", start, min(limit, start + 13))
        digits = data[start:colon]
        if colon < 0 or not digits.isdigit() or (digits[0] == 48 and len(digits) > 1):
            raise ValueError("a length is missing")
        begin = colon + 1
        end = begin + int(digits)
        if end >= limit:
            raise ValueError("a length is too large")
        return self._typed(data[end], begin, end, depth), end + 1

    def _typed(self, tag: int, begin: int, end: int, depth: int) -> Any:
        data = self.data
        match tag:
            case 44:  # ,
                return data[begin:end]
            case 59:  # ;
                return data[begin:end].decode()
            case 35 if end - begin <= 40:  # #
                return int(data[begin:end])
            case 94 if end - begin <= 40:  # ^
                return float(data[begin:end])
            case 33 if data[begin:end] in (b"true", b"false"):  # !
                return end - begin == 4
            case 126 if begin == end:  # ~
                return None
            case 93:  # ]
                return self._sequence(begin, end, depth)
            case 125:  # }
                items = self._sequence(begin, end, depth)
                keys = items[::2]
                if len(items) % 2 or not all(isinstance(key, str | bytes) for key in keys):
                    raise ValueError("a table is not whole")
                return dict(zip(keys, items[1::2], strict=True))
        raise ValueError("a value is not what its type says")

    def _sequence(self, at: int, end: int, depth: int) -> list[Any]:
        items = []
        while at < end:
            item, at = self.value(at, end, depth + 1)
            items.append(item)
        return items
