"""The tail: entries that are on the disk, and not yet for sure in tiles under a checkpoint.

It is a file of lines beside the recordings that its entries are about. A batch is its entries, one a line, and then a
line that closes it: the run, the size of the log behind the batch, SHA-256 over the hashes of its entries, and the code
of the ratchet where there is one. What no line closes was never acknowledged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from sluicegate.recording.ledger.merkle import leaf_hash

_CLOSING = b'{"batch":'


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it was read. `begin` is the index of its first entry; `end` is where the file goes on behind it."""

    run: str
    begin: int
    entries: tuple[bytes, ...]
    leaves: tuple[bytes, ...]
    digest: bytes
    epoch: int
    tag: str
    end: int

    @property
    def size(self) -> int:
        """The size of the log with it."""
        return self.begin + len(self.entries)


def encode(run: str, size: int, entries: Sequence[bytes], digest: bytes, epoch: int, tag: bytes) -> bytes:
    """The lines of a batch, after which the log has `size` entries."""
    closing = {"run": run, "size": size, "count": len(entries), "sum": digest.hex(), "epoch": epoch, "tag": tag.hex()}
    return b"".join([part for entry in entries for part in (entry, b"\n")]) + b'{"batch":%b}\n' % orjson.dumps(closing)


def digest_of(leaves: Sequence[bytes]) -> bytes:
    """What a batch is summed up by."""
    return hashlib.sha256(b"".join(leaves)).digest()


def parse(data: bytes) -> tuple[list[Batch], str]:
    """The batches that are whole, up to the first that is not, and why it is not (empty: all of the file is whole)."""
    found: list[Batch] = []
    waiting: list[bytes] = []
    at = 0
    for line in data.splitlines(keepends=True):
        at += len(line)
        if not line.endswith(b"\n"):
            return found, "the last line is cut off"
        if not line.startswith(_CLOSING):
            waiting.append(line[:-1])
            continue
        try:
            batch = _closed(orjson.loads(line)["batch"], waiting, at)
        except (ValueError, TypeError, KeyError) as error:
            return found, f"a batch is not right ({error})"
        if found and batch.begin != found[-1].size:
            return found, "batches do not follow each other"
        found.append(batch)
        waiting = []
    return found, "the last batch is not closed" if waiting else ""


def chained(batches: Iterable[Batch]) -> list[Batch]:
    """The batches in the order of the log. Of two that begin alike the later one of the run counts: the disk failed
    under the earlier one, which was acknowledged to nobody."""
    runs: dict[str, list[Batch]] = {}
    for batch in batches:
        runs.setdefault(batch.run, []).append(batch)
    found: list[Batch] = []
    for run in sorted(runs.values(), key=lambda run: min(batch.begin for batch in run)):
        for batch in sorted(run, key=lambda batch: batch.epoch):
            while found and found[-1].begin >= batch.begin:
                found.pop()
            found.append(batch)
    return found


def _closed(fields: dict[str, object], entries: list[bytes], end: int) -> Batch:
    run, size, count, epoch, tag = (fields[name] for name in ("run", "size", "count", "epoch", "tag"))
    if not (isinstance(run, str) and isinstance(size, int) and isinstance(epoch, int) and isinstance(tag, str)):
        raise ValueError("its last line is not right")
    leaves = tuple(leaf_hash(entry) for entry in entries)
    digest = digest_of(leaves)
    if count != len(entries) or size < len(entries) or fields["sum"] != digest.hex():
        raise ValueError("its sum does not fit")
    return Batch(run, size - len(entries), tuple(entries), leaves, digest, epoch, tag, end)
