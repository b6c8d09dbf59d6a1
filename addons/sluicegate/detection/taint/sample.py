"""What is learned of a response that passes piece by piece and may have no end: its beginning, and windows further in.

Nothing of it is here as a whole. The first megabytes are learned, then a part that becomes thinner the more there is,
so that what is kept grows with the number of times that a response has doubled.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

WINDOW = 256 << 10
"""Bytes that are learned together."""
DENSE = 8
"""Windows of which none is left out; of twice as many behind them every second, and so on."""
OVERLAP = 8 << 10
"""Bytes of a window that the next one has too, for the row that the border cuts."""
HEAD = 8 << 10


class Sample:
    """Of one response. `take` may be called on any thread, all else on the event loop's."""

    def __init__(self, hand: Callable[[bytes, bytes, bool], None], *, lined: bool = True) -> None:
        """`hand` is given what is to be learned, how the response begins, and whether that is only a piece of it. A
        response that is not `lined` can be read from its beginning alone."""
        self._hand = hand
        self._lined = lined
        self._size = WINDOW if lined else WINDOW * DENSE
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._head = bytearray()
        self._window = bytearray()
        self._filled = self._number = self._fresh = 0
        self._whole = True
        """Whether all that came is in the window."""

    def take(self, piece: bytes) -> None:
        """The next bytes that leave."""
        ready = []
        with self._lock:
            self._head += piece[: HEAD - len(self._head)]
            at = 0
            while at < len(piece):
                part = piece[at : at + self._size - self._filled]
                at += len(part)
                self._filled += len(part)
                if self._wanted():
                    self._window += part
                    self._fresh += len(part)
                if self._filled >= self._size:
                    if self._fresh:
                        ready.append(bytes(self._window))
                    self._next()
            head = bytes(self._head)
        for data in ready:
            self._loop.call_soon_threadsafe(self._hand, data, head, True)

    def flush(self) -> None:
        """Hand over what is here, since somebody is asked about now."""
        with self._lock:
            data, fresh, head = bytes(self._window), self._fresh, bytes(self._head)
            self._fresh = 0
            if fresh and self._lined:
                del self._window[:-OVERLAP]
                self._whole = False
        if fresh:
            self._hand(data, head, True)

    def close(self) -> None:
        """Nothing more leaves: hand over the rest."""
        with self._lock:
            data, fresh, head = bytes(self._window), self._fresh, bytes(self._head)
            self._fresh = 0
        if fresh:
            self._hand(data, head, not self._whole)

    def _wanted(self) -> bool:
        if self._number < DENSE:
            return self._lined or not self._number
        return self._lined and self._number % (1 << (self._number // DENSE).bit_length()) == 0

    def _next(self) -> None:
        kept = self._wanted()
        self._number += 1
        self._filled = self._fresh = 0
        self._whole = False
        self._window = self._window[-OVERLAP:] if kept and self._wanted() else bytearray()
