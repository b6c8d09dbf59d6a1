"""What is masked while it passes, format by format: each takes bytes as they come and gives those that may leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from sluicegate.exchange import Exposure
from sluicegate.masking.event_stream import NeighbouringEvents, mask_events
from sluicegate.masking.json_body import Unfit
from sluicegate.masking.lines import encode_lines, encode_sequence, mask_apart, walk_apart
from sluicegate.masking.neighbours import Neighbours
from sluicegate.masking.rules import Plan
from sluicegate.masking.tally import Tally

LONGEST = 4 << 20
"""Bytes that one record may have."""
FIRST = 16 << 10
"""Bytes of a body that are not all of it, after which it is taken apart."""

_MARK = b"\xef\xbb\xbf"
_MARKS = (_MARK, b"\xff", b"\xfe", b"\0", b"\x1e")
"""How texts begin that have a byte order mark, or separators before their records."""
_SEPARATOR = b"\x1e"
_FIRSTS = frozenset(mark[:1] for mark in _MARKS)
_BLANK = (b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n")


class Records(Protocol):
    """One body. Both raise Unfit, and after that nothing more may leave."""

    def feed(self, piece: bytes) -> bytes:
        """The next bytes; what may leave."""

    def end(self) -> bytes:
        """Nothing more comes; the rest."""


Kind = Literal["lines", "events", "sequence"]
"""JSON texts that end with a line, server-sent events, and JSON texts that begin with a separator (RFC 7464)."""


class Lines:
    """JSON texts one behind the other: each is masked when it is whole."""

    def __init__(self, plan: Plan, tally: Tally, kind: Kind) -> None:
        self._plan = plan
        self._tally = tally
        self._kind = kind
        self._rest = bytearray()
        self._begun = False
        self._neighbours: Neighbours | None = None
        self._looked_events: NeighbouringEvents | None = None
        if plan.content is not None and kind == "events":
            self._looked_events = NeighbouringEvents(plan, plan.content, tally)
        elif plan.content is not None:
            self._neighbours = Neighbours(plan.content, tally.counts)

    def feed(self, piece: bytes) -> bytes:
        """The next bytes; the records that end in them."""
        if not self._begun and (piece[:1] != _SEPARATOR if self._kind == "sequence" else piece[:1] in _FIRSTS):
            raise Unfit("it does not begin as its type says, and passes piece by piece")
        self._begun = True
        before = len(self._rest)
        self._rest += piece
        end = self._cut(before)
        if len(self._rest) - end > LONGEST:
            raise Unfit("one of its records is too long")
        block = bytes(self._rest[:end])
        del self._rest[:end]
        return self._masked(block) if block else b""

    def end(self) -> bytes:
        """The last record, where nothing stands behind it."""
        block = bytes(self._rest)
        self._rest.clear()
        out = self._masked(block) if block else b""
        if self._looked_events is not None:
            return out + self._looked_events.end()
        return out if self._neighbours is None else out + self._written(self._neighbours.end())

    def _masked(self, block: bytes) -> bytes:
        if self._looked_events is not None:
            return self._looked_events.mask(block)
        if self._neighbours is None and self._kind == "events":
            return mask_events(block, self._plan, self._tally)
        if self._neighbours is None and self._kind == "lines":
            return mask_apart(block, self._plan, self._tally)
        documents = walk_apart(block, self._plan, self._tally)
        if self._neighbours is not None and self._plan.root is None:
            documents = self._neighbours.take(documents)
        return self._written(documents)

    def _written(self, documents: list[Any]) -> bytes:
        return encode_sequence(documents) if self._kind == "sequence" else encode_lines(documents)

    def _cut(self, before: int) -> int:
        """Where the last whole record ends."""
        if self._kind == "sequence":
            return max(0, self._rest.rfind(_SEPARATOR, max(1, before)))
        if self._kind == "lines":
            return self._rest.rfind(b"\n", before) + 1
        start = max(0, before - 3)
        return max(at + len(blank) if (at := self._rest.rfind(blank, start)) >= 0 else 0 for blank in _BLANK)


class Opened:
    """A body that is taken apart once so much of it is here; one that is shorter is masked as a whole."""

    def __init__(
        self,
        whole: Callable[[bytes], tuple[bytes, Exposure]],
        made: Callable[[], Records],
        tally: Tally,
        *,
        marks: bool = True,
    ) -> None:
        """`whole` masks all of a body; `made` makes what masks a longer one. `marks`: whether it is a text, which may
        begin with the mark of UTF-8 and with no other.
        """
        self._whole = whole
        self._made = made
        self._tally = tally
        self._marks = marks
        self._held = bytearray()
        self._records: Records | None = None

    def feed(self, piece: bytes) -> bytes:
        """The next bytes; what may leave."""
        if self._records is not None:
            return self._records.feed(piece)
        self._held += piece
        if len(self._held) < FIRST:
            return b""
        held = bytes(self._held)
        self._held.clear()
        if self._marks and held[:1] in (mark[:1] for mark in _MARKS) and not held.startswith(_MARK):
            raise Unfit("it is not in UTF-8, or begins with a mark")
        self._records = self._made()
        return self._records.feed(held)

    def end(self) -> bytes:
        """Nothing more comes; the rest, or all of it."""
        if self._records is not None:
            return self._records.end()
        held = bytes(self._held)
        self._held.clear()
        if not held:
            return b""
        masked, exposure = self._whole(held)
        self._tally.include(exposure)
        return masked
