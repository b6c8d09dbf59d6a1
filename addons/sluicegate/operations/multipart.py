"""multipart/form-data bodies (RFC 7578), read so strictly that no part can hide behind another.

Every line break is CRLF, every part has one Content-Disposition with a quoted name, and neither a preamble nor an
epilogue nor a transfer encoding is accepted: parsers differ in all of them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sluicegate.operations.view import RequestView, Unreadable

MAX_PARTS = 100
_MEDIA = re.compile(r'multipart/form-data;\s*boundary=("?)([0-9A-Za-z\'()+_,./:=?-]{1,70})\1', re.IGNORECASE)
_DISPOSITION = re.compile(r'form-data; name="([^"\\\r\n]{1,200})"(?:; filename="([^"\\\r\n]{0,400})")?')
_LEAST_BREAK = re.compile(rb"[\r\n]")


class Part(NamedTuple):
    """One field or file of a form."""

    name: str
    filename: str | None
    content: bytes

    @property
    def text(self) -> str:
        """The content of a field. Raises Unreadable when it is not UTF-8."""
        try:
            return self.content.decode()
        except UnicodeDecodeError:
            raise Unreadable(f"the field {self.name[:40]!r} is not UTF-8") from None


def read(view: RequestView) -> list[Part]:
    """The parts in their order. Raises Unreadable."""
    if view.header("content-encoding") is not None:
        raise Unreadable("the form has a content-encoding")
    found = _MEDIA.fullmatch((view.header("content-type") or "").strip(" \t"))
    if found is None:
        raise Unreadable("the body is not multipart/form-data with a plain boundary")
    mark = b"--" + found[2].encode()
    body = view.body
    if not body.startswith(mark + b"\r\n") or not body.endswith((b"\r\n" + mark + b"--\r\n", b"\r\n" + mark + b"--")):
        raise Unreadable("the form does not begin and end with its boundary")
    pieces = body[len(mark) + 2 : body.rindex(b"\r\n" + mark + b"--")].split(b"\r\n" + mark + b"\r\n")
    if len(pieces) > MAX_PARTS:
        raise Unreadable("the form has too many parts")
    return [_part(piece, mark) for piece in pieces]


def _part(piece: bytes, mark: bytes) -> Part:
    head, separator, content = piece.partition(b"\r\n\r\n")
    if not separator:
        raise Unreadable("a part of the form has no header")
    # A boundary after a lone line feed, or with blanks behind it, ends a part for some parsers and not for others.
    if any(_LEAST_BREAK.match(content[place - 1 : place]) for place in _places(content, mark)):
        raise Unreadable("a part of the form has the boundary in it")
    name = filename = None
    for line in head.split(b"\r\n"):
        key, colon, value = line.partition(b":")
        text = value.strip(b" \t").decode("utf-8", "replace")
        match key.lower():
            case b"content-disposition" if name is None:
                found = _DISPOSITION.fullmatch(text)
                if found is None or "\ufffd" in text:
                    raise Unreadable("a part of the form has a Content-Disposition that can be read in two ways")
                name, filename = found[1], found[2]
            case b"content-type" if colon:
                continue
            case b"content-length" if text == str(len(content)):
                continue
            case _:
                raise Unreadable("a part of the form has a header that is not known, or is sent twice")
    if name is None:
        raise Unreadable("a part of the form has no name")
    return Part(name, filename, content)


def _places(content: bytes, mark: bytes) -> list[int]:
    found, place = [], content.find(mark)
    while place >= 0:
        if place == 0:
            raise Unreadable("a part of the form has the boundary in it")
        found.append(place)
        place = content.find(mark, place + 1)
    return found
