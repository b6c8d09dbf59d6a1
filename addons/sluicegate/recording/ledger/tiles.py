"""Tiles (C2SP tlog-tiles v0.1.0): names of the files that hold the tree and its entries, and their bytes.

A tile has up to 256 hashes. At level 0 they are of entries; at each level above, of the full tiles below. Entries
themselves stand in bundles of up to 256, each behind its length in two bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from sluicegate.recording.ledger.merkle import HASH_SIZE, node_hash

WIDTH = 256
MAX_ENTRY = (1 << 16) - 1
ENTRIES = "entries"
_LENGTH = struct.Struct(">H")


class TileError(ValueError):
    """Bytes that are no tile or bundle of the width that they should have."""


def path(level: int | str, number: int, width: int = WIDTH) -> str:
    """The name of a tile below the folder of the log; `level` is `entries` for a bundle."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03d}")
    partial = f".p/{width}" if width < WIDTH else ""
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def needed(size: int) -> Iterator[tuple[int, int, int]]:
    """(level, number, width) of the tiles that a tree of that size has."""
    level = 0
    while size:
        for number in range(size // WIDTH):
            yield level, number, WIDTH
        if size % WIDTH:
            yield level, size // WIDTH, size % WIDTH
        size //= WIDTH
        level += 1


def hashes(data: bytes, width: int, *, exact: bool = False) -> list[bytes]:
    """The first `width` hashes of a tile, which are all of it if `exact`. Raises TileError where it is not so."""
    if exact and len(data) != width * HASH_SIZE:
        raise TileError(f"a tile of {width} hashes has {width * HASH_SIZE} bytes, not {len(data)}")
    if len(data) % HASH_SIZE or len(data) > WIDTH * HASH_SIZE or len(data) < width * HASH_SIZE:
        raise TileError(f"a tile of {width} hashes has {width * HASH_SIZE} bytes, not {len(data)}")
    return [data[at : at + HASH_SIZE] for at in range(0, width * HASH_SIZE, HASH_SIZE)]


def bundle(entries: Sequence[bytes]) -> bytes:
    """The bytes of a bundle. Raises TileError for an entry that is too long."""
    if any(len(entry) > MAX_ENTRY for entry in entries):
        raise TileError(f"an entry has at most {MAX_ENTRY} bytes")
    return b"".join([part for entry in entries for part in (_LENGTH.pack(len(entry)), entry)])


def unbundled(data: bytes, width: int, *, exact: bool = False) -> list[bytes]:
    """The first `width` entries of a bundle, which are all of it if `exact`. Raises TileError where it is not whole."""
    found, at = [], 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise TileError("the bundle is cut off")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise TileError("the bundle is cut off")
        found.append(data[at : at + length])
        at += length
    if not width <= len(found) <= WIDTH or (exact and len(found) != width):
        raise TileError(f"the bundle has {len(found)} entries, not {width}")
    return found[:width]


def joined(found: Sequence[bytes]) -> bytes:
    """The root of a power of two of hashes that stand side by side."""
    row = list(found)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def peaks(found: Sequence[bytes]) -> list[bytes]:
    """The roots of the complete subtrees in a row of hashes, the largest first."""
    roots, at = [], 0
    for bit in range(len(found).bit_length() - 1, -1, -1):
        if len(found) >> bit & 1:
            roots.append(joined(found[at : at + (1 << bit)]))
            at += 1 << bit
    return roots
