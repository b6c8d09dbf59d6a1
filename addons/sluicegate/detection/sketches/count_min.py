"""How often each of many keys was met, never too low and seldom too high (Cormode and Muthukrishnan, 2005)."""

from __future__ import annotations

import sys
from array import array

WIDTH = 1024
ROWS = 4
_MOST = 65_535
_HALVED = int.from_bytes((b"\x7f\xff" if sys.byteorder == "big" else b"\xff\x7f") * (WIDTH * ROWS), sys.byteorder)


class CountMin:
    """Four rows of 1,024 counters of 16 bits: 8 KB. Keys are numbers of 64 bits that are spread already."""

    __slots__ = ("_cells",)

    def __init__(self, packed: bytes = b"") -> None:
        """From what `packed` gave; what has another size counts as nothing."""
        whole = len(packed) == WIDTH * ROWS * 2
        self._cells = array("H", packed if whole else bytes(WIDTH * ROWS * 2))

    def add(self, key: int) -> int:
        """Count a key once more, and say how often it was counted now. Only the lowest counters rise."""
        cells = self._cells
        a, b = key & 1023, 1024 | (key >> 10 & 1023)
        c, d = 2048 | (key >> 20 & 1023), 3072 | (key >> 30 & 1023)
        count = min(cells[a], cells[b], cells[c], cells[d])
        if count < _MOST:
            after = count + 1
            for place in (a, b, c, d):
                if cells[place] == count:
                    cells[place] = after
            return after
        return count

    def halve(self) -> None:
        """Forget half: what was long ago counts for less."""
        halved = int.from_bytes(self._cells.tobytes(), sys.byteorder) >> 1 & _HALVED
        self._cells = array("H", halved.to_bytes(WIDTH * ROWS * 2, sys.byteorder))

    @property
    def packed(self) -> bytes:
        """Its bytes."""
        return self._cells.tobytes()
