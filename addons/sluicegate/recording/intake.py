"""What waits for the recorder: entries put in on event loops, and the futures of whoever waits for them."""

from __future__ import annotations

import asyncio
import queue
import threading
from contextlib import suppress
from typing import NamedTuple

from sluicegate.recording.ledger.entry import Fields
from sluicegate.recording.segment import FileKind

MAX_WAITING_BYTES = 256 << 20
"""What may wait for a disk that has stopped answering; more is refused at once instead of filling the memory."""


class RecorderDown(Exception):
    """The record could not be kept. Whatever it is about must not go on."""


class Place(NamedTuple):
    """Where a record is: the file, relative to the folder of recordings, and the offset in bytes."""

    file: str
    offset: int


NOWHERE = Place("", 0)


class Entry(NamedTuple):
    """One record on its way to the disk."""

    kind: FileKind | None
    """The file that the record goes into; None for what stands in the ledger alone."""
    record: bytes
    what: str
    fields: Fields
    loop: asyncio.AbstractEventLoop | None = None
    done: asyncio.Future[Place] | None = None


def alone(what: str, fields: Fields) -> Entry:
    """What stands in the ledger alone, and nobody waits for."""
    return Entry(None, b"", what, fields)


class Intake:
    """Entries in the order in which they were put in. `put` may be called from any running event loop; all the rest is
    the recorder's thread's, but for `open` and `close`."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        """Held while an entry is put in, so that none slips in behind the close."""
        self._fresh: list[Entry] = []
        """What was put in during this turn of the loop. The thread is woken once, when the turn is over: woken earlier,
        it would only fight for the interpreter with whoever puts in the next."""
        self._waiting: queue.SimpleQueue[list[Entry]] = queue.SimpleQueue()
        """What waits for the thread; an empty list only wakes it."""
        self._waiting_bytes = 0
        self.closed = True

    def open(self) -> None:
        """Take entries from now on."""
        self.closed = False

    def close(self) -> None:
        """Take no more, and wake the thread. May be called twice."""
        with self._gate:
            self.closed = True
        self._hand_over()
        self._waiting.put([])

    def put(self, kind: FileKind | None, record: bytes, what: str, fields: Fields) -> asyncio.Future[Place]:
        """A future that has the place of the record once it is acknowledged, or RecorderDown."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Place] = loop.create_future()
        with self._gate:
            if self.closed:
                done.set_exception(RecorderDown("the recorder is not open"))
            elif self._waiting_bytes and self._waiting_bytes + len(record) > MAX_WAITING_BYTES:
                done.set_exception(RecorderDown("the disk does not keep up"))
            else:
                self._waiting_bytes += len(record)
                if not self._fresh:
                    loop.call_soon(self._hand_over)
                self._fresh.append(Entry(kind, record, what, fields, loop, done))
        return done

    def wait(self, seconds: float | None) -> list[Entry]:
        """What comes first, or nothing after so many seconds or a wake-up."""
        with suppress(queue.Empty):
            return self._taken(self._waiting.get(timeout=seconds))
        return []

    def drain(self) -> list[Entry]:
        """Everything that waits now."""
        found: list[Entry] = []
        with suppress(queue.Empty):
            while True:
                found += self._waiting.get_nowait()
        return self._taken(found)

    def _hand_over(self) -> None:
        with self._gate:
            if self._fresh:
                self._waiting.put(self._fresh)
                self._fresh = []

    def _taken(self, entries: list[Entry]) -> list[Entry]:
        with self._gate:
            self._waiting_bytes -= sum([len(entry.record) for entry in entries])
        return entries


def deliver(results: list[tuple[Entry, Place]] | list[tuple[Entry, RecorderDown]]) -> None:
    """Tell everybody who waits for these entries, each on the loop on which it waits."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Place], Place | RecorderDown]]] = {}
    for entry, result in results:
        if entry.loop is not None and entry.done is not None:
            loops.setdefault(entry.loop, []).append((entry.done, result))
    for loop, outcomes in loops.items():
        try:
            loop.call_soon_threadsafe(_settle, outcomes)
        except RuntimeError:  # the loop has ended, and with it everybody who waited
            continue


def _settle(outcomes: list[tuple[asyncio.Future[Place], Place | RecorderDown]]) -> None:
    for done, result in outcomes:
        if done.done():
            continue  # whoever waited has given up
        if isinstance(result, RecorderDown):
            done.set_exception(RecorderDown(*result.args))
        else:
            done.set_result(result)
