"""Texts that are encoded once: base64 (also for addresses), hexadecimal, and percent signs."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

import re2

_LEAST = 12
_BASE64 = re2.compile(r"\s*[A-Za-z0-9+/_-]{12,}[A-Za-z0-9+/_\s-]*={0,2}\s*")
_HEX = re2.compile(r"\s*(?:0[xX])?(?:[0-9A-Fa-f]{2}[ :]?){8,}\s*")


def candidates(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The places of texts that are encoded as a whole, with what they say. A text may say several things."""
    for place, text in enumerate(texts):
        if len(text) >= _LEAST and " " not in text and "." not in text and "@" not in text and ":" not in text:
            for inner in decoded(text):
                yield place, inner
        elif "%" in text and (inner := unquote(text)) != text:
            yield place, inner


def decoded(text: str) -> Iterator[str]:
    """What one text may say once it is decoded."""
    if "%" in text and (plain := unquote(text)) != text:
        yield plain
    if _HEX.fullmatch(text) is not None:
        digits = text.strip().removeprefix("0x").removeprefix("0X").replace(":", "")
        yield from _text(bytes.fromhex(digits) if len(digits) % 2 == 0 else b"")
    if _BASE64.fullmatch(text) is not None:
        form = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
        try:
            yield from _text(base64.b64decode(form + "=" * (-len(form) % 4)))
        except (binascii.Error, ValueError):
            return


def _text(data: bytes) -> Iterator[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    if text and (text.isprintable() or text.replace("\n", "").replace("\t", "").replace("\r", "").isprintable()):
        yield text
