"""Values that come again and again, encoded once."""

from __future__ import annotations

from collections.abc import Callable, Hashable

_SMALL = 4096


class Remembered[K: Hashable]:
    """The encodings of the latest small values; each at most 4 KiB. Used by one thread.

    Unlike `functools.lru_cache` it looks at what came out before it keeps it, since names off the wire have any length.
    A key holds what is encoded and nothing else, so that it is as small. Values of a key that compare equal must be of
    the same type (1, 1.0 and True are equal, and are not written alike).
    """

    def __init__(self, encode: Callable[[K], bytes], count: int = 1024) -> None:
        self._encode = encode
        self._count = count
        self._known: dict[K, bytes] = {}

    def __call__(self, key: K) -> bytes:
        """The encoding of the key. Raises what `encode` raises."""
        found = self._known.get(key)
        if found is None:
            found = self._encode(key)
            if len(found) <= _SMALL:
                if len(self._known) >= self._count:
                    del self._known[next(iter(self._known))]
                self._known[key] = found
        return found
