"""Typed netstrings, the encoding of mitmproxy's flow files: a fast encoder, and a parser for files one cannot trust.

mitmproxy's own parser believes each length and nests without end; this one has limits, so that a hostile file costs no
more than its size. The encoder writes what mitmproxy reads; it takes half the time of mitmproxy's.
"""

from __future__ import annotations

from collections.abc import Collection
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


def parse(data: bytes, without: Collection[str] = (), levels: int = 1) -> Any:
    """The one value that the bytes are. Raises ValueError when they are not exactly one, or too deep or too many.

    Of a table, the values at the keys `without` are stepped over unseen and left out; so they are of the tables in it,
    down to so many `levels`.
    """
    begin, end = _ends(data, 0, len(data))
    if end + 1 != len(data):
        raise ValueError("there is something behind the end")
    return _Parser(data, levels).typed(data[end], begin, end, 0, frozenset(map(_key, without)))


_SHORT = {b"%d" % length: length for length in range(10_000)}
"""Lengths by their digits: one look-up instead of a check and a conversion."""
_NONE: frozenset[bytes] = frozenset()


def _ends(data: bytes, at: int, limit: int) -> tuple[int, int]:
    """Where the value that starts at `at` has its content, and where that ends: its type stands there."""
    colon = data.find(b":", at, at + 13)
    length = _SHORT.get(data[at:colon])
    end = colon + 1 + (_long(data[at:colon], colon) if length is None else length)
    if end >= limit:
        raise ValueError("a length is too large")
    return colon + 1, end


def _long(digits: bytes, colon: int) -> int:
    """A length that is not a short one. `colon` is where the colon behind it was found, or -1."""
    if colon < 0 or not digits.isdigit() or (digits[0] == 48 and len(digits) > 1):
        raise ValueError("a length is missing")
    return int(digits)


class _Parser:
    """Lengths are read in the loops themselves: a flow has more than a hundred values, and a call for each of them
    takes longer than all the rest."""

    def __init__(self, data: bytes, levels: int) -> None:
        self.data = data
        self.levels = levels
        self.items = 1

    def typed(self, tag: int, begin: int, end: int, depth: int, without: frozenset[bytes] = _NONE) -> Any:
        """The value of a type whose content stands between two places."""
        data = self.data
        if tag == 59:  # ;
            return data[begin:end].decode()
        if tag == 44:  # ,
            return data[begin:end]
        if tag == 35 and end - begin <= 40:  # #
            return int(data[begin:end])
        if tag == 94 and end - begin <= 40:  # ^
            return float(data[begin:end])
        if tag == 33 and data[begin:end] in (b"true", b"false"):  # !
            return end - begin == 4
        if tag == 126 and begin == end:  # ~
            return None
        if tag == 93:  # ]
            return self._sequence(begin, end, depth + 1)
        if tag == 125:  # }
            return self._table(begin, end, depth + 1, without)
        raise ValueError("a value is not what its type says")

    def _sequence(self, at: int, end: int, depth: int) -> list[Any]:
        data, known = self.data, _SHORT.get
        found: list[Any] = []
        colon_of = data.find
        _deeper(depth)
        while at < end:
            colon = colon_of(b":", at, at + 13)
            length = known(data[at:colon])
            stop = colon + 1 + (_long(data[at:colon], colon) if length is None else length)
            if stop >= end:
                raise ValueError("a length is too large")
            tag = data[stop]
            if tag == 59:
                found.append(data[colon + 1 : stop].decode())
            elif tag == 44:
                found.append(data[colon + 1 : stop])
            else:
                found.append(self.typed(tag, colon + 1, stop, depth))
            at = stop + 1
            if len(found) > MAX_ITEMS:
                break
        self._count(len(found))
        return found

    def _table(self, at: int, end: int, depth: int, without: frozenset[bytes]) -> dict[str | bytes, Any]:
        data, known = self.data, _SHORT.get
        colon_of = data.find
        found: dict[str | bytes, Any] = {}
        count = 0
        _deeper(depth)
        below = without if depth < self.levels else _NONE
        while at < end:
            colon = colon_of(b":", at, at + 13)
            length = known(data[at:colon])
            stop = colon + 1 + (_long(data[at:colon], colon) if length is None else length)
            if stop >= end:
                raise ValueError("a length is too large")
            tag = data[stop]
            if tag == 59:
                key: str | bytes = data[colon + 1 : stop].decode()
            elif tag == 44:
                key = data[colon + 1 : stop]
            else:
                raise ValueError("a table is not whole")
            value = stop + 1
            colon = colon_of(b":", value, value + 13)
            length = known(data[value:colon])
            stop = colon + 1 + (_long(data[value:colon], colon) if length is None else length)
            if stop >= end:
                raise ValueError("a length is too large")
            tag = data[stop]
            if without and data[at:value] in without:
                pass
            elif tag == 59:
                found[key] = data[colon + 1 : stop].decode()
            elif tag == 44:
                found[key] = data[colon + 1 : stop]
            else:
                found[key] = self.typed(tag, colon + 1, stop, depth, below)
            at = stop + 1
            count += 1
            if count > MAX_ITEMS:
                break
        self._count(count)
        return found

    def _count(self, more: int) -> None:
        self.items += more
        if self.items > MAX_ITEMS:
            raise ValueError("it has too many parts")


def _deeper(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError("it is nested too deeply")
