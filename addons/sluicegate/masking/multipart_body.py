"""Multipart bodies (RFC 2046 section 5.1, RFC 7578): each part is masked as a body of its own type.

A part that is a form's field is a column of that name.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

from sluicegate.masking.content_walk import mask_content_of
from sluicegate.masking.form_names import hit_of, mask_pairs
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.part_head import delimiter, read
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

_MOST = 10_000

Engine = Callable[[bytes, str], bytes]
"""Masks a part of a type."""


CUT = "its parts are cut off, or something is behind them"


def mask_multipart(plain: bytes, content_type: str, plan: Plan, tally: Tally, engine: Engine) -> bytes:
    """The masked parts, under the same boundary. What is before the first and behind the last goes. Raises Unfit."""
    line = delimiter(content_type)
    parts = (b"\r\n" + plain).split(b"\r\n" + line)
    if len(parts) < 2 or len(parts) > _MOST or not parts[-1].startswith(b"--") or parts[-1][2:].strip():
        raise Unfit(CUT)
    return b"".join(mask_part(part, line, plan, tally, engine) for part in parts[1:-1]) + line + b"--\r\n"


def mask_part(part: bytes, line: bytes, plan: Plan, tally: Tally, engine: Engine) -> bytes:
    """What stands between two delimiters, masked, with the first of them before it. Raises Unfit."""
    if plan.root is not None:
        raise Unfit("one of them masks the whole, and heads of parts would be left of it")
    masked = _masked(part, plan, tally, engine)
    if line in masked:
        raise Unfit("one of its parts holds the boundary")
    return line + b"\r\n" + masked + b"\r\n"


def _masked(part: bytes, plan: Plan, tally: Tally, engine: Engine) -> bytes:
    if not part.startswith(b"\r\n"):
        raise Unfit("its boundary is the beginning of a longer line")
    head, separator, body = part.partition(b"\r\n\r\n") if not part.startswith(b"\r\n\r\n") else (b"", b"x", part[4:])
    if not separator:
        raise Unfit("one of its parts has no end of its head")
    said = read(head, plan)
    if said.name is not None and hit_of(plan, said.name) is None and hit_of(plan, unquote(said.name)) is not None:
        raise Unfit("the name of one of its parts is written in a way of its own")
    masked = _field(body, said.name, plan, tally) if said.name is not None and not (said.kind or said.file) else None
    if masked is None:
        if said.name is not None and hit_of(plan, said.name) is not None:
            raise Unfit("a masked column is a part of a type of its own")
        masked = engine(body, said.kind or "text/plain")
    return said.shown.encode() + b"\r\n" + masked


def _field(body: bytes, name: str, plan: Plan, tally: Tally) -> bytes:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Unfit("one of its fields is not UTF-8") from None
    (member,) = mask_pairs([(name, text)], plan, tally)
    if plan.content is not None:
        (member,) = mask_content_of([member], plan.content, tally.counts)
    value = next(iter(member.values()), None) if isinstance(member, dict) else None
    return b"" if value is None else str(value).encode()
