"""Whether a thing was ever met (a Bloom filter): a no is certain, a yes nearly."""

from __future__ import annotations

BITS = 4096
FULL = 2048
"""Bits that are set when one new thing in sixteen would be taken for known. Then it begins anew: who meets very many
things, by accident or so that another will not be noticed, has them all for new again."""


class Seen:
    """512 bytes; with 300 things in it, one new thing in 1,000 is taken for known."""

    __slots__ = ("_bits", "begun")

    def __init__(self, packed: bytes = b"") -> None:
        """From what `packed` gave."""
        self.begun = 0
        """How often it began anew, since it is here: what was met before may be new again then."""
        self._bits = int.from_bytes(packed[: BITS // 8], "little")

    def add(self, key: int) -> bool:
        """Meet a thing (64 bits, spread already). True where it is new."""
        mask = 1 << (key & 4095) | 1 << (key >> 12 & 4095) | 1 << (key >> 24 & 4095) | 1 << (key >> 36 & 4095)
        new = self._bits & mask != mask
        if new:
            if self._bits.bit_count() < FULL:
                self._bits |= mask
            else:
                self._bits, self.begun = mask, self.begun + 1
        return new

    def __contains__(self, key: int) -> bool:
        mask = 1 << (key & 4095) | 1 << (key >> 12 & 4095) | 1 << (key >> 24 & 4095) | 1 << (key >> 36 & 4095)
        return self._bits & mask == mask

    @property
    def packed(self) -> bytes:
        """Its bytes."""
        return self._bits.to_bytes(BITS // 8, "little")
