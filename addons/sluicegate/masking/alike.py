"""Objects that are all written alike, masked in their text: only what stands in a masked column is touched.

The first row says which bytes stand between values. RE2 then reads the rows that are written in exactly this way, and
every value in them is a plain one; so each key is spelt in one way only, stands once in each row, and whether a quote
opens or closes a string is certain: `"ssn":` is that key, and nothing else can be. Whatever is not so is left to the
walk over the decoded document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import re2

from sluicegate.masking.grammar import ANY, BYTES, PLAIN
from sluicegate.masking.hit import Hit
from sluicegate.masking.json_body import parse, serialise, serialise_each
from sluicegate.masking.methods import Masker
from sluicegate.masking.rules import State

LEAST = 16 << 10
"""Bytes of text below which decoding costs less than a look at how the rows are written."""

_BLOCK = 128 << 10
_WIDE = 128
_LONG = 16 << 10

_SPACE = rb"[ \t\r\n]*"
# Keys that begin with a sign of JSON's own could be mistaken for what stands between two strings.
_MEMBER = re.compile(
    rb'((?:\{|%s,)%s"([^"\\\x00-\x20,:{}\[\]][^"\\\x00-\x1f]*)"(%s:%s))'
    rb'(?:"(?:[^"\\\x00-\x1f]|\\.)*+"|-?[0-9][0-9.eE+-]*+|true|false|null)' % ((_SPACE,) * 4)
)
_CLOSE = re.compile(rb"%s\}" % _SPACE)
ELEMENTS = re.compile(rb"%s,%s(?=\{)" % (_SPACE, _SPACE))
"""What stands between two elements of an array."""
LINES = re.compile(rb"\r?\n(?=\{)")
"""What stands between two lines."""


class Layout(NamedTuple):
    """How rows are written."""

    keys: tuple[str, ...]
    head: bytes
    """What stands before the first value of a row, from its bracket on."""
    glue: tuple[bytes, ...]
    """What stands before each value but the first."""
    close: bytes
    """What stands behind the last value of a row, up to its bracket."""
    between: bytes
    """What stands between two rows."""
    sign: bytes
    """What each of `head` and `glue` ends with: the quote that closes the key, and the colon."""

    @property
    def turn(self) -> bytes:
        """What stands between the last value of a row and the first of the next one."""
        return self.close + self.between + self.head

    @property
    def compact(self) -> bool:
        """Whether no blanks stand between signs."""
        signs = self.sign == b'":' and self.close == b"}" and self.between == b"," and self.head.startswith(b'{"')
        return signs and all(glue.startswith(b',"') for glue in self.glue)


class Masked(NamedTuple):
    """The masked text of rows in pieces, where they end in the original, and how many they are."""

    pieces: list[bytes]
    end: int
    rows: int
    counts: dict[Hit, int]


class _Owed(NamedTuple):
    """A column that owes a mask: its place, the text that all its values get or None, and the mask."""

    place: int
    constant: bytes | None
    apply: Masker
    hit: Hit


def layout(data: bytes, start: int, between: re.Pattern[bytes]) -> tuple[Layout, bytes] | None:
    """How the row is written that begins at `start`, and its text. None where that cannot be told easily, or where no
    other row follows that begins in the same way.
    """
    glue: list[bytes] = []
    names: list[bytes] = []
    position = start
    sign = b""
    while (member := _MEMBER.match(data, position)) is not None:
        position = member.end()
        if len(glue) >= _WIDE or position - start > _LONG or (glue and member[3] != sign):
            return None
        if (member[1][:1] == b"{") != (not glue):
            return None
        glue.append(member[1])
        names.append(member[2])
        sign = member[3]
    close = _CLOSE.match(data, position)
    follows = between.match(data, close.end()) if close is not None else None
    if close is None or follows is None or not glue or not data.startswith(glue[0], follows.end()):
        return None
    if len(set(names)) < len(names):
        return None
    try:
        keys = tuple(name.decode() for name in names)
    except UnicodeDecodeError:
        return None
    found = Layout(keys, glue[0], tuple(glue[1:]), close.group(), follows.group(), b'"' + sign)
    return found, data[start : close.end()]


def mask(data: bytes, start: int, found: Layout, state: State) -> Masked | None:
    """Masks the rows from `start` on, as long as they are written like the first. None where the walk has to do it.

    `state` is that of the masks at each row. Raises Forbidden as methods do.
    """
    shape = state.shapes.get(found.keys) or state.shape(found.keys)
    if shape is None or shape.dropped:
        return None
    places = {key: place for place, key in enumerate(found.keys)}
    owed = []
    for key, apply, hit in shape.masked:
        constant = serialise(shape.constants[key]) if key in shape.constants else None
        owed.append(_Owed(places[key], constant, apply, hit))
    owed.sort(key=lambda one: one.place)
    free = tuple(place not in {one.place for one in owed} for place in range(len(found.keys)))
    whole = _pattern(found, free).match(data, start)
    if whole is None:
        return None
    out: list[bytes] = [found.head]
    total = 0
    work = _worker(found, owed)
    for block in _blocks(data, start, whole.end(), found):
        try:
            block.isascii() or block.decode()
        except UnicodeDecodeError:
            return None
        done = work(block)
        if done is None:
            return None
        out.append(done[0])
        total += done[1]
    out[-1] = out[-1].removesuffix(found.turn)
    out.append(found.close)
    return Masked(out, whole.end(), total, {one.hit: total for one in owed})


def _blocks(data: bytes, start: int, end: int, found: Layout) -> Iterable[bytes]:
    """The rows without the first head, in pieces that end with the head of the next row; the last one as well."""
    turn = found.turn
    position = start + len(found.head)
    while (cut := data.find(turn, position + _BLOCK, end)) >= 0:
        cut += len(turn)
        yield data[position:cut]
        position = cut
    yield data[position : end - len(found.close)] + turn


_Worker = Callable[[bytes], tuple[bytes, int] | None]
"""Masks a block, and says how many rows it has. None where that cannot be told."""


def _worker(found: Layout, owed: list[_Owed]) -> _Worker:
    if not owed:
        return lambda block: (block, block.count(found.turn))
    if owed[0].place > 0 and all(one.constant is not None for one in owed):
        beside = groupby(enumerate(owed), key=lambda pair: pair[1].place - pair[0])
        groups = [_Group.of(found, [one for _, one in group]) for _, group in beside]
        if len(groups) == 1:
            return _neighbours(groups[0])
        if len(groups) == 2:
            return _two(groups[0], groups[1])
    return _columns(found, owed)


class _Group(NamedTuple):
    """Columns side by side that all get constants."""

    before: bytes
    """What stands before the first of them."""
    put: bytes
    """That, and what is put up to the end of the last of them."""
    behind: bytes
    """What stands behind the last of them."""

    @classmethod
    def of(cls, found: Layout, owed: list[_Owed]) -> _Group:
        """The group of these columns."""
        inner = [found.glue[one.place - 1] + (one.constant or b"") for one in owed]
        behind = (*found.glue, found.turn)[owed[-1].place]
        return cls(found.glue[owed[0].place - 1], b"".join(inner), behind)


def _two(one: _Group, other: _Group) -> _Worker:
    """Two groups, each cut out of every row."""
    before, put, behind = one
    second, inner, rest = other
    skip = len(second)

    def cut(piece: bytes) -> bytes:
        start = piece.find(behind)
        end = piece.find(second, start)
        return piece[start:end] + inner + piece[piece.find(rest, end + skip) :]

    def work(block: bytes) -> tuple[bytes, int]:
        front, *pieces = block.split(before)
        return put.join([front, *map(cut, pieces)]), len(pieces)

    return work


def _neighbours(group: _Group) -> _Worker:
    """One cut before the first column, and one behind the last."""
    before, put, behind = group

    def work(block: bytes) -> tuple[bytes, int]:
        pieces = block.split(before)  # a key with what is around it stands once in each row, and nowhere else
        front = pieces[0]
        pieces = [piece[piece.find(behind) :] for piece in pieces]
        pieces[0] = front
        return put.join(pieces), len(pieces) - 1

    return work


def _columns(found: Layout, owed: list[_Owed]) -> _Worker:
    """Any columns: the text is cut behind each key, so that every piece is a value and the next key."""
    sign, width = found.sign, len(found.keys)
    tails = [glue.removesuffix(sign) for glue in (*found.glue, found.turn)]

    def work(block: bytes) -> tuple[bytes, int] | None:
        rows = block.count(found.turn)
        pieces = block.split(sign)
        end = rows * width
        if len(pieces) != end + 1:
            return None  # a string has the sign in it
        for place, constant, apply, _ in owed:
            tail = tails[place]
            if constant is not None:
                pieces[place:end:width] = [constant + tail] * rows
                continue
            values = _values([piece[: -len(tail)] for piece in pieces[place:end:width]])
            if values is None:
                return None
            pieces[place:end:width] = [text + tail for text in serialise_each(apply(values))]
        return sign.join(pieces), rows

    return work


def _values(texts: list[bytes]) -> list[Any] | None:
    values = parse(b"[" + b",".join(texts) + b"]")
    return values if len(values) == len(texts) else None


@lru_cache(maxsize=16)
def _pattern(found: Layout, free: tuple[bool, ...]) -> Any:
    """One row, and all that follow in the same way; `free` says of which columns the values leave as they are."""
    parts = zip((found.head, *found.glue), free, strict=True)
    row = b"".join(_literal(before) + (PLAIN if plain else ANY) for before, plain in parts) + _literal(found.close)
    return re2.compile(rb"%s(?:%s%s)*" % (row, _literal(found.between), row), BYTES)


def _literal(text: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in text)
