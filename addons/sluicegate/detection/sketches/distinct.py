"""How many different keys were met (HyperLogLog, Flajolet and others, 2007): within about 3 in 100."""

from __future__ import annotations

import math
from collections.abc import Iterable

BITS = 10
SIZE = 1 << BITS
_ALPHA = 0.7213 / (1 + 1.079 / SIZE)
_SPARSE = 256


class Distinct:
    """1,024 registers. While few are set they are kept as a table, which is smaller and as exact."""

    __slots__ = ("_dense", "_few", "_sum", "_zeros")

    def __init__(self, packed: bytes = b"") -> None:
        """From what `packed` gave; what has another size counts as nothing."""
        self._few: dict[int, int] = {}
        self._dense: bytearray | None = None
        if len(packed) == SIZE:
            self._dense = bytearray(packed)
        elif len(packed) % 3 == 0 and len(packed) <= _SPARSE * 3:
            for at in range(0, len(packed), 3):
                place = int.from_bytes(packed[at : at + 2], "big")
                if place < SIZE:
                    self._few[place] = packed[at + 2]
        ranks = list(self._dense if self._dense is not None else self._few.values())
        self._zeros = SIZE - len(self._few) if self._dense is None else self._dense.count(0)
        self._sum = sum(2.0**-rank for rank in ranks) + (self._zeros if self._dense is None else 0)

    def add(self, key: int) -> bool:
        """Meet a key (64 bits, spread already). True where that was news, so that it may be a new one."""
        place = key & SIZE - 1
        rest = key >> BITS & 0x3F_FFFF_FFFF_FFFF
        rank = 55 - rest.bit_length()
        before = self._few.get(place, 0) if self._dense is None else self._dense[place]
        if rank <= before:
            return False
        self._sum += 2.0**-rank - 2.0**-before
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

    def merge(self, others: Iterable[Distinct]) -> Distinct:
        """A new one that has met what this and the others have."""
        registers = bytearray(self.registers)
        for other in others:
            registers = bytearray(map(max, registers, other.registers))
        return Distinct(bytes(registers))

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
