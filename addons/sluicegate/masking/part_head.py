"""The head of a part of a multipart body (RFC 7578, RFC 2183): strictly read, since readers differ in what they make of
a head that is not written as it has to be, and one that sees another name sees a masked value.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sluicegate.masking.json_body import Unfit
from sluicegate.masking.names import normal
from sluicegate.masking.rules import Plan

_KEPT = ("content-type", "content-disposition", "content-id", "content-transfer-encoding")
_PLAIN = ("", "7bit", "8bit", "binary")
_SAID = ("name", "filename", "filename*")
"""What is left of a disposition."""
_PARAMETER = re.compile(r'[ \t]*;[ \t]*([^\s;="]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^\s;"]*)')
_END = re.compile(r"[ \t]*;?[ \t]*\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
"""Signs at which some readers end a line, or a text."""
_UNREADABLE = "the head of one of its parts is not readable"
_NO_BOUNDARY = "its parts have no boundary, or several"
_OWN_WAY = "the name of one of its parts is written in a way of its own"


class Head(NamedTuple):
    """What is said of a part."""

    kind: str
    """Its type as it is written; empty where none is."""
    name: str | None
    file: bool
    """Whether it is a file: then it is of a type, also where none is written."""
    shown: str
    """What leaves of it."""


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """What stands before the first semicolon, and the parameters behind it, each as it is written. Raises Unfit."""
    first, _, _ = value.partition(";")
    position, found = len(first), dict[str, str]()
    while (met := _PARAMETER.match(value, position)) is not None:
        key, position = met[1].lower(), met.end()
        if key in found:
            raise Unfit(_UNREADABLE)
        found[key] = met[2]
    if _END.match(value, position) is None:
        raise Unfit(_UNREADABLE)
    return first.strip(), found


def delimiter(content_type: str) -> bytes:
    """What stands at the beginning of the line before each part. Raises Unfit where the type does not say it once."""
    try:
        _, found = parameters(content_type)
    except Unfit:
        raise Unfit(_NO_BOUNDARY) from None
    said = [key for key in found if key.partition("*")[0] == "boundary"]
    boundary = found["boundary"].removeprefix('"').removesuffix('"') if said == ["boundary"] else ""
    if not 0 < len(boundary) <= 70 or "\\" in boundary or boundary.endswith(" "):
        raise Unfit(_NO_BOUNDARY)
    return b"--" + boundary.encode("ascii", "replace")


def read(head: bytes, plan: Plan) -> Head:
    """The head, without the blank line behind it. Raises Unfit."""
    fields = _fields(head)
    if fields.get("content-transfer-encoding", "").lower() not in _PLAIN:
        raise Unfit("one of its parts is encoded for mail")
    kind, disposition = fields.get("content-type", ""), fields.get("content-disposition", "")
    if any(normal(key) in plan.columns for key in parameters(kind)[1]):
        raise Unfit("the head of one of its parts has a parameter with the name of a masked column")
    form, said = parameters(disposition)
    if disposition:
        kept = [f"{key}={said[key]}" for key in said if key in _SAID]
        fields["content-disposition"] = "; ".join([form, *kept])
    if any('\\"' in raw for raw in said.values()):  # some readers take that quote for the last one
        raise Unfit(_UNREADABLE)
    shown = "".join(f"{key}: {value}\r\n" for key, value in fields.items() if key in _KEPT)
    if plan.content is not None and plan.content.found(shown) is not None:
        raise Unfit("the head of one of its parts holds a value that is masked")
    return Head(kind, _name(said), "filename" in said or "filename*" in said, shown)


def _fields(head: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        if not line:
            continue
        text = line.decode("utf-8", "replace")
        key, separator, value = text.partition(":")
        if not separator or key.strip().lower() in fields or text[:1] in " \t" or _CONTROL.search(text) is not None:
            raise Unfit(_UNREADABLE)
        fields[key.strip().lower()] = value.strip()
    return fields


def _name(said: dict[str, str]) -> str | None:
    if any(key.startswith("name*") for key in said):
        # RFC 7578 section 4.2 forbids it in forms, and readers differ in which of two names they take.
        raise Unfit(_OWN_WAY)
    raw = said.get("name")
    if raw is None:
        return None
    name = raw[1:-1] if raw.startswith('"') else raw
    if "\\" in name or "=?" in name:  # a sign that is escaped (RFC 822), or a word that is encoded (RFC 2047)
        raise Unfit(_OWN_WAY)
    return name
