"""The journal: appends to the recordings from one thread, many records to one write and one sync (group commit).

An append is acknowledged when its record is on the disk ("strict": in the write-ahead file, with each batch) or written
("group", synced soon after). Records that arrive while a batch is written go into the next one together. An error of
the disk is final for the segment: whatever waits fails, and so does everything after it until a new segment could be
opened and written.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from sluicegate.clock import Clock
from sluicegate.recording.ahead import Written, recover
from sluicegate.recording.files import Files
from sluicegate.recording.intake import NOWHERE, Entry, Intake, Place, RecorderDown, alone, deliver
from sluicegate.recording.ledger.entry import Fields
from sluicegate.recording.ledger.log import Item, Ledger
from sluicegate.recording.room import Room
from sluicegate.recording.segment import FILE_KINDS, TAIL, FileKind, Segment

__all__ = ["Durability", "Journal", "Place", "RecorderDown"]

logger = logging.getLogger(__name__)

Durability = Literal["strict", "group"]
GATHER_SECONDS = 0.002
"""How long a batch is gathered while several exchanges are under way. Each hand-over between threads costs more than a
record does, so that fewer and larger batches let more exchanges through; one exchange alone never waits for it."""
HEARTBEAT_SECONDS = 60.0
"""How often the ledger says that the recorder is there, so that an empty stretch is told from one that was cut out."""
_CLOSE_SECONDS = 30.0
_NOTHING: Fields = {}


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
        self._room = Room(folder, reserve_bytes) if reserve_bytes else None
        self._intake = Intake()
        self._files = Files(folder, strict=self._strict, segment_bytes=segment_bytes, segment_seconds=segment_seconds)
        self._sync_due: float | None = None
        self._siblings = False
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
        self._files.ledger = self._ledger is not None
        first = self._ledger.open() if self._ledger is not None else []
        try:
            segment = self._files.begin(self._clock.now())
            if self._ledger is not None:
                self._write(segment, [alone(item.kind, item.fields) for item in first])
                self._ledger.opened()
        except BaseException:
            self._broken(None)
            if self._ledger is not None:
                self._ledger.close()
            raise
        self._heartbeat = time.monotonic() + HEARTBEAT_SECONDS
        self._intake.open()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def append(
        self, kind: FileKind | None, record: bytes, what: str = "record", fields: Fields = _NOTHING
    ) -> asyncio.Future[Place]:
        """A future that has the place of the record once it is acknowledged, or RecorderDown.

        `what` and `fields` are for the record's entry in the ledger. Without a `kind` there is only that entry.
        """
        return self._intake.put(kind, record, what, fields)

    def close(self) -> None:
        """Write and sync what waits, close the segment. Blocks; may be called twice."""
        self._intake.close()
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
                self._commit([alone("gateway.stop", {"run": self._ledger.run})])
            if self._files.segment is not None:
                self._guarded(self._end)
        finally:
            # Should the thread end for any other reason, nobody may wait for it, nor trust it again.
            self._intake.close()
            deliver([(entry, RecorderDown("the recorder has ended")) for entry in self._intake.drain()])
            if self._ledger is not None:
                self._ledger.close()

    def _next(self) -> tuple[list[Entry], bool]:
        """What waits, or nothing once something else is due or the journal closes."""
        closing = self._intake.closed
        first: list[Entry] = []
        if not closing:
            first = self._intake.wait(self._time_left())
            if self._siblings and first and not self._intake.closed:
                time.sleep(GATHER_SECONDS)
            closing = self._intake.closed
        batch = first + self._intake.drain()
        self._siblings = len(batch) > 1
        if self._ledger is not None and not closing and time.monotonic() >= self._heartbeat:
            batch.append(alone("heartbeat", {"run": self._ledger.run}))
        return batch, closing

    def _time_left(self) -> float | None:
        """Seconds until there is something to do without anybody asking for it."""
        now = time.monotonic()
        due = [self._sync_due]
        if self._ledger is not None:
            due += [self._heartbeat, self._ledger.due(now) if self._sync_due is None else None]
        times = [at for at in due if at is not None]
        return max(0.0, min(times) - now) if times else None

    def _commit(self, batch: list[Entry]) -> None:
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
            failed = batch + self._intake.drain()
            self._refused += len([entry for entry in failed if entry.done is not None])
            deliver([(entry, down) for entry in failed])
        else:
            if self._ledger is not None:
                self._heartbeat = time.monotonic() + HEARTBEAT_SECONDS
            self._down_since, self._refused = None, 0
            deliver(list(zip(batch, places, strict=True)))

    def _write(self, segment: Segment, batch: list[Entry]) -> list[Place]:
        """Write a batch and, where that is promised, have it on the disk. Raises OSError and other things."""
        places = [NOWHERE] * len(batch)
        written: list[Written] = []
        for kind in FILE_KINDS:
            chosen = [i for i, entry in enumerate(batch) if entry.kind == kind]
            if chosen:
                found = self._files.write(segment, kind, [batch[i].record for i in chosen])
                for i, one in zip(chosen, found, strict=True):
                    places[i] = Place(one.name, one.offset)
                written += found
        if self._ledger is not None:
            items = [
                Item(entry.what, entry.fields, *place, entry.record if entry.kind is not None else None)
                for entry, place in zip(batch, places, strict=True)
            ]
            written += self._files.write(segment, TAIL, [self._ledger.stage(self._clock.now(), items)])
        if self._strict:
            self._files.make_durable(segment, written)
        elif self._sync_due is None:
            self._sync_due = time.monotonic() + self._sync_seconds
        segment.keep()
        if self._ledger is not None:
            self._ledger.commit()
        return places

    def _current(self) -> Segment:
        """The open segment, or a new one when there is none or its time is over."""
        now, segment = self._clock.now(), self._files.segment
        if segment is not None and self._files.has_room(now):
            return segment
        if segment is not None:
            self._end()
        return self._files.begin(now)

    def _end(self) -> None:
        """Close the segment. What is ahead of it is needed no more then, and goes when the journal closes."""
        self._files.close_segment()
        self._sync_due = None
        last = self._intake.closed
        if self._ledger is not None:
            self._ledger.publish(time.monotonic())
            self._ledger.settle(self._files.tails, wait=last)
            self._files.tails = []
        self._files.reset_ahead(last=last)

    def _sync_if_due(self, *, now: bool) -> None:
        segment = self._files.segment
        if self._sync_due is None or segment is None or (not now and time.monotonic() < self._sync_due):
            return
        self._sync_due = None
        self._guarded(segment.sync)

    def _publish_if_due(self) -> None:
        """Sign what is on the disk: in "strict" that is all of it, in "group" what the last sync has put there."""
        if self._ledger is None or self._files.segment is None or self._sync_due is not None:
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

    def _gap(self) -> Entry:
        since = int((self._down_since or 0.0) * 1_000_000)
        return alone("gap", {"since": since, "refused": self._refused})

    def _broken(self, error: Exception | None) -> None:
        if error is not None:
            logger.error("the recorder is down until the disk takes a new file: %s", _text(error))
        if self._down_since is None:
            self._down_since = self._clock.now()
        self._sync_due = None
        if self._ledger is not None:
            self._ledger.discard()
        self._files.give_up()
        with suppress(OSError):
            self._files.clear_debris()


def _text(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
