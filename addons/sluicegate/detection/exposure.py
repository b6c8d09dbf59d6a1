"""What a response that owed no masks handed over: the columns and the number of its rows, as far as that is cheap."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from sluicegate import codings, rows
from sluicegate.detection.taint.tables import Body, tables
from sluicegate.exchange import Exchange, Exposure
from sluicegate.nested_rows import LOOKED, Block, blocks, is_flat, leaves, outermost

LIMIT = 1 << 20
"""Decoded bytes up to which a body is read; what is larger has unknown columns."""
HEAD = 64 << 10
"""Bytes of a response in another format, or of one that passes piece by piece, that are looked at: its rows are counted
in them, and of the rest there are as many a byte."""
_BROKEN = (ValueError, KeyError, TypeError, NotImplementedError, RecursionError, OSError)
_TEXTS = ("csv", "tab-separated", "json", "event-stream", "xml")


class Told(NamedTuple):
    """What is known of the columns of a response before it is read."""

    named: tuple[tuple[str, ...], ...] = ()
    """Lists of them, as the service's dialect knows them."""
    declared: frozenset[str] = frozenset()
    """Some of them. The first line of a CSV holds names where one of these is among them; else it may hold values."""


NOTHING = Told()


class Head:
    """How a response begins that passes piece by piece, and how many bytes of it left, decoded."""

    def __init__(self) -> None:
        self.begin = bytearray()
        self.size = 0

    def take(self, piece: bytes) -> None:
        """The next bytes that leave."""
        self.begin += piece[: HEAD - len(self.begin)]
        self.size += len(piece)


def named_by(exchange: Exchange) -> tuple[tuple[str, ...], ...]:
    """Lists of columns of the response, as the service's dialect knows them."""
    rows = exchange.delivery.rows if exchange.delivery is not None else ()
    return tuple([tuple([column.name for column in one.columns]) for one in rows if one.columns])


def read(body: bytes, coding: str, content_type: str, limit: int = LIMIT, told: Told = NOTHING) -> Exposure:
    """The exposure of a body; without columns when nobody can read it here, or it is too large. Never raises."""
    media = content_type.lower()
    if not body or len(body) > limit or not any(kind in media for kind in _TEXTS):
        return Exposure()
    try:
        plain = codings.decode(body, coding, limit)
    except codings.CodingError:
        return Exposure()
    if "json" in media:
        try:
            return _of_document(orjson.loads(plain), told)
        except ValueError:
            pass
        except RecursionError:
            return Exposure()
    return passed(plain[:HEAD], len(plain), media, Exposure(), told)


def passed(head: bytes, size: int, media: str, known: Exposure, told: Told = NOTHING) -> Exposure:
    """The exposure of a response of so many decoded bytes of which only the beginning is here; what is `known` of it
    already is kept. Never raises."""
    if not head or not any(kind in media for kind in _TEXTS):
        return known
    try:
        body = Body(head, "", media, told.named, told.declared, piece=len(head) < size, opened=False)
        found = [block for block in tables(body) if block.rows]
    except _BROKEN:
        return known
    names = [name for block in found if _is_named(block, told) for name in block.columns(told.declared)]
    count = sum(block.count() for block in outermost(found)) * size // len(head)
    return completed(known, Exposure(dict.fromkeys(names[: rows.MAX_COLUMNS], "clear"), count))


def completed(known: Exposure | None, found: Exposure) -> Exposure:
    """What masking said of a response, with the columns and rows that were found in what left."""
    if known is None:
        return found
    masked = {name.casefold() for name, word in known.columns.items() if word == "masked"}
    columns = dict(known.columns)
    for name in found.columns:
        if len(columns) < rows.MAX_COLUMNS:
            columns.setdefault(name, "masked" if name.casefold() in masked else "clear")
    return Exposure(columns, known.rows or found.rows, known.masks)


def _is_named(block: Block, told: Told) -> bool:
    """Whether what stands for the names of its columns are names."""
    if isinstance(block.rows[0], dict) or block.names is None or block.names in told.named:
        return True
    return block.rows[0] != list(block.names) or any(name.casefold() in told.declared for name in block.names)


def _of_document(document: object, told: Told) -> Exposure:
    found = rows.tables(document)
    if found and is_flat(document, found):
        names = [column for table in found for column in table.columns]
        count = sum(table.count for table in found)
    else:
        inner = [
            block for block in blocks(document, told.named, told.declared, most=LOOKED) if _holds(block, document, told)
        ]
        names = [name for block in inner for name in block.columns(told.declared)]
        count = sum(block.count() for block in outermost(inner))
    return Exposure(dict.fromkeys(names[: rows.MAX_COLUMNS], "clear"), count)


def _holds(block: Block, document: object, told: Told) -> bool:
    """Whether it is rows. A document without lists is one where it has a column that is known: else it says how things
    went, or what there is."""
    if block.rows[0] is not document:
        return True
    return any(name.casefold() in told.declared for name, _ in leaves(document))
