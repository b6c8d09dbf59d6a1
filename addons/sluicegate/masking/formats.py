"""Which format a body is in, and who masks it.

With a Delivery its `format` decides, since services say `text/plain` for CSV and `text/html` for JSON; without one the
Content-Type does. Either way the bytes must be of that format, or nothing leaves.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from sluicegate.exchange import Delivery, Exposure, Rows
from sluicegate.masking import arrow_body, lines
from sluicegate.masking.delivered import mask_delivered
from sluicegate.masking.json_body import Unfit, parse, serialise
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

Engine = Callable[[bytes, Rows, Plan, Tally, int], bytes]
"""Masks a whole body; the last argument bounds what it may decode to, in bytes. Raises Unfit."""

_LINES = frozenset(
    (
        *("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl"),
        *("application/jsonlines", "application/x-jsonlines", "application/json-lines"),
        *("application/stream+json", "application/x-json-stream"),
    )
)
_TYPES: dict[str, str] = {
    "application/json-seq": "sequence",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.arrow.file": "arrow-file",
}
_TEXTS = frozenset(("json", "lines", "sequence", "csv", "tsv"))
_ROWS = {"lines": lines.mask_lines, "sequence": lines.mask_sequence}
_ENGINES: dict[str, Engine] = {
    "arrow": arrow_body.mask_stream,
    "arrow-file": arrow_body.mask_file,
}


class Media(NamedTuple):
    """A Content-Type (RFC 9110 section 8.3): `type/subtype`, its charset, and whether it was sent more than once."""

    kind: str
    charset: str
    header: str
    twice: bool


def mask_content(
    plain: bytes, content_type: str, plan: Plan, delivery: Delivery | None, limit: int, status: int = 200
) -> tuple[bytes, Exposure]:
    """The masked body and what is in it. Raises Unfit."""
    media = _media(content_type)
    if delivery is not None and delivery.unreadable:
        raise Unfit(f"its rows cannot be found: {delivery.unreadable[:200]}")
    kind, rows = _format(plain, media, delivery, status)
    if kind in _TEXTS and media.charset not in ("", "utf-8", "utf8", "us-ascii", "ascii"):
        raise Unfit(f"its body, with status {status}, is text, but not in UTF-8")
    tally = Tally()
    if kind == "json":
        return _json(plain, plan, delivery, limit)
    if kind in _ROWS:
        return _ROWS[kind](plain, plan, tally), tally.exposure()
    return _engine(kind)(plain, rows, plan, tally, limit), tally.exposure()


def _format(plain: bytes, media: Media, delivery: Delivery | None, status: int) -> tuple[str, Rows]:
    """The format of the whole body, and what is known of the rows in it."""
    if delivery is not None and delivery.rows:
        whole = [rows for rows in delivery.rows if rows.format != "json" and rows.path == "$" and not rows.base64]
        if not whole:
            return "json", Rows()
        if len(delivery.rows) > 1:
            raise Unfit("its service says that it is in several formats at once")
        return whole[0].format, whole[0]
    where = f"its body, with status {status}, is"
    if media.twice:
        raise Unfit(f"{where} declared twice")
    if media.kind in _LINES:
        return "lines", Rows()
    if media.kind == "application/json" or (media.kind.startswith("application/") and media.kind.endswith("+json")):
        return "json", Rows()
    if media.kind in _TYPES:
        return _TYPES[media.kind], Rows(header_row=True)
    if delivery is not None and plain.lstrip()[:1] in (b"{", b"["):
        return "json", Rows()  # the dialect knows the service, whatever it says of its type
    raise Unfit(f"{where} {media.kind[:60]!r} and not JSON" if media.kind else f"{where} of no declared type")


def _engine(kind: str) -> Engine:
    engine = _ENGINES.get(kind)
    if engine is None:
        raise Unfit(f"its rows are {kind}, which cannot be masked")
    return engine


def _json(plain: bytes, plan: Plan, delivery: Delivery | None, limit: int) -> tuple[bytes, Exposure]:
    delivery = delivery or Delivery()

    def inner(text: str, rows: Rows, tally: Tally) -> str:
        data = _bytes(text, rows)
        told = replace(rows, path="$", base64=False)
        if rows.format == "json":
            document, counted = mask_delivered(
                parse(data), data, plan, replace(delivery, rows=(told,), leaks=()), inner
            )
            tally.merge(counted)
            masked = serialise(document)
        else:
            masked = _engine(rows.format)(data, told, plan, tally, limit)
        return base64.b64encode(masked).decode() if rows.base64 else masked.decode()

    if delivery.rows and all(rows.path == "$" for rows in delivery.rows) and len(delivery.rows) == 1:
        documents = lines.split(plain, delivery.rows[0])
        if documents is not None:
            tally = Tally()
            return lines.mask_rows(documents, plain, delivery.rows[0], plan, tally), tally.exposure()
    document, tally = mask_delivered(parse(plain), plain, plan, delivery, inner)
    return serialise(document), tally.exposure()


def _bytes(text: str, rows: Rows) -> bytes:
    if not rows.base64:
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unfit("its rows are not in base64") from None


def _media(content_type: str) -> Media:
    kind, *parameters = (part.strip() for part in content_type.split(";"))
    charset = header = ""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        value = value.strip().strip('"')
        if name.strip() == "charset":
            charset = value if charset in ("", value) else "several"
        elif name.strip() == "header":
            header = value
    return Media(kind, charset, header, "," in content_type)
