"""One response: masked, proven that no mask applies, or refused. There is no fourth outcome.

The bytes that leave are always the engine's own output, also when nothing in them was replaced.
"""

from __future__ import annotations

import codecs
from typing import Literal, NamedTuple

from sluicegate import codings, rows
from sluicegate.codings import CodingError
from sluicegate.exchange import Delivery, Exposure
from sluicegate.masking.charset import UTF8, to_utf8
from sluicegate.masking.content_proof import clean_text
from sluicegate.masking.content_walk import mask_content_of
from sluicegate.masking.formats import mask_content, media_of, passing_kind
from sluicegate.masking.headers import Pairs, recoded, rewrite
from sluicegate.masking.json_body import Unfit, parse, serialise
from sluicegate.masking.json_text import mask_text
from sluicegate.masking.methods import Forbidden
from sluicegate.masking.names import normal
from sluicegate.masking.refusal import unmaskable, withheld
from sluicegate.masking.rules import Plan
from sluicegate.masking.walk import Counts, mask_document


class Reply(NamedTuple):
    """A response as the service sent it. `body` is None when it did not pass through our memory."""

    method: str
    """The request's method."""
    status: int
    headers: Pairs
    body: bytes | None


class Declared(NamedTuple):
    """What the fields say of the body: its coding, its type, and whether it is a part. All lines of a field joined."""

    coding: str
    media: str
    part: bool


class Masked(NamedTuple):
    """A response that may leave: its fields, its body, and what is in it."""

    headers: Pairs
    body: bytes
    exposure: Exposure


def mask(reply: Reply, plan: Plan, accepts: tuple[str, ...], limit: int, delivery: Delivery | None = None) -> Masked:
    """The response that may leave. Raises Refusal. `limit` bounds the decoded body in bytes."""
    try:
        said = declared(reply.headers)
        plain = content(reply, said, limit)
        gone = delivery.headers if delivery is not None else ()
        bare = delivery is not None and delivery.bare
        if plain is None:
            silent = reply.method == "HEAD" or reply.status in (204, 304)
            length = None if silent else 0
            if reply.method == "HEAD" and delivery is not None and delivery.bare:
                length = _length(reply.headers)  # clients of object stores ask for the size first, and need one
            headers = rewrite(reply.headers, length, "", plan.columns, gone, plan.content)
            return Masked(headers, b"", Exposure())
        masked, exposure = mask_plain(plain, said, plan, delivery, limit, reply.status)
        coding = said.coding if said.coding in accepts else ""
        body = codings.encode(masked, coding)
        headers = rewrite(reply.headers, len(body), coding, plan.columns, gone, plan.content)
        if not bare and media_of(said.media).charset not in UTF8:
            headers = recoded(headers)
        return Masked(headers, body, exposure)
    except Forbidden as error:
        raise withheld(error.mask) from None
    except (Unfit, CodingError) as error:
        raise unmaskable(plan.masks, str(error)) from None
    except RecursionError:
        raise unmaskable(plan.masks, "its JSON is nested too deeply") from None


def look(reply: Reply, plan: Plan, limit: int, delivery: Delivery | None = None) -> Exposure:
    """What the masks of a plan would replace in a response that stays as it is. Raises Unfit, CodingError or
    RecursionError where nobody can tell.
    """
    said = declared(reply.headers)
    plain = content(reply, said, limit)
    return Exposure() if plain is None else mask_plain(plain, said, plan, delivery, limit, reply.status)[1]


def mask_plain(
    plain: bytes, said: Declared, plan: Plan, delivery: Delivery | None, limit: int, status: int
) -> tuple[bytes, Exposure]:
    """The masked body of a response whose codings were taken off, and what is in it. Raises Unfit."""
    if delivery is not None and delivery.bare:
        return plain, Exposure()
    text = _json_text(plain, said) if delivery is None else None
    if text is not None:
        found = mask_text(text, plan)
        if found is not None and (plan.content is None or clean_text(found, plan.content)):
            return found.text, _exposure(found.node, plan, found.counts, found.more)
        document, counts = mask_document(parse(text), plan, text)
        if plan.content is not None:
            document = mask_content_of(document, plan.content, counts)
        return serialise(document), _exposure(document, plan, counts)
    return mask_content(plain, said.media, plan, delivery, limit, status)


def _json_text(plain: bytes, said: Declared) -> bytes | None:
    """The body in UTF-8 without a mark where its type is JSON, however that is written; None for all others."""
    if said.media == "application/json" and plain[:1] not in _MARKS:
        return plain
    media = media_of(said.media)
    if media.twice or passing_kind(media.kind) != "json":
        return None
    recoded = to_utf8(plain, media.charset)
    return (plain if recoded is None else recoded).removeprefix(codecs.BOM_UTF8)


_MARKS = (b"\xef", b"\xff", b"\xfe", b"\0")
"""How texts begin that have a byte order mark."""


def _length(pairs: Pairs) -> int | None:
    """The one Content-Length that was sent; None where there is none that can be read."""
    found = {value for name, value in pairs if name.lower() == b"content-length"}
    only = found.pop() if len(found) == 1 else b""
    return int(only) if only.isdigit() and len(only) < 20 else None


def declared(pairs: Pairs) -> Declared:
    """Reads the fields of a response. Bytes outside ASCII are replaced: no value that we know has any."""
    coding, media, part = [], [], False
    for name, value in pairs:
        lower = name.lower()
        if lower == b"content-type":
            media.append(value)
        elif lower == b"content-encoding":
            coding.append(value)
        elif lower == b"content-range":
            part = True
    kind = _joined(media)
    if kind.startswith("multipart/"):
        kind = b", ".join(media).decode("ascii", "replace").strip()  # a boundary is as it is written
    return Declared(_joined(coding), kind, part)


def _joined(values: list[bytes]) -> str:
    return b", ".join(values).decode("ascii", "replace").strip().lower() if values else ""


def content(reply: Reply, said: Declared, limit: int) -> bytes | None:
    """The decoded body, or None when the response is proven to have no body. Raises Unfit or CodingError."""
    if reply.status < 200:
        raise Unfit("it changes the protocol")
    if reply.body is None:
        raise Unfit("its body was not kept back")
    if reply.status in (206, 226) or said.part:
        raise Unfit("it is a part of something larger")
    if not reply.body:
        return None
    return codings.decode(reply.body, said.coding, limit)


def _exposure(document: object, plan: Plan, counts: Counts, more: int = 0) -> Exposure:
    """What is in a masked document. `more`: rows that are not in it, beside those that are."""
    columns: dict[str, Literal["clear", "masked"]] = {}
    total = more
    for table in rows.tables(document):
        total += table.count
        covered = plan.covered(table.where, table.columns, table.positional)
        if columns:
            # A column that is in clear in one of several tables is in clear.
            clear = {name for name, word in columns.items() if word == "clear"}
            columns |= covered
            columns |= dict.fromkeys(clear, "clear")
        else:
            columns.update(covered)
    masks: dict[str, int] = {}
    elsewhere = []
    for hit, count in counts.items():
        masks[hit.mask] = masks.get(hit.mask, 0) + count
        if hit.column and hit.column not in columns:
            elsewhere.append(hit.column)
    if elsewhere:
        listed = set(map(normal, columns))
        columns |= {name: "masked" for name in elsewhere[: rows.MAX_COLUMNS] if name not in listed}
    return Exposure(columns, total, masks)
