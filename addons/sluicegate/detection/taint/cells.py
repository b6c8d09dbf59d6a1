"""Fingerprints of the cells of a response: what a person has, without the values."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from sluicegate.detection.taint.tables import Body, tables
from sluicegate.detection.taint.words import begins, first_word, long_enough, strong, words
from sluicegate.nested_rows import Block, leaves, subjects_of

MOST = 20_000
"""Cells of one table that are kept; of more, those at its beginning, and some evenly of the rest."""
ROWS = 10_000
"""Rows of it that are looked at, likewise."""
COMMON = 3
"""A value that more rows of one response have in a column says nothing about a row."""
_VALUES = frozenset((str, int, float, Decimal))
_CELL = struct.Struct(">QQIIH")
STRONG = 0x8000
"""Bit of the column number that says that the value identifies somebody by itself."""


class Cell(NamedTuple):
    """One cell: of which row, its value, how its value may begin, and of which column."""

    row: int
    value: int
    first: int
    """Of its first word,"""
    whole: int
    """and of all of it in one word."""
    column: int


def fingerprint(text: str, key: bytes) -> int:
    """The keyed number of a value in its form."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=key)
    return int.from_bytes(digest.digest(), "big")


def read(body: Body, masked: Collection[str], dataset: str, key: bytes) -> bytes | None:
    """The packed cells of what was received, without those of the columns whose values left masked. None where nothing
    of it can be read."""
    try:
        found = [block for block in tables(body) if block.rows]
    except (ValueError, KeyError, TypeError, NotImplementedError, RecursionError, OSError, MemoryError):
        return None
    if not found:
        return None if body.data else b""
    hidden = {name.casefold() for name in masked}
    return b"".join(_packed(block, hidden, dataset, key) for block in found)


def _packed(block: Block, hidden: Collection[str], dataset: str, key: bytes) -> bytes:
    lines = [list(leaves(row, block.names)) for row in _chosen(block.rows, ROWS)]
    of_rows = [fingerprint(f"{dataset}\0{subject}", key) for subject in subjects_of(lines)]
    found: list[tuple[int, int, str, str]] = []
    numbers: dict[str, int] = {}
    for row, line in zip(of_rows, lines, strict=True):
        for name, value in line:
            if type(value) not in _VALUES:
                continue
            number = numbers.get(name)
            if number is None:
                number = numbers[name] = -1 if name.casefold() in hidden else _number(name)
            if number < 0:
                continue
            parts = words(str(value))
            whole = "".join(parts)
            if long_enough(whole):
                found.append((row, number, whole, first_word(parts)))
    found = _chosen(found, MOST)
    often = Counter((number, whole) for _, number, whole, _ in found)
    packed = []
    for row, number, whole, first in found:
        if often[number, whole] <= COMMON:
            column = number | STRONG if strong(whole) else number
            packed.append(_CELL.pack(row, fingerprint(whole, key), begins(first), begins(whole), column))
    return b"".join(packed)


def _chosen[T](several: list[T], most: int) -> list[T]:
    """The first of many, and of the rest so many evenly: what is sent on is often all of it, or how it begins."""
    if len(several) <= most:
        return several
    half = most // 2
    step = -(-(len(several) - half) // half)
    return several[:half] + several[half::step]


def _number(name: str) -> int:
    """A column's number: the same in every response."""
    return zlib.crc32(name.casefold().encode("utf-8", "surrogatepass")) & 0x7FFF


def read_all(given: Sequence[tuple[Body, Collection[str], str]], key: bytes) -> list[bytes | None]:
    """`read` of several responses: of each its body, masked columns and dataset."""
    return [read(*one, key) for one in given]


def unpack(data: bytes) -> Iterator[Cell]:
    """The cells again; what is cut off is left out."""
    whole = len(data) - len(data) % _CELL.size
    for numbers in _CELL.iter_unpack(data[:whole]):
        yield Cell(*numbers)
