"""The files that records go into: the segment of now, what is ahead of it, and what a broken one leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sluicegate.recording.ahead import Ahead, Written
from sluicegate.recording.segment import FILE_KINDS, TAIL, FileKind, Segment


class Files:
    """The open files of one recorder. Every method blocks, and may raise OSError unless it says otherwise."""

    def __init__(
        self, folder: Path, *, strict: bool, segment_bytes: int, segment_seconds: float, ledger: bool = False
    ) -> None:
        self.folder = folder
        self.strict = strict
        self.ledger = ledger
        """Whether segments have a tail, which holds what is not in the ledger's tiles yet."""
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self.segment: Segment | None = None
        self.ahead: Ahead | None = None
        self.tails: list[str] = []
        """Tails of segments that are closed or given up, until the ledger's tiles are on the disk."""
        self._debris: list[Callable[[], None]] = []

    def has_room(self, now: float) -> bool:
        """Whether there is an open segment that is neither full nor too old. Raises nothing."""
        segment = self.segment
        if segment is None or segment.size >= self._segment_bytes:
            return False
        # A clock that was set back ends the segment too, or it would stay open until the clock has caught up.
        return 0 <= now - segment.opened < self._segment_seconds

    def begin(self, now: float) -> Segment:
        """A new segment, once nothing is left of what was not acknowledged."""
        self.clear_debris()
        if self.strict and self.ahead is None:
            self.ahead = Ahead.create(self.folder)
        kinds = (*FILE_KINDS, TAIL) if self.ledger else FILE_KINDS
        self.segment = Segment.create(self.folder, now, kinds)
        return self.segment

    def write(self, segment: Segment, kind: FileKind, records: list[bytes]) -> list[Written]:
        """Append records to a file of the segment, and say where each of them is."""
        name, offsets = segment.write(kind, records)
        return [Written(name, at, record) for record, at in zip(records, offsets, strict=True)]

    def make_durable(self, segment: Segment, written: list[Written]) -> None:
        """Have it on the disk: with one small write ahead where there is room for it, or else by syncing the files."""
        if self.ahead is None or not self.ahead.append(written):
            segment.sync()  # every other segment was synced when it was closed
            if self.ahead is not None:
                self.ahead.reset()

    def close_segment(self) -> None:
        """Sync and close the segment."""
        if self.segment is not None:
            self.tails += self.segment.names(TAIL)
            self.segment.close()
        self.segment = None

    def reset_ahead(self, *, last: bool) -> None:
        """Forget what is ahead of a closed segment, which needs it no more; the last time it goes altogether."""
        if self.ahead is None:
            return
        self.ahead.reset()
        if last:
            self.ahead.close(remove=True)
            self.ahead = None

    def give_up(self) -> None:
        """Use none of the open files again. What was not acknowledged is cut off when `clear_debris` can do it.

        Raises nothing.
        """
        segment, self.segment = self.segment, None
        # What was acknowledged may be ahead alone: the next start puts it back.
        if self.ahead is not None:
            self._debris.append(self.ahead.give_up)
        self.ahead = None
        if segment is not None:
            self.tails += segment.names(TAIL)
            self._debris.append(segment.abandon)

    def clear_debris(self) -> None:
        """Cut off what was not acknowledged. Nothing new is taken before that is done, or a batch that failed could
        come back, at the next start, in the place of one that was acknowledged."""
        while self._debris:
            self._debris[0]()
            del self._debris[0]
