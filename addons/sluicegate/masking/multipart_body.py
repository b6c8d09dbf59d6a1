"""Multipart bodies (RFC 2046 section 5.1, RFC 7578): each part is masked as a body of its own type.

A part that is a form's field is a column of that name.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sluicegate.masking.documents import mask_documents
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

_BOUNDARY = re.compile(r"""boundary=(?:"([^"\\]{1,70})"|([^\s;,"]{1,70}))""", re.IGNORECASE)
_EXTENDED = re.compile(r"[;\s]name\*", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_NAME = re.compile(r"""[;\s]name=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))""", re.IGNORECASE)
_KEPT = ("content-type", "content-disposition", "content-id", "content-transfer-encoding")
_PLAIN = ("", "7bit", "8bit", "binary")
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


def delimiter(content_type: str) -> bytes:
    """What stands at the beginning of the line before each part. Raises Unfit where the type does not say it once."""
    found = _BOUNDARY.findall(content_type)
    if len(found) != 1:
        raise Unfit("its parts have no boundary, or several")
    return b"--" + str(found[0][0] or found[0][1]).encode("ascii", "replace")


def mask_part(part: bytes, line: bytes, plan: Plan, tally: Tally, engine: Engine) -> bytes:
    """What stands between two delimiters, masked, with the first of them before it. Raises Unfit."""
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
    fields = _fields(head)
    if fields.get("content-transfer-encoding", "").lower() not in _PLAIN:
        raise Unfit("one of its parts is encoded for mail")
    kind, name = fields.get("content-type", "").lower(), _name(fields.get("content-disposition", ""))
    masked = _field(body, name, plan, tally) if name is not None and not kind else None
    if masked is None:
        owed = plan.start.move(name)[1] if name is not None else None
        if owed is not None:
            raise Unfit("a masked column is a part of a type of its own")
        masked = engine(body, kind or "text/plain")
    shown = "".join(f"{key}: {value}\r\n" for key, value in fields.items() if key in _KEPT)
    if plan.content is not None and plan.content.found(shown) is not None:
        raise Unfit("the head of one of its parts holds a value that is masked")
    return shown.encode() + b"\r\n" + masked


def _fields(head: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        if not line:
            continue
        key, separator, value = line.decode("utf-8", "replace").partition(":")
        if not separator or key.strip().lower() in fields or line[:1] in b" \t":
            raise Unfit("the head of one of its parts is not readable")
        fields[key.strip().lower()] = value.strip()
    return fields


def _name(disposition: str) -> str | None:
    if _EXTENDED.search(_QUOTED.sub('""', disposition)) is not None:
        # RFC 7578 section 4.2 forbids it in forms, and readers differ in which of two names they take.
        raise Unfit("the name of one of its parts is written in a way of its own")
    found = _NAME.search(disposition)
    return None if found is None else (found[1] or found[2] or "")


def _field(body: bytes, name: str, plan: Plan, tally: Tally) -> bytes:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Unfit("one of its fields is not UTF-8") from None
    (member,) = mask_documents([{name: text}], plan, tally)
    value = next(iter(member.values()), None) if isinstance(member, dict) else None
    return b"" if value is None else str(value).encode()
