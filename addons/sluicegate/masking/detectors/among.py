"""Texts among bytes that are no text as a whole: in another character set than UTF-8, or with something around them."""

from __future__ import annotations

import re

_SIGN = rb"[\t\n\r\x20-\x7e]"
_TEXT = re.compile(rb"%s{6,}" % _SIGN)
_WIDE = re.compile(rb"(?:%s\0){6,}|(?:\0%s){6,}" % (_SIGN, _SIGN))
"""In ASCII and in UTF-16; shorter ones are no value that a detector knows."""


def among(data: bytes) -> str:
    """The texts among the bytes, a line each."""
    wide = [found.replace(b"\0", b"") for found in _WIDE.findall(data)]
    return b"\n".join((*_TEXT.findall(data), *wide)).decode("ascii")
