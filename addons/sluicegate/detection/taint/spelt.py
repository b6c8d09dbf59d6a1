"""Texts that somebody cut up or spelt out, put together again: guesses, texts beside the one that they are made of."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

_RUN = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_PART = re.compile(r"[A-Za-z0-9+_-]{8,}")
_VALUE = re.compile(r"(?:^|[?&;\n])[^=&;\n]{1,100}=([^&;\n]+)")
_SPACED = re.compile(r"(?<![^\s])\S([ \-_.,;:|])(?:\S\1){6,}\S(?!\S)")
_AT = re.compile(r"(?<=\w)[\W_]{1,2}at[\W_]{1,2}(?=\w)", re.IGNORECASE)
_DOT = re.compile(r"(?<=\w)[\W_]{1,2}dot[\W_]{1,2}(?=\w)", re.IGNORECASE)
_PACKED = re.compile("H4sI|UEsDB|QlpoO|/Td6W|KLUv|eJ[wyxz]|eN[oprq]|eAE")
"""How packed files begin, in base64."""
_LEAVES = 20_000
_OFTEN, _SHORT = 3, 8


def spelt(text: str) -> list[str]:
    """The text with words that were spelt out letter by letter, and addresses that were spelt out."""
    found = []
    if _SPACED.search(text):
        found.append(_SPACED.sub(lambda match: match.group()[::2], text))
    plain = _DOT.sub(".", _AT.sub("@", text))
    if plain != text:
        found.append(plain)
    return found


def pieced(text: str) -> Iterator[str]:
    """What the pieces of a text may be together: its long words, the values of its pairs, the texts of its JSON."""
    together = [_joined(_RUN.findall(text)), _joined(_PART.findall(text)), _joined(_VALUE.findall(text))]
    if text[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            lists = list(_lists(orjson.loads(text.encode("utf-8", "surrogatepass"))))
            together += [_joined([one for several in lists for one in several]), "\n".join(map("".join, lists))]
    for one in dict.fromkeys(together):
        if one:
            yield one
            # Other words may stand before the first piece.
            begins = _PACKED.search(one.replace("-", "+").replace("_", "/"), 1)
            if begins is not None:
                yield one[begins.start() :]


def _joined(pieces: list[str]) -> str:
    """All pieces as one; what comes again and again beside them (a date, a level) is none."""
    if len(pieces) < 2:
        return ""
    often = Counter(pieces)
    return "".join(piece for piece in pieces if often[piece] < _OFTEN or len(piece) < _SHORT)


def _lists(document: Any) -> Iterator[list[str]]:
    """The texts in each list and object of a JSON document, in their order."""
    todo, met = [document], 0
    while todo and met < _LEAVES:
        one = todo.pop()
        members = list(one.values()) if isinstance(one, dict) else one if isinstance(one, list) else [one]
        met += len(members)
        texts = [member for member in members if isinstance(member, str)]
        if texts:
            yield texts
        todo += reversed([member for member in members if isinstance(member, dict | list)])
