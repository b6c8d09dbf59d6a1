"""Where a JSON value ends in bytes of which the rest has not come yet. It finds borders; the strict parser reads.

JSON is read from left to right, so a border is certain where the parser takes what stands before it: a wrong guess
costs time and lets nothing through.
"""

from __future__ import annotations

import re

_PARTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["{}\[\]]', re.DOTALL)
_PLAIN = re.compile(rb"[^\s,:{}\[\]\"]++")
_LETTERS = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_BLANK = re.compile(rb"[ \t\r\n]*+")
_FRONT = re.compile(rb'\{[ \t\r\n]*+"[^"\\]*+(?:\\.[^"\\]*+)*+"[ \t\r\n]*+:|["{\[]', re.DOTALL)
_LONG = 256
_MISSES = 4


def blank(data: bytearray, at: int) -> int:
    """Where the blanks end that begin at a place."""
    found = _BLANK.match(data, at)
    return at if found is None else found.end()


class Ends:
    """Finds the end of the value at a place, and remembers how far it looked when the end was not there yet."""

    def __init__(self) -> None:
        self._at = 0
        self._depth = 0
        self._start = -1
        self._text = -1
        """Where the text begins whose end was not there yet."""
        self._looked = 0
        """How far it was looked for."""

    def moved(self, count: int) -> None:
        """So many bytes were taken away at the front."""
        self._start -= count
        self._at -= count
        self._text -= count
        self._looked -= count

    def end(self, data: bytearray, start: int) -> int | None:
        """Where the value ends that begins at `start`; None where the rest of it has not come.

        What is no value at all ends at once, at `start` or behind one byte: the parser says what is wrong with it.
        """
        if data[start] not in b"{[":
            return self._plain(data, start)
        if self._start != start:
            self._start, self._at, self._depth = start, start, 0
        depth = self._depth
        if self._text >= 0 and self._text == self._at:
            end = self._text_end(data, self._at)
            if end is None:
                return None
            self._at = end
        for part in _PARTS.finditer(data, self._at):
            sign = part[0]
            if sign in (b"{", b"["):
                depth += 1
            elif sign in (b"}", b"]"):
                depth -= 1
                if not depth:
                    self._start = -1
                    return part.end()
            elif len(sign) == 1:  # a text whose end has not come
                self._at, self._depth = part.start(), depth
                self._text_end(data, part.start())
                return None
        self._at, self._depth = len(data), depth
        return None

    def _plain(self, data: bytearray, start: int) -> int | None:
        if data[start] == ord('"'):
            return self._text_end(data, start)
        word = _PLAIN.match(data, start)
        if word is None:
            return start
        return word.end() if word.end() < len(data) else None  # there may be more digits

    def _text_end(self, data: bytearray, start: int) -> int | None:
        """Where the text ends that begins at `start`. None of it is looked through a second time."""
        if self._text != start:
            self._text, self._looked = start, start + 1
        letters = _LETTERS.match(data, self._looked)
        at = self._looked if letters is None else letters.end()
        if data[at : at + 1] == b'"':
            self._text = -1
            return at + 1
        self._looked = at
        return None


class Border:
    """What stands between two elements of an array, which is likely to stand there again."""

    __slots__ = ("_behind", "_missed", "_signs")

    def __init__(self, data: bytearray, end: int, start: int) -> None:
        """`end` is where the first of two elements ends, `start` where the second begins. Rows are told by the key that
        the second of them begins with.
        """
        found = _FRONT.match(data, start)
        plain = found is None or data[end - 1] not in b'}]"'
        signs = data[end:start] if found is None or plain else data[end - 1 : found.end()]
        self._behind = 0 if plain else 1
        self._missed = _MISSES if len(signs) > _LONG else 0
        self._signs = bytes(signs)

    def last(self, data: bytearray, start: int) -> int | None:
        """Where the last element is likely to end that is here as a whole, and has another one behind it."""
        if self._missed >= _MISSES:
            return None
        place = data.rfind(self._signs, start)
        return None if place < start else place + self._behind

    def missed(self) -> None:
        """It was not the end of one."""
        self._missed += 1
