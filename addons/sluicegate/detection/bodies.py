"""What detection looks at in a body: which rows left, whether something is packed, and what was asked. Never values."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator

import orjson

from sluicegate import codings, rows
from sluicegate.detection.event import SAMPLE, key
from sluicegate.nested_rows import blocks, is_flat, outermost

ROWS_LIMIT = 16 << 10
"""Raw bytes of a JSON body up to which its rows are told apart."""
ARCHIVES = (
    *(b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00"),
    *(b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"Salted__", b"age-encryption.org/", b"-----BEGIN PGP MESSAGE"),
    *(b"PAR1", b"ARROW1", b"SQLite format 3\x00", b"\x85\x01", b"\x85\x02", b"ustar"),
)
"""How archives, packed and encrypted files begin."""
_SAMPLE = 4096
_OPAQUE = 0.97
"""What packs no better than this is packed or encrypted already."""


def packed(body: bytes) -> bool:
    """Whether a body is an archive, or packed or encrypted by itself."""
    if not body:
        return False
    if body.startswith(ARCHIVES):
        return True
    if len(body) < _SAMPLE:
        return False
    middle = len(body) // 2 - _SAMPLE // 2
    sample = body[middle : middle + _SAMPLE]
    return len(zlib.compress(sample, 1)) > _OPAQUE * len(sample)


def asked(body: bytes) -> str:
    """A digest of a request's body; empty where there is none."""
    return hashlib.blake2b(body, digest_size=8).hexdigest() if body else ""


def subjects(body: bytes, coding: str, content_type: str, place: str) -> tuple[int, ...]:
    """Keys of the rows of a small JSON body, by their first column; of one in `SAMPLE`. None where it cannot be read.

    `place` is the dataset: the same number is another subject elsewhere.
    """
    if len(body) > ROWS_LIMIT:
        return ()
    keys = row_keys(body, coding, content_type, place, ROWS_LIMIT * 8)
    return tuple([one // SAMPLE for one in keys if not one % SAMPLE])


def row_keys(body: bytes, coding: str, content_type: str, place: str, limit: int) -> Iterator[int]:
    """Keys of all rows of a JSON body of up to `limit` bytes, decoded. Nothing where it cannot be read."""
    if not body or "json" not in content_type.lower():
        return
    try:
        document = orjson.loads(codings.decode(body, coding, limit))
    except ValueError:
        return
    found = rows.tables(document)
    if not is_flat(document, found):
        for block in outermost(blocks(document, most=0)):
            for value in block.subjects():
                yield key("row", place, value)
        return
    for table in found:
        lines = document if table.where is None else document[table.where]
        for line in lines:
            first = next(iter(line.values() if isinstance(line, dict) else line), None) if line else None
            if isinstance(first, str | int):
                yield key("row", place, str(first))
