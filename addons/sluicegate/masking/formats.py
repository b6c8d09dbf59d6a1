"""Which format a body is in, and who masks it.

With a Delivery its `format` decides, since services say `text/plain` for CSV and `text/html` for JSON; without one the
Content-Type does. Either way the bytes must be of that format, or nothing leaves.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import NamedTuple, cast

from sluicegate.exchange import Delivery, Exposure, Rows
from sluicegate.masking import lines
from sluicegate.masking.charset import to_utf8
from sluicegate.masking.delivered import mask_delivered
from sluicegate.masking.event_stream import mask_events
from sluicegate.masking.form_body import mask_form
from sluicegate.masking.json_body import Unfit, parse, serialise
from sluicegate.masking.msgpack_body import mask_msgpack
from sluicegate.masking.multipart_body import mask_multipart
from sluicegate.masking.plain_text import mask_rows_as_text, mask_text
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally
from sluicegate.masking.xml_body import mask_xml

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
    "text/event-stream": "events",
    "application/x-www-form-urlencoded": "form",
    "application/xml": "xml",
    "text/xml": "xml",
    "application/msgpack": "msgpack",
    "application/x-msgpack": "msgpack",
    "application/vnd.msgpack": "msgpack",
    "text/plain": "text",
    "text/markdown": "text",
    "text/json": "json",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.arrow.file": "arrow-file",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/parquet": "parquet",
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "tsv",
}
_MARK = b"\xef\xbb\xbf"
_BYTES = frozenset(("application/octet-stream", "binary/octet-stream"))
"""Types that say nothing; bytes that say at both ends what they are then decide."""
_MAGIC = {"arrow-file": b"ARROW1", "parquet": b"PAR1"}
_TEXTS = frozenset(("json", "lines", "sequence", "csv", "tsv", "events", "form", "xml", "text"))
_ROWS = {
    "lines": lines.mask_lines,
    "sequence": lines.mask_sequence,
    "events": mask_events,
    "form": mask_form,
    "xml": mask_xml,
    "msgpack": mask_msgpack,
    "text": mask_text,
    "rows": mask_rows_as_text,
}
_PASSING = frozenset(("events", "sequence", "json", "csv", "tsv", "text", "arrow", "xml", "form", "msgpack"))
_DEPTH = 2
"""Multipart bodies inside each other."""
_ENGINES = {
    "arrow": ("arrow_body", "mask_stream"),
    "arrow-file": ("arrow_body", "mask_file"),
    "csv": ("csv_body", "mask_csv"),
    "tsv": ("csv_body", "mask_tsv"),
    "parquet": ("parquet_body", "mask_parquet"),
}
"""Who masks tables. Loaded when the first of them comes: what reads them takes 40 MB and a third of a second."""


class Media(NamedTuple):
    """A Content-Type (RFC 9110 section 8.3): `type/subtype`, its charset, and whether it was sent more than once."""

    kind: str
    charset: str
    header: str
    twice: bool


def passing_kind(kind: str) -> str | None:
    """The format of the types that can be masked while they pass; None for all others."""
    if kind in _LINES:
        return "lines"
    if kind.startswith("application/") and (kind == "application/json" or kind.endswith("+json")):
        return "json"
    if kind.startswith("application/") and kind.endswith("+xml"):
        return "xml"
    if kind.startswith("multipart/") and kind != "multipart/byteranges":
        return "multipart"
    found = _TYPES.get(kind)
    return found if found in _PASSING else None


def is_heavy(content_type: str) -> bool:
    """Whether a body of this type may need what is large and not loaded yet."""
    kind = media_of(content_type.lower()).kind
    return kind in _BYTES or _TYPES.get(kind) in _ENGINES


def mask_content(
    plain: bytes,
    content_type: str,
    plan: Plan,
    delivery: Delivery | None,
    limit: int,
    status: int = 200,
    depth: int = 0,
) -> tuple[bytes, Exposure]:
    """The masked body and what is in it. Raises Unfit. `depth` counts multipart bodies around it."""
    media = media_of(content_type)
    if delivery is not None and delivery.unreadable:
        raise Unfit(f"its rows cannot be found: {delivery.unreadable[:200]}")
    kind, rows = _format(plain, media, delivery, status)
    if kind == "text" and (plan.columns or plan.paths or plan.content is None):
        raise Unfit(f"its body, with status {status}, is {media.kind[:60]!r} and not JSON")
    tally = Tally()
    if kind == "multipart":
        if depth >= _DEPTH:
            raise Unfit("its parts have parts that have parts")

        def inner(part: bytes, part_type: str) -> bytes:
            masked, exposure = mask_content(part, part_type, plan, None, limit, status, depth + 1)
            tally.include(exposure)
            return masked

        return mask_multipart(plain, content_type, plan, tally, inner), tally.exposure(plan.content)
    if kind in _TEXTS:
        recoded = to_utf8(plain, media.charset)
        if recoded is not None and depth:
            raise Unfit("a part of it is not in UTF-8")
        plain = plain if recoded is None else recoded
        if kind == "xml" and recoded is not None:
            return mask_xml(plain, plan, tally, recoded=True), tally.exposure(plan.content)
    if kind in _TEXTS and kind not in ("csv", "tsv"):  # those keep their mark
        plain = plain.removeprefix(_MARK)
    if kind in ("csv", "tsv") and rows.columns is None and not (plan.columns or plan.paths):
        kind = "rows"  # no column is owed, only what detectors find
    if kind == "json":
        return _json(plain, plan, delivery, limit)
    if kind in _ROWS:
        return _ROWS[kind](plain, plan, tally), tally.exposure(plan.content)
    return _engine(kind)(plain, rows, plan, tally, limit), tally.exposure(plan.content)


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
        return _TYPES[media.kind], Rows(header_row=media.header == "present")
    if media.kind.startswith("multipart/") and media.kind != "multipart/byteranges":
        return "multipart", Rows()
    if media.kind.startswith("application/") and media.kind.endswith("+xml"):
        return "xml", Rows()
    if media.kind in _BYTES:
        for kind, magic in _MAGIC.items():
            if plain.startswith(magic) and plain.endswith(magic):
                return kind, Rows()
    if delivery is not None and plain.lstrip()[:1] in (b"{", b"["):
        return "json", Rows()  # the dialect knows the service, whatever it says of its type
    raise Unfit(f"{where} {media.kind[:60]!r} and not JSON" if media.kind else f"{where} of no declared type")


def _engine(kind: str) -> Engine:
    found = _ENGINES.get(kind)
    if found is None:
        raise Unfit(f"its rows are {kind}, which cannot be masked")
    module, name = found
    return cast(Engine, getattr(import_module(f"sluicegate.masking.{module}"), name))


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
            return lines.mask_rows(documents, plain, delivery.rows[0], plan, tally), tally.exposure(plan.content)
    document, tally = mask_delivered(parse(plain), plain, plan, delivery, inner)
    return serialise(document), tally.exposure(plan.content)


def _bytes(text: str, rows: Rows) -> bytes:
    if not rows.base64:
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unfit("its rows are not in base64") from None


def media_of(content_type: str) -> Media:
    kind, *parameters = (part.strip() for part in content_type.split(";"))
    charset = header = ""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        value = value.strip().strip('"')
        if name.strip().lower() == "charset":
            charset = value.lower() if charset in ("", value) else "several"
        elif name.strip().lower() == "header":
            header = value.lower()
    return Media(kind.lower(), charset, header, "," in content_type)
