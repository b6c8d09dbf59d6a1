"""JSON texts one behind the other: a line each (NDJSON), or with record separators (RFC 7464)."""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import Any

import msgspec

from sluicegate.exchange import Rows
from sluicegate.masking import alike
from sluicegate.masking.content_walk import mask_content_of
from sluicegate.masking.json_body import Unfit, parse, serialise
from sluicegate.masking.rules import Plan
from sluicegate.masking.table import Table
from sluicegate.masking.tally import Tally
from sluicegate.masking.walk import Walk

_RECORD = b"\x1e"
_decoder = msgspec.json.Decoder(float_hook=msgspec.Raw)
_encoder = msgspec.json.Encoder()
_bounds = json.JSONDecoder(parse_int=str, parse_float=str)  # says only where a text ends; the strict parser reads it
_NUMBERS = frozenset((int, float, msgspec.Raw))
_BLANK = re.compile(r"[ \t\r\n]*")


def mask_lines(plain: bytes, plan: Plan, tally: Tally) -> bytes:
    """Masks each text by names and paths as if it were a document of its own. Raises Unfit."""
    fast = _alike(plain, plan, tally)
    if fast is not None:
        return fast
    return _joined(_walked(_parse(plain), plain, plan, tally), plain[:1] == _RECORD)


def walk_apart(plain: bytes, plan: Plan, tally: Tally) -> list[Any]:
    """Lines, or the texts of a sequence, that are not all of the body: decoded, and without what the detectors find,
    since neighbours are looked at together. Raises Unfit.
    """
    documents = _parse(plain) if plain[:1] == _RECORD else _lines(plain)
    return _walked(documents, plain, plan, tally, apart=True, looked=False)


def mask_apart(plain: bytes, plan: Plan, tally: Tally) -> bytes:
    """Masks lines that are not all of the body. Raises Unfit, also where another line would say what these hold."""
    fast = _alike(plain, plan, tally)
    if fast is not None:
        return fast
    return _joined(_walked(_lines(plain), plain, plan, tally, apart=True), False)


def _alike(plain: bytes, plan: Plan, tally: Tally) -> bytes | None:
    """The masked text of lines that are all written alike; None where they are not, or cannot be masked that way."""
    if len(plain) < alike.LEAST or plan.root is not None or plan.content is not None:
        return None
    laid = alike.layout(plain, 0, alike.LINES)
    masked = None if laid is None else alike.mask(plain, 0, laid[0], plan.start)
    if laid is None or masked is None or plain[masked.end :] not in _LINE_ENDS:
        return None
    for hit, count in masked.counts.items():
        tally.hit(hit, count)
    for key in laid[0].keys:
        tally.column(key, plan.start.move(key)[1] is not None)
    tally.rows += masked.rows
    return b"".join((*masked.pieces, b"\n"))


_LINE_ENDS = (b"", b"\n", b"\r\n")


def mask_sequence(plain: bytes, plan: Plan, tally: Tally) -> bytes:
    """The same for a sequence, whose texts all begin with a record separator. Raises Unfit."""
    if plain[:1] != _RECORD:
        raise Unfit("its body is not the sequence of JSON texts that was announced")
    return mask_lines(plain, plan, tally)


def split(plain: bytes, rows: Rows) -> list[Any] | None:
    """The rows of a body of which each line is one; None when it is one document that holds the rows.

    Raises Unfit when it is neither.
    """
    try:
        document = parse(plain)
    except Unfit:
        if b"\n" not in plain.strip() and plain[:1] != _RECORD:
            raise
        return _parse(plain)
    if rows.base64 or rows.shape == "one":
        return None
    wanted = dict if rows.shape == "objects" else list
    if isinstance(document, dict) and wanted is dict:
        return [document]
    if isinstance(document, list) and wanted is list and document and not isinstance(document[0], list):
        return [document]
    return None


def mask_rows(documents: list[Any], plain: bytes, rows: Rows, plan: Plan, tally: Tally) -> bytes:
    """Masks lines of which each is a row that a dialect has described. Raises Unfit."""
    marked = plain[:1] == _RECORD
    table = Table(plan, rows, tally)
    if table.generic or plan.root is not None:
        return _joined(_walked(documents, plain, plan, tally), marked)
    table.mask_lines(documents, plan.start)
    if plan.content is not None:
        documents = mask_content_of(documents, plan.content, tally.counts)
    return _joined(documents, marked)


def _walked(
    documents: list[Any], plain: bytes, plan: Plan, tally: Tally, *, apart: bool = False, looked: bool = True
) -> list[Any]:
    if plan.root is not None:
        tally.hit(plan.root, len(documents))
        return plan.root.apply(documents)
    walk = Walk(plan, 0)
    walk.documents(documents)
    tally.add(walk.counts)
    # Rows have the same keys again and again; asking for each key of each row took most of the time.
    for key in dict.fromkeys(chain.from_iterable(row for row in documents if isinstance(row, dict))):
        tally.column(key, plan.start.move(key)[1] is not None)
    tally.rows += len(documents)
    if walk.loose and plan.columns and (apart or any(map(walk.headers.mentions, _parse(plain)))):
        raise Unfit("it holds arrays of arrays, and nothing says which column is where in them")
    if plan.content is not None and looked:
        documents = mask_content_of(documents, plan.content, tally.counts)
    return documents


def _parse(plain: bytes) -> list[Any]:
    if plain[:1] == _RECORD:
        return [parse(text) for text in plain[1:].split(_RECORD)]
    try:
        return _lines(plain)
    except Unfit:
        found = _concatenated(plain)
        if found is None:
            raise
        return found


def _concatenated(plain: bytes) -> list[Any] | None:
    """JSON texts with nothing, or any blanks, between them. None where the body is not that."""
    try:
        text = plain.decode()
    except UnicodeDecodeError:
        return None
    found = []
    position = 0
    while True:
        blanks = _BLANK.match(text, position)
        start = blanks.end() if blanks is not None else position
        if start >= len(text):
            break
        if text[start] not in "{[":
            return None  # digits would run into each other
        try:
            _, position = _bounds.raw_decode(text, start)
            found.append(parse(text[start:position].encode()))
        except (ValueError, RecursionError):
            return None
    return found or None


def _lines(plain: bytes) -> list[Any]:
    try:
        found = _decoder.decode_lines(plain)
        if _NUMBERS & set(map(type, found)) and len(found) > len([1 for line in plain.split(b"\n") if line.strip()]):
            raise Unfit("its numbers do not have a line each")  # 123-45-6789 is no three of them
        return found
    except RecursionError:
        raise Unfit("its JSON is nested too deeply") from None
    except UnicodeDecodeError:
        raise Unfit("its body is not UTF-8") from None
    except msgspec.MsgspecError as error:
        raise Unfit(f"its body is not lines of valid JSON ({str(error)[:120]})") from None


def _joined(documents: list[Any], marked: bool) -> bytes:
    if marked:
        return b"".join(_RECORD + serialise(document) + b"\n" for document in documents)
    return encode_lines(documents)


def encode_sequence(documents: list[Any]) -> bytes:
    """The documents as a sequence of JSON texts (RFC 7464)."""
    return _joined(documents, True)


def encode_lines(documents: list[Any]) -> bytes:
    """The documents as JSON, a line each."""
    return bytes(_encoder.encode_lines(documents))
