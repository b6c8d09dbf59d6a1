"""The write-ahead file: what makes a batch of records durable with one small write, whatever files they belong to.

Appending to a file and syncing it makes the file system write its own journal too, and each file of a batch would need
a sync of its own. So a batch goes into this file first: its blocks exist already, and a write past the page cache to
blocks that exist is as fast as the disk. The recordings themselves are written as usual and synced once in a while;
after a power cut, `recover` puts back what they lost. The file holds nothing that is not in the recordings as well.

A frame is a block of whole pages: a header (magic, generation, number, length, CRC-32), then records (kind and place,
then bytes). Frames are valid as long as their generation is that of the first one and their numbers follow each other,
so that what an earlier round left behind is never taken for something new.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

PREFIX = ".ahead-"
SIZE = 1 << 20
"""Bytes of the file: some hundred small batches between two syncs of the recordings."""
LARGEST = 256 << 10
"""Bytes of the largest frame; a batch beyond it is synced where it belongs."""

_PAGE = 4096
_MAGIC = b"SGAHEAD1"
_HEADER = struct.Struct(">8sQQII")  # magic, generation, number, length of the payload, CRC-32 of all but this
_RECORD = struct.Struct(">HQI")  # length of the file's name, offset, length of the bytes
_sync = getattr(os, "fdatasync", os.fsync)
_put = os.pwrite


class Written(NamedTuple):
    """Bytes that were written to a recording: its name below the folder, where in it, and the bytes."""

    name: str
    offset: int
    data: bytes


class Ahead:
    """The write-ahead file of one recorder. Used by one thread. Methods raise OSError; after that it is of no use."""

    def __init__(self, path: Path, descriptor: int, lock: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._lock = lock
        self._buffer = mmap.mmap(-1, LARGEST)  # of whole pages, as direct writes want it
        self._generation = int.from_bytes(os.urandom(8), "big")
        self._number = 0
        self._at = 0

    @classmethod
    def create(cls, folder: Path) -> Self:
        """A new file in the folder, with all its blocks on the disk. Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{PREFIX}{os.urandom(8).hex()}"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # whoever finds it unlocked knows that its owner is gone
            _fill(lock)
            _sync(lock)
            return cls(path, _open_direct(path), lock)
        except BaseException:
            os.close(lock)
            with suppress(OSError):
                path.unlink()
            raise

    def append(self, records: Sequence[Written]) -> bool:
        """Put a batch on the disk. False, and nothing is written, where there is no room: sync, `reset`, try again."""
        payload = b"".join(part for record in records for part in _packed(record))
        length = _HEADER.size + len(payload)
        pages = -(-length // _PAGE) * _PAGE
        if pages > LARGEST or self._at + pages > SIZE:
            return False
        head = _HEADER.pack(_MAGIC, self._generation, self._number, len(payload), 0)
        crc = zlib.crc32(payload, zlib.crc32(head))
        self._buffer[:length] = _HEADER.pack(_MAGIC, self._generation, self._number, len(payload), crc) + payload
        with memoryview(self._buffer) as view:
            done = 0
            while done < pages:
                count = _put(self._descriptor, view[done:pages], self._at + done)
                if count % _PAGE and done + count < pages:
                    raise OSError(errno.EIO, "a page was torn")
                done += count
        self._at += pages
        self._number += 1
        return True

    def reset(self) -> None:
        """Begin anew: everything in it is on the disk where it belongs."""
        self._generation = (self._generation + 1) % (1 << 64)
        self._number = self._at = 0

    def give_up(self) -> None:
        """Let go of the file after an error, with what was acknowledged in it and nothing else: a batch that failed may
        be there all the same, and must not come back. Raises OSError; may be tried again."""
        os.ftruncate(self._lock, self._at)
        _sync(self._lock)
        self.close(remove=False)

    def close(self, *, remove: bool) -> None:
        """Let go of the file; `remove` it where everything in it is on the disk where it belongs."""
        if remove:
            with suppress(OSError):
                self.path.unlink()
        for descriptor in (self._descriptor, self._lock):
            with suppress(OSError):
                os.close(descriptor)


def recover(folder: Path) -> int:
    """Put back what recordings lost, from write-ahead files whose recorder is gone; how many records that were.

    Raises OSError. What cannot be read behind a torn frame was never acknowledged.
    """
    restored = 0
    for path in sorted(folder.glob(f"{PREFIX}*")):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            continue  # its recorder is at work
        try:
            restored += _restore(folder, list(frames(path.read_bytes())))
            path.unlink()
        finally:
            os.close(descriptor)
    return restored


def frames(data: bytes) -> Iterator[Written]:
    """The records in a write-ahead file, up to the first frame that is not whole or not of this round."""
    at, generation, expected = 0, None, 0
    while at + _HEADER.size <= len(data):
        magic, this, number, length, crc = _HEADER.unpack_from(data, at)
        payload = data[at + _HEADER.size : at + _HEADER.size + length]
        head = _HEADER.pack(magic, this, number, length, 0)
        if magic != _MAGIC or len(payload) != length or zlib.crc32(payload, zlib.crc32(head)) != crc:
            return
        if number != expected or (generation is not None and this != generation):
            return
        generation, expected = this, number + 1
        yield from _unpacked(payload)
        at += -(-(_HEADER.size + length) // _PAGE) * _PAGE


def _restore(folder: Path, records: list[Written]) -> int:
    restored = 0
    opened: dict[str, int] = {}
    try:
        for record in records:
            if record.name not in opened:
                try:
                    opened[record.name] = os.open(folder / record.name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
                except FileNotFoundError:
                    continue  # it was durable before its first record was, so somebody has taken it away since
            file = opened[record.name]
            if os.pread(file, len(record.data), record.offset) == record.data:
                continue
            rest, at = memoryview(record.data), record.offset
            while rest:
                count = os.pwrite(file, rest, at)
                rest, at = rest[count:], at + count
            restored += 1
        for file in opened.values():
            _sync(file)
    finally:
        for file in opened.values():
            os.close(file)
    return restored


def _packed(record: Written) -> tuple[bytes, bytes, bytes]:
    name = record.name.encode()
    return _RECORD.pack(len(name), record.offset, len(record.data)), name, record.data


def _unpacked(payload: bytes) -> Iterator[Written]:
    at = 0
    while at < len(payload):
        name_length, offset, length = _RECORD.unpack_from(payload, at)
        at += _RECORD.size
        name = payload[at : at + name_length].decode()
        at += name_length
        yield Written(name, offset, payload[at : at + length])
        at += length


def _fill(descriptor: int) -> None:
    # Written out, not only reserved: the first write to a reserved block makes the file system note that.
    rest = memoryview(bytes(SIZE))
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _open_direct(path: Path) -> int:
    flags = os.O_WRONLY | os.O_DSYNC | os.O_CLOEXEC | os.O_NOFOLLOW
    direct = getattr(os, "O_DIRECT", 0)
    if direct:
        try:
            descriptor = os.open(path, flags | direct)
        except OSError:  # file systems such as tmpfs have no direct writes
            return os.open(path, flags)
        with mmap.mmap(-1, _PAGE) as page:
            try:
                os.pwrite(descriptor, page, 0)  # some say yes when it is opened, and no when it is written
            except OSError:
                os.close(descriptor)
                return os.open(path, flags)
        return descriptor
    return os.open(path, flags)
