"""The forward-secure key of the tail: what is not yet under a checkpoint carries a code that only the past could make.

The first key of a run is sealed to the investigators and forgotten. Each batch of entries is tagged with the key of its
epoch, which is the number of the batch in the run (no clock is involved), and the key is then replaced by a hash of
itself. Who takes over the machine finds the key of now, and cannot make the tags of before.
"""

from __future__ import annotations

import hmac
import os
import struct
from typing import Self

KEY_SIZE = 32
_EVOLVE = b"sluicegate tail: next key"
_TAG = b"sluicegate tail: tag"
_NUMBERS = struct.Struct(">QQ")


class Ratchet:
    """A key and its epoch. `tag` uses a key up."""

    def __init__(self, key: bytes, epoch: int = 0) -> None:
        if len(key) != KEY_SIZE:
            raise ValueError("the key of a tail has 32 bytes")
        self.epoch = epoch
        self._key = key

    @classmethod
    def fresh(cls) -> tuple[Self, bytes]:
        """A new ratchet and its first key, to be sealed and forgotten."""
        key = os.urandom(KEY_SIZE)
        return cls(key), key

    def tag(self, size: int, digest: bytes) -> bytes:
        """The code for the batch after which the log has `size` entries; `digest` is over them. Then the next key."""
        code = hmac.digest(self._key, _TAG + _NUMBERS.pack(self.epoch, size) + digest, "sha256")
        self._key = hmac.digest(self._key, _EVOLVE, "sha256")
        self.epoch += 1
        return code

    def skip(self, epoch: int) -> None:
        """Go on to a later epoch. Raises ValueError for an earlier one: there is no way back."""
        if epoch < self.epoch:
            raise ValueError("a key cannot be made younger")
        while self.epoch < epoch:
            self._key = hmac.digest(self._key, _EVOLVE, "sha256")
            self.epoch += 1

    def matches(self, size: int, digest: bytes, code: bytes) -> bool:
        """Whether the code is that of the batch of this epoch; goes on to the next epoch."""
        return hmac.compare_digest(self.tag(size, digest), code)
