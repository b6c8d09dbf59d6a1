"""The journal: appends to the recordings from one thread, many records to one write and one sync (group commit).

An append is acknowledged when its record is on the disk ("strict": in the write-ahead file, with each batch) or written
("group", synced soon after). Records that arrive while a batch is written go into the next one together. An error of
the disk is final for the segment: whatever waits fails, and so does everything after it until a new segment could be
opened and written.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from sluicegate.clock import Clock
from sluicegate.recording.ahead import Ahead, Written, recover
from sluicegate.recording.ledger.entry import Fields
from sluicegate.recording.ledger.log import Item, Ledger
from sluicegate.recording.room import Room
from sluicegate.recording.segment import FILE_KINDS, TAIL, FileKind, Segment

logger = logging.getLogger(__name__)

Durability = Literal["strict", "group"]
MAX_WAITING_BYTES = 256 << 20
"""What may wait for a disk that has stopped answering; more is refused at once instead of filling the memory."""


GATHER_SECONDS = 0.002
"""How long a batch is gathered while several exchanges are under way. Each hand-over between threads costs more than a
record does, so that fewer and larger batches let more exchanges through; one exchange alone never waits for it."""
HEARTBEAT_SECONDS = 60.0
"""How often the ledger says that the recorder is there, so that an empty stretch is told from one that was cut out."""
_CLOSE_SECONDS = 30.0
_NOTHING: Fields = {}


class RecorderDown(Exception):
    """The record could not be kept. Whatever it is about must not go on."""


class Place(NamedTuple):
    """Where a record is: the file, relative to the folder of recordings, and the offset in bytes."""

    file: str
    offset: int


_NOWHERE = Place("", 0)


class _Entry(NamedTuple):
    kind: FileKind | None
    """The file that the record goes into; None for what stands in the ledger alone."""
    record: bytes
    what: str
    fields: Fields
    loop: asyncio.AbstractEventLoop | None = None
    done: asyncio.Future[Place] | None = None


class Journal:
    """The recordings of one process. `append` may be called from any running event loop."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        ledger: Ledger | None = None,
        durability: Durability = "strict",
        sync_seconds: float = 1.0,
        segment_bytes: int = 64 << 20,
        segment_seconds: float = 3600.0,
        reserve_bytes: int = 0,
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._ledger = ledger
        self._strict = durability == "strict"
        self._sync_seconds = sync_seconds
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self._room = Room(folder, reserve_bytes) if reserve_bytes else None
        self._segment: Segment | None = None
        self._ahead: Ahead | None = None
        self._sync_due: float | None = None
        self._gate = threading.Lock()
        """Held while an entry is put in, so that none slips in behind the close."""
        self._fresh: list[_Entry] = []
        """What was put in during this turn of the loop. The thread is woken once, when the turn is over: woken earlier,
        it would only fight for the interpreter with whoever puts in the next."""
        self._waiting: queue.SimpleQueue[list[_Entry]] = queue.SimpleQueue()
        """What waits for the thread; an empty list only wakes it."""
        self._waiting_bytes = 0
        self._closing = True
        self._siblings = False
        self._tails: list[str] = []
        """Tails of segments that are closed or given up, until the ledger's tiles are on the disk."""
        self._debris: list[Callable[[], None]] = []
        self._down_since: float | None = None
        self._refused = 0
        self._heartbeat = 0.0
        self._thread: threading.Thread | None = None

    def keep_ledger(self, ledger: Ledger) -> None:
        """Enter everything into a ledger, from `open` on."""
        self._ledger = ledger

    def open(self) -> None:
        """Make the folder and the first segment, and start writing. Blocks. Raises OSError, Fault (the ledger).

        What an earlier recorder's files lost in a power cut is put back first.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        restored = recover(self.folder)
        if restored:
            logger.warning("%d records were put back that their files had lost", restored)
        self._down_since, self._refused = None, 0
        first = self._ledger.open() if self._ledger is not None else []
        try:
            segment = self._begin(self._clock.now())
            if self._ledger is not None:
                self._write(segment, [_alone(item.kind, item.fields) for item in first])
                self._ledger.opened()
        except BaseException:
            self._broken(None)
            if self._ledger is not None:
                self._ledger.close()
            raise
        self._heartbeat = time.monotonic() + HEARTBEAT_SECONDS
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def append(
        self, kind: FileKind | None, record: bytes, what: str = "record", fields: Fields = _NOTHING
    ) -> asyncio.Future[Place]:
        """A future that has the place of the record once it is acknowledged, or RecorderDown.

        `what` and `fields` are for the record's entry in the ledger. Without a `kind` there is only that entry.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Place] = loop.create_future()
        with self._gate:
            if self._closing:
                done.set_exception(RecorderDown("the recorder is not open"))
            elif self._waiting_bytes and self._waiting_bytes + len(record) > MAX_WAITING_BYTES:
                done.set_exception(RecorderDown("the disk does not keep up"))
            else:
                self._waiting_bytes += len(record)
                if not self._fresh:
                    loop.call_soon(self._hand_over)
                self._fresh.append(_Entry(kind, record, what, fields, loop, done))
        return done

    def _hand_over(self) -> None:
        with self._gate:
            if self._fresh:
                self._waiting.put(self._fresh)
                self._fresh = []

    def close(self) -> None:
        """Write and sync what waits, close the segment. Blocks; may be called twice."""
        with self._gate:
            self._closing = True
        self._hand_over()
        self._waiting.put([])
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)
            if self._thread.is_alive():
                logger.error("the disk does not answer; the recorder is left behind")
            self._thread = None

    def _run(self) -> None:
        try:
            while True:
                batch, closing = self._next()
                if batch:
                    self._commit(batch)
                self._sync_if_due(now=closing)
                self._publish_if_due()
                if closing and not batch:
                    break
            if self._ledger is not None:
                self._commit([_alone("gateway.stop", {"run": self._ledger.run})])
            if self._segment is not None:
                self._guarded(self._end)
        finally:
            # Should the thread end for any other reason, nobody may wait for it, nor trust it again.
            with self._gate:
                self._closing = True
            self._hand_over()
            _deliver([(entry, RecorderDown("the recorder has ended")) for entry in self._drain()])
            if self._ledger is not None:
                self._ledger.close()

    def _next(self) -> tuple[list[_Entry], bool]:
        """What waits, or nothing once something else is due or the journal closes."""
        closing = self._closing
        first: list[_Entry] = []
        if not closing:
            with suppress(queue.Empty):
                first = self._taken(self._waiting.get(timeout=self._time_left()))
            if self._siblings and first and not self._closing:
                time.sleep(GATHER_SECONDS)
            closing = self._closing
        batch = first + self._drain()
        self._siblings = len(batch) > 1
        if self._ledger is not None and not closing and time.monotonic() >= self._heartbeat:
            batch.append(_alone("heartbeat", {"run": self._ledger.run}))
        return batch, closing

    def _time_left(self) -> float | None:
        """Seconds until there is something to do without anybody asking for it."""
        now = time.monotonic()
        due = [self._sync_due]
        if self._ledger is not None:
            due += [self._heartbeat, self._ledger.due(now) if self._sync_due is None else None]
        times = [at for at in due if at is not None]
        return max(0.0, min(times) - now) if times else None

    def _commit(self, batch: list[_Entry]) -> None:
        try:
            if self._room is not None and any(entry.done is not None for entry in batch):
                self._room.check()
            segment = self._current()
            if self._down_since is not None:
                batch = [self._gap(), *batch]
            places = self._write(segment, batch)
        except Exception as error:  # whatever it is, nothing of this batch is known to be kept
            self._broken(error)
            down = RecorderDown(f"the recording could not be written: {_text(error)}")
            failed = batch + self._drain()
            self._refused += len([entry for entry in failed if entry.done is not None])
            _deliver([(entry, down) for entry in failed])
        else:
            if self._ledger is not None:
                self._heartbeat = time.monotonic() + HEARTBEAT_SECONDS
            self._down_since, self._refused = None, 0
            _deliver(list(zip(batch, places, strict=True)))

    def _write(self, segment: Segment, batch: list[_Entry]) -> list[Place]:
        """Write a batch and, where that is promised, have it on the disk. Raises OSError and other things."""
        places = [_NOWHERE] * len(batch)
        written: list[Written] = []
        for kind in FILE_KINDS:
            chosen = [(i, entry.record) for i, entry in enumerate(batch) if entry.kind == kind]
            if chosen:
                name, offsets = segment.write(kind, [record for _, record in chosen])
                for (i, record), at in zip(chosen, offsets, strict=True):
                    places[i] = Place(name, at)
                    written.append(Written(name, at, record))
        if self._ledger is not None:
            items = [
                Item(entry.what, entry.fields, *place, entry.record if entry.kind is not None else None)
                for entry, place in zip(batch, places, strict=True)
            ]
            lines = self._ledger.stage(self._clock.now(), items)
            name, (at,) = segment.write(TAIL, [lines])
            written.append(Written(name, at, lines))
        if self._strict:
            self._make_durable(segment, written)
        elif self._sync_due is None:
            self._sync_due = time.monotonic() + self._sync_seconds
        segment.keep()
        if self._ledger is not None:
            self._ledger.commit()
        return places

    def _make_durable(self, segment: Segment, written: list[Written]) -> None:
        if self._ahead is None or not self._ahead.append(written):
            segment.sync()  # every other segment was synced when it was closed
            if self._ahead is not None:
                self._ahead.reset()

    def _current(self) -> Segment:
        """The open segment, or a new one when there is none or its time is over."""
        now, segment = self._clock.now(), self._segment
        if segment is not None:
            # A clock that was set back ends the segment too, or it would stay open until the clock has caught up.
            fresh = 0 <= now - segment.opened < self._segment_seconds
            if segment.size < self._segment_bytes and fresh:
                return segment
            self._end()
        return self._begin(now)

    def _begin(self, now: float) -> Segment:
        self._clear_debris()
        if self._strict and self._ahead is None:
            self._ahead = Ahead.create(self.folder)
        kinds = FILE_KINDS if self._ledger is None else (*FILE_KINDS, TAIL)
        self._segment = Segment.create(self.folder, now, kinds)
        return self._segment

    def _end(self) -> None:
        """Close the segment. What is ahead of it is needed no more then, and goes when the journal closes."""
        if self._segment is not None:
            self._tails += self._segment.names(TAIL)
            self._segment.close()
        self._segment, self._sync_due = None, None
        if self._ledger is not None:
            self._ledger.publish(time.monotonic())
            self._ledger.settle(self._tails, wait=self._closing)
            self._tails = []
        if self._ahead is not None:
            self._ahead.reset()
            if self._closing:
                self._ahead.close(remove=True)
                self._ahead = None

    def _sync_if_due(self, *, now: bool) -> None:
        if self._sync_due is None or self._segment is None or (not now and time.monotonic() < self._sync_due):
            return
        self._sync_due = None
        self._guarded(self._segment.sync)

    def _publish_if_due(self) -> None:
        """Sign what is on the disk: in "strict" that is all of it, in "group" what the last sync has put there."""
        if self._ledger is None or self._segment is None or self._sync_due is not None:
            return
        ledger, now = self._ledger, time.monotonic()
        due = ledger.due(now)
        if due is not None and due <= now:
            self._guarded(lambda: ledger.publish(now))

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            self._broken(error)

    def _gap(self) -> _Entry:
        since = int((self._down_since or 0.0) * 1_000_000)
        return _alone("gap", {"since": since, "refused": self._refused})

    def _broken(self, error: Exception | None) -> None:
        if error is not None:
            logger.error("the recorder is down until the disk takes a new file: %s", _text(error))
        if self._down_since is None:
            self._down_since = self._clock.now()
        segment, self._segment, self._sync_due = self._segment, None, None
        if self._ledger is not None:
            self._ledger.discard()
        # What was acknowledged may be ahead alone: the next start puts it back.
        self._debris += [part.give_up for part in (self._ahead,) if part is not None]
        self._ahead = None
        if segment is not None:
            self._tails += segment.names(TAIL)
            self._debris.append(segment.abandon)
        with suppress(OSError):
            self._clear_debris()

    def _clear_debris(self) -> None:
        """Cut off what was not acknowledged. Nothing new is taken before that is done, or a batch that failed could
        come back, at the next start, in the place of one that was acknowledged. Raises OSError."""
        while self._debris:
            self._debris[0]()
            del self._debris[0]

    def _drain(self) -> list[_Entry]:
        """Everything that waits now."""
        found: list[_Entry] = []
        with suppress(queue.Empty):
            while True:
                found += self._waiting.get_nowait()
        return self._taken(found)

    def _taken(self, entries: list[_Entry]) -> list[_Entry]:
        with self._gate:
            self._waiting_bytes -= sum([len(entry.record) for entry in entries])
        return entries


def _text(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _alone(what: str, fields: Fields) -> _Entry:
    """What stands in the ledger alone, and nobody waits for."""
    return _Entry(None, b"", what, fields)


def _deliver(results: list[tuple[_Entry, Place]] | list[tuple[_Entry, RecorderDown]]) -> None:
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
