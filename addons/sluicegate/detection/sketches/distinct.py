"""How many different keys were met (HyperLogLog, Flajolet and others, 2007): within about 3 in 100."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

BITS = 10
SIZE = 1 << BITS
_ALPHA = 0.7213 / (1 + 1.079 / SIZE)
_SPARSE = 256
_LINEAR = 900
"""So many registers that are set need no sum: 1,024 of them are 2.5 times as many keys when 939 are."""
_RANKS = bytes(range(64))
_POWERS = [2.0**-rank for rank in range(64)]
_REST = 0x3F_FFFF_FFFF_FFFF
"""Bits of a key that are behind those of its place."""
_HIGH = int.from_bytes(b"\x80" * SIZE, "big")


class Distinct:
    """1,024 registers. While few are set they are kept as a table, which is smaller and as exact."""

    __slots__ = ("_dense", "_estimate", "_few", "_sum", "_zeros")

    def __init__(self, packed: bytes = b"") -> None:
        """From what `packed` gave; what has another size counts as nothing."""
        self._few: dict[int, int] = {}
        self._dense: bytearray | None = None
        self._estimate: float | None = None
        """The estimate, while nothing new is met: it is asked for far more often than it changes."""
        if not packed:
            return
        if len(packed) == SIZE and not packed.translate(None, _RANKS):
            self._spread(bytearray(packed))
            return
        if len(packed) % 3 == 0 and len(packed) <= _SPARSE * 3:
            for at in range(0, len(packed), 3):
                place = int.from_bytes(packed[at : at + 2], "big")
                if place < SIZE and packed[at + 2] < len(_RANKS):
                    self._few[place] = packed[at + 2]

    def _spread(self, dense: bytearray) -> None:
        self._dense, self._few = dense, {}
        self._zeros = dense.count(0)
        self._sum: float | None = None
        """The sum of 2^-rank, once so many registers are set that it is asked for."""

    def add(self, key: int) -> bool:
        """Meet a key (64 bits, spread already). True where that was news, so that it may be a new one."""
        place = key & SIZE - 1
        rank = 55 - (key >> BITS & _REST).bit_length()
        dense = self._dense
        if dense is None:
            few = self._few
            if rank <= few.get(place, 0):
                return False
            few[place] = rank
            if len(few) > _SPARSE:
                self._spread(bytearray(self.registers))
        else:
            before = dense[place]
            if rank <= before:
                return False
            dense[place] = rank
            if self._sum is not None:
                self._sum += _POWERS[rank] - _POWERS[before]
            if before == 0:
                self._zeros -= 1
        self._estimate = None
        return True

    def add_all(self, keys: Iterable[int]) -> None:
        """Meet many: without a call for each."""
        if self._dense is not None:
            for key in keys:
                self.add(key)
            return
        few = self._few
        known = few.get
        for key in keys:
            place = key & SIZE - 1
            rank = 55 - (key >> BITS & _REST).bit_length()
            if rank > known(place, 0):
                few[place] = rank
                self._estimate = None
        if len(few) > _SPARSE:
            self._spread(bytearray(self.registers))

    def merge(self, others: Iterable[Distinct]) -> Distinct:
        """A new one that has met what this and the others have."""
        most = int.from_bytes(self.registers, "big")
        for other in others:
            one = int.from_bytes(other.registers, "big")
            # The larger of each two bytes, all at once: where the subtraction borrows no high bit, it is the first.
            larger = (((most | _HIGH) - one) & _HIGH) >> 7
            mask = (larger << 8) - larger
            most = (most & mask) | (one & ~mask)
        return Distinct(most.to_bytes(SIZE, "big"))

    @property
    def registers(self) -> bytes:
        """All registers, one byte each."""
        if self._dense is not None:
            return bytes(self._dense)
        found = bytearray(SIZE)
        for place, rank in self._few.items():
            found[place] = rank
        return bytes(found)

    @property
    def packed(self) -> bytes:
        """Its bytes: 3 for each register that is set while they are few, else all."""
        if self._dense is not None:
            return bytes(self._dense)
        return b"".join(place.to_bytes(2, "big") + bytes((rank,)) for place, rank in sorted(self._few.items()))

    def __len__(self) -> int:
        return round(self.estimate)

    @property
    def estimate(self) -> float:
        """How many different keys, about."""
        if self._estimate is None:
            self._estimate = self._estimated()
        return self._estimate

    def _estimated(self) -> float:
        zeros = SIZE - len(self._few) if self._dense is None else self._zeros
        if zeros:
            linear = SIZE * math.log(SIZE / zeros)
            if linear <= 2.5 * SIZE or self._dense is None:
                return linear
        if self._sum is None:
            self._sum = _weight(self._dense or bytearray(self.registers))
        return _ALPHA * SIZE * SIZE / self._sum


def together(parts: Sequence[Distinct]) -> float:
    """How many different keys several have met together: the estimate of the first one merged with the others.

    Where all of them are small, which registers are set is enough: what is in them need not be put together.
    """
    if not parts:
        return 0.0
    tables = [one._few for one in parts if one._dense is None]
    if len(tables) < len(parts) or sum(map(len, tables)) > _LINEAR:
        return parts[0].merge(parts[1:]).estimate
    zeros = SIZE - len(set[int]().union(*tables))
    return SIZE * math.log(SIZE / zeros)


def _weight(registers: bytearray) -> float:
    """The sum of 2^-rank. Counted by ranks, of which few occur."""
    total, left, rank = 0.0, SIZE, 0
    while left and rank < 256:
        count = registers.count(rank)
        total += count * 2.0**-rank
        left -= count
        rank += 1
    return total
