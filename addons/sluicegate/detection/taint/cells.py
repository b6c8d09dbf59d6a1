"""Fingerprints of the cells of a response: what a person has, without the values."""

from __future__ import annotations

import hashlib
import io
import struct
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from sluicegate import codings, rows
from sluicegate.detection.taint.words import begins, first_word, long_enough, strong, words

LIMIT = 16 << 20
MOST = 20_000
"""Cells of one response that are kept."""
COMMON = 3
"""A value that more rows of one response have in a column says nothing about a row."""
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


def read(body: bytes, coding: str, media: str, columns: Collection[str] | None, dataset: str, key: bytes) -> bytes:
    """The packed cells of a response in the columns that left in clear: in all where it is not known which did (None).
    Empty where nothing of it can be read."""
    try:
        plain = codings.decode(body, coding, LIMIT)
        lines = list(_lines(plain, media))
    except (ValueError, KeyError, NotImplementedError, RecursionError, OSError, MemoryError):
        return b""
    if columns is None:
        columns = {name for line in lines for name in line}
    wanted = {name: index for index, name in enumerate(sorted(columns))}
    found: list[tuple[int, int, str, str]] = []
    for line in lines:
        if not line:
            continue
        row = fingerprint(f"{dataset}\0{next(iter(line.values()))}", key)
        for name, value in line.items():
            number = wanted.get(name)
            if number is None or not isinstance(value, str | int | float) or isinstance(value, bool):
                continue
            parts = words(str(value))
            whole = "".join(parts)
            if long_enough(whole):
                found.append((row, number, whole, first_word(parts)))
        if len(found) >= MOST:
            break
    often = Counter((number, whole) for _, number, whole, _ in found)
    packed = []
    for row, number, whole, first in found[:MOST]:
        if often[number, whole] <= COMMON:
            column = number & 0x7FFF | (STRONG if strong(whole) else 0)
            packed.append(_CELL.pack(row, fingerprint(whole, key), begins(first), begins(whole), column))
    return b"".join(packed)


def read_all(given: Sequence[tuple[bytes, str, str, Collection[str] | None, str]], key: bytes) -> list[bytes]:
    """`read` of several responses: of each its body, Content-Encoding, media type, clear columns and dataset."""
    return [read(*one, key) for one in given]


def unpack(data: bytes) -> Iterator[Cell]:
    """The cells again; what is cut off is left out."""
    whole = len(data) - len(data) % _CELL.size
    for numbers in _CELL.iter_unpack(data[:whole]):
        yield Cell(*numbers)


def _lines(plain: bytes, media: str) -> Iterator[dict[str, Any]]:
    if "json" in media:
        try:
            documents = [orjson.loads(plain)]
        except orjson.JSONDecodeError:
            documents = [orjson.loads(line) for line in plain.splitlines() if line.strip()]
        if len(documents) > 1 and all(isinstance(one, dict) for one in documents):
            yield from documents
            return
        for document in documents:
            yield from _objects(document)
    elif "csv" in media or "tab-separated" in media:
        import pyarrow.csv as pcsv  # only the process that reads cells needs it, and it takes long to load

        options = pcsv.ParseOptions(delimiter="\t" if "tab" in media else ",")
        yield from pcsv.read_csv(io.BytesIO(plain), parse_options=options).to_pylist()
    elif "parquet" in media or plain.startswith(b"PAR1"):
        import pyarrow.parquet as pq

        yield from pq.read_table(io.BytesIO(plain)).to_pylist()
    elif "arrow" in media:
        import pyarrow.ipc as ipc

        reader = ipc.open_file if plain.startswith(b"ARROW1") else ipc.open_stream
        yield from reader(io.BytesIO(plain)).read_all().to_pylist()


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    found = rows.tables(document)
    for table in found:
        for line in document if table.where is None else document[table.where]:
            if isinstance(line, dict):
                yield line
            elif table.positional and isinstance(line, list):
                yield dict(zip(table.columns, line, strict=False))
    if not found and isinstance(document, dict):
        yield document
