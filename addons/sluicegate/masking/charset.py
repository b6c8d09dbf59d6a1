"""Texts in other character sets than UTF-8, strictly read and written anew in UTF-8."""

from __future__ import annotations

import codecs

from sluicegate.masking.json_body import Unfit

UTF8 = ("", "utf-8", "utf8", "us-ascii", "ascii")
"""How UTF-8, or a part of it, is called."""

_WIDE = {
    "utf-16": ("utf-16-le", "utf-16-be"),
    "utf-16le": ("utf-16-le",),
    "utf-16be": ("utf-16-be",),
    "utf-32": ("utf-32-le", "utf-32-be"),
    "utf-32le": ("utf-32-le",),
    "utf-32be": ("utf-32-be",),
}
_MARKS = (  # the marks of UTF-32 begin like those of UTF-16, so they come first
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NARROW = {"iso-8859-1": "iso-8859-1", "latin1": "iso-8859-1", "iso-8859-15": "iso-8859-15", "windows-1252": "cp1252"}


def to_utf8(data: bytes, charset: str) -> bytes | None:
    """The text in UTF-8, or None where it is in UTF-8 already. Raises Unfit where mark and charset do not agree, for
    bytes that are no such text, and for character sets that we do not know.
    """
    marked = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), None)
    if marked is not None and charset in (*UTF8[:1], *_WIDE):
        mark, name = marked
        if charset and name not in _WIDE[charset]:
            raise Unfit("its byte order mark and its charset do not agree")
        return _recoded(data[len(mark) :], name)
    if charset in UTF8:
        return None
    if charset in _WIDE:
        return _recoded(data, _WIDE[charset][-1])  # without a mark it is big-endian (RFC 2781 section 4.3)
    if charset in _NARROW:
        return _recoded(data, _NARROW[charset])
    raise Unfit("its body is text, but not in UTF-8 or another charset that we read")


def _recoded(data: bytes, name: str) -> bytes:
    try:
        return data.decode(name).encode()
    except UnicodeError:
        raise Unfit(f"its body is not {name}") from None
