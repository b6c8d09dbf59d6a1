"""The rows in what somebody received, whatever it is written in: the work of a process of its own.

Nothing is believed of a type that the bytes do not show; what cannot be read here is not recognised elsewhere, so a
reader takes what it can get: broken and cut bodies too.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import io
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import orjson

from sluicegate import codings
from sluicegate.coding_streams import unpacker
from sluicegate.detection.taint.inside import members
from sluicegate.detection.taint.marked_up import marked_up
from sluicegate.detection.taint.peel import text_of, unpacked
from sluicegate.detection.taint.torn import columns_of, torn
from sluicegate.nested_rows import Block, blocks

LIMIT = 16 << 20
"""Decoded bytes that are read of one body."""
_ROWS = 50_000
"""Rows of a table in columns that are looked at, evenly over all of it."""
_DEPTH = 3
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)")
_DELIMITERS = ",;\t|\x01"
_CELL = re.compile(r"\t|\||,|;| {2,}|: ")
_ARROW = b"\xff\xff\xff\xff"


class Body(NamedTuple):
    """What somebody received, or a piece of it."""

    data: bytes
    coding: str = ""
    """Content-Encoding."""
    media: str = ""
    """Content-Type, in lower case."""
    named: tuple[tuple[str, ...], ...] = ()
    """Lists of columns that are known from what was asked for."""
    declared: frozenset[str] = frozenset()
    """Columns of the dataset that are declared, folded."""
    head: bytes = b""
    """How the whole begins, where this is a piece from further behind."""
    piece: bool = False
    """Whether this may begin and end anywhere in the whole."""
    opened: bool = True
    """Whether what is packed in it, or a table in columns, is opened: only where it may take the process along."""


def tables(body: Body) -> list[Block]:
    """The rows. Raises ValueError (of which codings' errors are) and others for what is not what it seems to be."""
    plain, whole = _decoded(body.data, body.coding)
    return list(_tables(plain, body, 0, whole and not body.piece))


def _decoded(data: bytes, coding: str) -> tuple[bytes, bool]:
    """The first LIMIT bytes, and whether that is all."""
    reader = unpacker(coding)
    if reader is None:
        raise ValueError(f"the content coding {coding[:40]!r} is not read here")
    out, size = [], 0
    try:
        for piece in reader.feed(data):
            out.append(piece)
            size += len(piece)
            if size > LIMIT:
                break
    except codings.CodingError:
        if not out:
            raise
    return b"".join(out)[:LIMIT], size <= LIMIT


def _tables(data: bytes, body: Body, depth: int, whole: bool) -> Iterator[Block]:
    if not data or depth > _DEPTH:
        return
    if whole and data[:1] in (b"{", b"["):  # what most answers are
        with contextlib.suppress(orjson.JSONDecodeError):
            yield from _documents([orjson.loads(data)], body, depth)
            return
    if data.startswith((b"PAR1", b"ARROW1", _ARROW)):
        if body.opened:
            yield from _columns(data)
        return
    inner = list(_unpacked(data)) if body.opened else []
    inner = inner or members(data)
    if inner:
        for part in inner:
            yield from _tables(part, body, depth + 1, whole)
        return
    if "msgpack" in body.media and depth == 0:
        yield from _documents([msgspec.msgpack.decode(data)], body, depth)
        return
    text = _text(data, body.media)
    if text is None:
        return
    begins = text.lstrip("\ufeff \r\n\t\x1e")[:1]
    if begins in ("{", "[") or "json" in body.media or "event-stream" in body.media:
        documents = _json(text, whole)
        yield from _documents(documents, body, depth, tuple(columns_of(text_of(body.head) or text)))
    elif begins == "<" or "xml" in body.media or "html" in body.media:
        yield from marked_up(text)
    elif "form-urlencoded" in body.media:
        yield Block("", [dict(urllib.parse.parse_qsl(text, max_num_fields=10_000))])
    else:
        yield _delimited(text, text_of(body.head) or "", sure="csv" in body.media or "tab-sep" in body.media)


def _unpacked(data: bytes) -> Iterator[bytes]:
    """What is packed in it, LIMIT bytes together."""
    left = LIMIT
    for part in unpacked(data, LIMIT):
        yield part[:left]
        left -= len(part)
        if left <= 0:
            return


def _text(data: bytes, media: str) -> str | None:
    charset = _CHARSET.search(media)
    if charset is not None and "utf" not in charset[1]:
        with contextlib.suppress(LookupError):
            return data.decode(charset[1], "replace")
    return text_of(data)


def _json(text: str, whole: bool) -> list[Any]:
    """The documents in a text: one, or one in each line, or behind each other; of a cut one the rows in it."""
    if whole:
        try:
            return [orjson.loads(text.encode("utf-8", "surrogatepass"))]
        except orjson.JSONDecodeError:
            pass
    found, lost = [], 0
    for line in text.splitlines():
        part = line.strip(" \x1e,")
        part = part.removeprefix("data:").strip()
        if not part or line.startswith(("event:", "id:", "retry:", ":")):
            continue
        try:
            found.append(orjson.loads(part.encode("utf-8", "surrogatepass")))
        except orjson.JSONDecodeError:
            lost += 1
    return found if len(found) > lost else torn(text)


def _documents(
    documents: list[Any], body: Body, depth: int, named: tuple[tuple[str, ...], ...] = ()
) -> Iterator[Block]:
    document = documents[0] if len(documents) == 1 else documents
    yield from blocks(document, (*body.named, *named), body.declared)
    for text in _texts(document):
        if text.startswith("/////"):  # Arrow in base64
            yield from _tables(base64.b64decode(text), body, depth + 1, True)
        else:
            try:
                inner = orjson.loads(text)
            except orjson.JSONDecodeError:
                continue
            if depth < _DEPTH and isinstance(inner, dict | list):
                yield from _documents([inner], body, depth + 1)


def _texts(document: Any) -> Iterator[str]:
    """Texts in a document that are documents themselves."""
    todo = [document]
    while todo:
        node = todo.pop()
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else (node,):
            if isinstance(value, str):
                if len(value) >= 16 and value.startswith(("{", "[", "/////")):
                    yield value
            elif isinstance(value, dict | list):
                todo.append(value)


def _columns(data: bytes) -> Iterator[Block]:
    import pyarrow as pa  # only the process that reads rows needs it, and it takes long to load
    import pyarrow.ipc as ipc
    import pyarrow.parquet as pq

    if data.startswith(b"PAR1"):
        yield _evenly(pq.read_table(io.BytesIO(data)))
    elif data.startswith(b"ARROW1"):
        yield _evenly(ipc.open_file(io.BytesIO(data)).read_all())
    else:
        batches, reader = list[Any](), ipc.open_stream(io.BytesIO(data))
        with contextlib.suppress(pa.ArrowInvalid, OSError, StopIteration):  # of a cut one, what came before is whole
            while True:
                batches.append(reader.read_next_batch())
        if batches:
            yield _evenly(pa.Table.from_batches(batches))


def _evenly(table: Any) -> Block:
    if table.num_rows > _ROWS:
        table = table.take(list(range(0, table.num_rows, -(-table.num_rows // _ROWS))))
    columns = [column.to_pylist() for column in table.columns]
    return Block("", list(map(list, zip(*columns, strict=True))), tuple(table.column_names))


def _delimited(text: str, head: str, *, sure: bool) -> Block:
    """CSV of any dialect; any other text as lines of cells. `sure`: it says that it is CSV."""
    first, _, rest = (head or text).lstrip("\ufeff\r\n").partition("\n")
    delimiter = max(_DELIMITERS, key=first.count)
    count = first.count(delimiter)
    second = rest.partition("\n")[0]
    if count and (sure or (": " not in first and second.count(delimiter) == count)):
        names = next(csv.reader([first.rstrip("\r")], delimiter=delimiter))
        with contextlib.suppress(csv.Error):
            rows = [row for row in csv.reader(io.StringIO(text, ""), delimiter=delimiter) if row]
            return Block("", list[Any](rows), tuple(names))
    return Block("", [[cell for cell in _CELL.split(line) if cell] for line in text.splitlines() if line.strip()])
