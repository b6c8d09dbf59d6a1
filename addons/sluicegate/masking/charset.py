"""Texts in other character sets than UTF-8, strictly read and written anew in UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluicegate.masking.json_body import Unfit

if TYPE_CHECKING:
    from sluicegate.masking.records import Records

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
    mark, name = _written(data, charset)
    if not name:
        return None
    try:
        return data[len(mark) :].decode(name).encode()
    except UnicodeError:
        raise Unfit(f"its body is not {name}") from None


def _written(front: bytes, charset: str) -> tuple[bytes, str]:
    """The mark at the front of a text, and what Python calls its character set; empty where it is UTF-8."""
    mark, name = next(((mark, name) for mark, name in _MARKS if front.startswith(mark)), (b"", ""))
    if mark and charset in (*UTF8[:1], *_WIDE):
        if charset and name not in _WIDE[charset]:
            raise Unfit("its byte order mark and its charset do not agree")
        return mark, name
    if charset in UTF8:
        return b"", ""
    if charset in _WIDE:
        return b"", _WIDE[charset][-1]  # without a mark it is big-endian (RFC 2781 section 4.3)
    if charset in _NARROW:
        return b"", _NARROW[charset]
    raise Unfit("its body is text, but not in UTF-8 or another charset that we read")


class Recoded:
    """A text that passes piece by piece, in whatever character set; `records` masks it in UTF-8."""

    def __init__(
        self, records: Records, charset: str, *, keeps_mark: bool, told: Callable[[], None] | None = None
    ) -> None:
        """`keeps_mark`: whether the mark of UTF-8 is a part of what is masked. Others never are. `told` is called where
        the text is in another character set, before the first bytes.
        """
        self._records = records
        self._charset = charset
        self._keeps_mark = keeps_mark
        self._told = told
        self._front: bytes | None = b""
        self._decoder: Any = None

    def feed(self, piece: bytes) -> bytes:
        """The next bytes; what may leave. Raises Unfit."""
        if self._front is None:
            return self._records.feed(self._utf8(piece))
        self._front += piece
        return self._begun(self._front) if len(self._front) >= _LONGEST_MARK else b""

    def end(self) -> bytes:
        """Nothing more comes; the rest. Raises Unfit."""
        out = b"" if self._front is None else self._begun(self._front)
        rest = self._utf8(b"", final=True)
        if rest:
            out += self._records.feed(rest)
        return out + self._records.end()

    def _begun(self, front: bytes) -> bytes:
        self._front = None
        mark, name = _written(front, self._charset)
        if name:
            self._decoder = codecs.getincrementaldecoder(name)("strict")
            if self._told is not None:
                self._told()
        elif not self._keeps_mark:
            front = front.removeprefix(codecs.BOM_UTF8)
        text = self._utf8(front[len(mark) :])
        return self._records.feed(text) if text else b""

    def _utf8(self, data: bytes, *, final: bool = False) -> bytes:
        if self._decoder is None:
            return data
        try:
            return bytes(self._decoder.decode(data, final).encode())
        except UnicodeError:
            raise Unfit("its body is not in the character set that it says") from None


_LONGEST_MARK = 4


def is_read(charset: str) -> bool:
    """Whether we read texts in it."""
    return charset in UTF8 or charset in _WIDE or charset in _NARROW
