"""Plain text: no column has a name in it, so only what detectors find can be masked; owed columns mean a refusal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluicegate.masking.detectors.secrets import before_keys
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.methods import REDACTED
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

if TYPE_CHECKING:
    from sluicegate.masking.content import Content

LONGEST = 4 << 20
"""Characters of a line, or of a private key, that wait for their end where a text passes piece by piece."""

_PIECE = 4096
_LINES = re.compile(r"[^\n]{1,4096}\n?|\n")


def mask_text(plain: bytes, plan: Plan, tally: Tally, *, piece: bool = True) -> bytes:
    """The masked text. Raises Unfit. `piece`: it may be one of a larger text, and be cut at both ends."""
    try:
        text = plain.decode()
    except UnicodeDecodeError:
        raise Unfit("its body is not UTF-8") from None
    return "".join(mask_strings([text], plan, tally, piece=piece)).encode()


def mask_rows_as_text(plain: bytes, plan: Plan, tally: Tally) -> bytes:
    """The masked text of rows, which are never cut. Raises Unfit."""
    return mask_text(plain, plan, tally, piece=False)


def mask_strings(texts: Sequence[str], plan: Plan, tally: Tally, *, piece: bool = False) -> list[str]:
    """Texts without names. Raises Unfit where columns or paths are owed, since nobody can tell where they are."""
    if plan.columns or plan.paths or plan.content is None:
        raise Unfit("it is text, and nothing says where in it the columns are")
    return [_masked(text, plan, tally, piece) for text in texts]


def _masked(text: str, plan: Plan, tally: Tally, piece: bool) -> str:
    content = plan.content
    if content is None:
        return text
    text = content.blocks(text, tally.counts, first=piece)
    pieces: list[str] = _LINES.findall(text)
    _look_across(pieces, content, tally)
    return _looked(pieces, content, tally, first=piece, last=piece)


def _look_across(pieces: list[str], content: Content, tally: Tally) -> None:
    for place in content.cut(pieces):
        pieces[place], pieces[place + 1] = content.across(pieces[place], pieces[place + 1], tally.counts)


def _looked(pieces: list[str], content: Content, tally: Tally, *, first: bool = False, last: bool = False) -> str:
    """The masked text. `first` and `last`: what may be parts of values at its ends goes too."""
    final = len(pieces) - 1
    ends = (lambda place: (first and place == 0, last and place == final)) if first or last else None
    made = content.texts(pieces, "text", tally.counts, ends=ends) if ends else content.texts(pieces, "", tally.counts)
    return "".join(REDACTED if piece is None else str(piece) for piece in (pieces if made is None else made))


class TextPassing:
    """Text that passes line by line. The last line waits for the next, and a private key for its end."""

    def __init__(self, content: Content, tally: Tally, *, piece: bool) -> None:
        """`piece`: it may be one of a larger text, and be cut at both ends."""
        self._content = content
        self._piece = self._first = piece
        self._tally = tally
        self._rest = bytearray()
        self._lines = ""
        self._searched = 0
        self._held: list[str] = []

    def feed(self, piece: bytes) -> bytes:
        """The next bytes; what may leave. Raises Unfit."""
        before = len(self._rest)
        self._rest += piece
        end = self._rest.rfind(b"\n", before) + 1
        self._lines += self._decoded(end)
        ready = len(self._lines)
        if self._content.looks_for("private-key"):
            ready, self._searched = before_keys(self._lines, self._searched)
        if len(self._rest) > LONGEST or len(self._lines) - ready > LONGEST:
            raise Unfit("one of its lines, or a private key in it, is too long")
        text, self._lines = self._lines[:ready], self._lines[ready:]
        return self._masked(text) if text else b""

    def end(self) -> bytes:
        """Nothing more comes; the rest."""
        text = self._lines + self._decoded(len(self._rest))
        self._lines = ""
        masked = self._masked(text) if text else b""
        held, self._held = self._held, []
        return masked + _looked(held, self._content, self._tally, first=self._first, last=self._piece).encode()

    def _decoded(self, end: int) -> str:
        try:
            text = self._rest[:end].decode()
        except UnicodeDecodeError:
            raise Unfit("its body is not UTF-8") from None
        del self._rest[:end]
        return text

    def _masked(self, text: str) -> bytes:
        first = self._first and not self._held
        pieces = [*self._held, *_LINES.findall(self._content.blocks(text, self._tally.counts, first=first))]
        _look_across(pieces, self._content, self._tally)
        self._held = pieces[-1:]
        if len(pieces) < 2:
            return b""
        first, self._first = self._first, False
        return _looked(pieces[:-1], self._content, self._tally, first=first).encode()
