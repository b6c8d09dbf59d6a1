"""What has been read, by text, language and defaults: a statement that comes again is answered without reading it."""

from __future__ import annotations

from collections import OrderedDict
from sys import getsizeof
from typing import NamedTuple

from sluicegate.exchange import Operation
from sluicegate.operations.dialect import Known
from sluicegate.operations.sql.reading import Read

MAX_BYTES = 32 << 20
"""Memory that everything together may take, by the estimate of `weight`."""

Key = tuple[object, ...]


class _Kept(NamedTuple):
    known: Known
    read: Read
    weight: int


class Cache:
    """The most recently used statements. Used by one thread alone."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self.bytes = 0
        """What is kept, by the estimate."""

    def get(self, key: Key, known: Known) -> Read | None:
        """What was read, under the same policy: a new policy makes a new `known`."""
        kept = self._kept.get(key)
        if kept is None or kept.known is not known:
            return None
        self._kept.move_to_end(key)
        return kept.read

    def put(self, key: Key, known: Known, read: Read) -> None:
        """Keep it, and let go of what was not used for longest."""
        old = self._kept.pop(key, None)
        if old is not None:
            self.bytes -= old.weight
        size = weight(key, read)
        if size > self._max_bytes >> 1:
            return
        self._kept[key] = _Kept(known, read, size)
        self.bytes += size
        while self.bytes > self._max_bytes:
            _, gone = self._kept.popitem(last=False)
            self.bytes -= gone.weight

    def __len__(self) -> int:
        return len(self._kept)


def weight(key: Key, read: Read) -> int:
    """About how many bytes it takes."""
    texts = sum(getsizeof(part) for part in key if isinstance(part, str)) + getsizeof(read.regenerated)
    texts += sum(getsizeof(name) + getsizeof(text) for name, text in read.prepares.items())
    operations = (read.operation, *read.operation.parts)
    return 1000 + texts + sum(map(_weight, operations))


def _weight(operation: Operation) -> int:
    outputs = operation.outputs or ()
    pairs = sum(len(output.origins or ()) for output in outputs)
    names = len(operation.columns) + len(operation.predicates) + len(operation.statements)
    return 800 + getsizeof(operation.opaque) + 100 * names + 450 * len(outputs) + 150 * pairs
