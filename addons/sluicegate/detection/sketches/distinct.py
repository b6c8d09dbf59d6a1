"""How many different keys were met (HyperLogLog, Flajolet and others, 2007): within about 3 in 100."""

from __future__ import annotations

import math
from collections.abc import Iterable

BITS = 10
SIZE = 1 << BITS
_ALPHA = 0.7213 / (1 + 1.079 / SIZE)
_SPARSE = 256
_RANKS = bytes(range(64))
_POWERS = [2.0**-rank for rank in range(64)]
_HIGH = int.from_bytes(b"\x80" * SIZE, "big")


class Distinct:
    """1,024 registers. While few are set they are kept as a table, which is smaller and as exact."""

    __slots__ = ("_dense", "_few", "_sum", "_zeros")

    def __init__(self, packed: bytes = b"") -> None:
        """From what `packed` gave; what has another size counts as nothing."""
        self._few: dict[int, int] = {}
        self._dense: bytearray | None = None
        if len(packed) == SIZE and not packed.translate(None, _RANKS):
            self._dense = bytearray(packed)
            self._zeros = self._dense.count(0)
            self._sum = _weight(self._dense)
            return
        if len(packed) % 3 == 0 and len(packed) <= _SPARSE * 3:
            for at in range(0, len(packed), 3):
                place = int.from_bytes(packed[at : at + 2], "big")
                if place < SIZE and packed[at + 2] < len(_RANKS):
                    self._few[place] = packed[at + 2]
        self._zeros = SIZE - len(self._few)
        self._sum = sum([2.0**-rank for rank in self._few.values()]) + self._zeros

    def add(self, key: int) -> bool:
        """Meet a key (64 bits, spread already). True where that was news, so that it may be a new one."""
        place = key & SIZE - 1
        rest = key >> BITS & 0x3F_FFFF_FFFF_FFFF
        rank = 55 - rest.bit_length()
        before = self._few.get(place, 0) if self._dense is None else self._dense[place]
        if rank <= before:
            return False
        self._sum += _POWERS[rank] - _POWERS[before]
        if before == 0:
            self._zeros -= 1
        if self._dense is not None:
            self._dense[place] = rank
            return True
        self._few[place] = rank
        if len(self._few) > _SPARSE:
            self._dense = bytearray(SIZE)
            for index, value in self._few.items():
                self._dense[index] = value
            self._few = {}
        return True

    def add_all(self, keys: Iterable[int]) -> None:
        """Meet many: without a call for each."""
        few, dense = self._few, self._dense
        for key in keys:
            rank = 55 - (key >> BITS & 0x3F_FFFF_FFFF_FFFF).bit_length()
            place = key & SIZE - 1
            if rank > (few.get(place, 0) if dense is None else dense[place]):
                self.add(key)
                few, dense = self._few, self._dense

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
        if self._zeros:
            linear = SIZE * math.log(SIZE / self._zeros)
            if linear <= 2.5 * SIZE:
                return linear
        return _ALPHA * SIZE * SIZE / self._sum


def _weight(registers: bytearray) -> float:
    """The sum of 2^-rank. Counted by ranks, of which few occur."""
    total, left, rank = 0.0, SIZE, 0
    while left and rank < 256:
        count = registers.count(rank)
        total += count * 2.0**-rank
        left -= count
        rank += 1
    return total
