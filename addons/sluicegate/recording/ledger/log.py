"""The ledger of one recorder: turns what was recorded into entries, and keeps the tree and its signed head in step.

A batch is staged, written (with the recordings, in one durable write) and then committed or discarded. Tiles and
checkpoint follow behind. Used by the recorder's thread alone, but for `open` and `close`.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from sluicegate.errors import Fault
from sluicegate.recording.ledger import entry, rotation, tail
from sluicegate.recording.ledger.checkpoint import Checkpoint
from sluicegate.recording.ledger.keys import public_files
from sluicegate.recording.ledger.merkle import leaf_hash
from sluicegate.recording.ledger.note import NoteError, Signer
from sluicegate.recording.ledger.ratchet import Ratchet
from sluicegate.recording.ledger.recovery import Left, copy_aside, cut_off, recover
from sluicegate.recording.ledger.store import FOLDER, Store
from sluicegate.recording.ledger.tail import Batch
from sluicegate.recording.ledger.tiles import TileError
from sluicegate.recording.ledger.writer import Writer, put, sync_files

MOST_UNSIGNED = 256
"""Entries after which a checkpoint is due before its second is over, though never more than ten a second."""
PUBLISH_SECONDS = 1.0
_QUICKEST = 0.1
_MACS_AN_ENTRY = 256


def _nothing() -> None:
    pass


class Item(NamedTuple):
    """Something to be entered: what happened, what is said of it, and the bytes of a recording that it is about."""

    kind: str
    fields: entry.Fields
    file: str = ""
    offset: int = 0
    record: bytes | None = None


class Ledger:
    """The log below `folder` (of recordings). `signer` signs its heads; `escrow` seals the first key of the tail."""

    def __init__(
        self,
        folder: Path,
        signer: Signer,
        *,
        escrow: Callable[[bytes], str] | None = None,
        acknowledge_loss: bool = False,
        successor: Signer | None = None,
        handed_over: Callable[[], None] = _nothing,
    ) -> None:
        """`successor` signs beside `signer` from now on, and alone from the next run on; `handed_over` is called once
        the log says so, durably and signed by both, and may raise OSError."""
        self.run = uuid.uuid4().hex
        self.folder = folder
        self._log = folder / FOLDER
        self._signer = signer
        self._signers = [signer, *([successor] if successor is not None else [])]
        self._handed_over = handed_over
        self._escrow = escrow
        self._acknowledge_loss = acknowledge_loss
        self._writer = Writer(self._log, signer.name)
        self._ratchet: Ratchet | None = None
        self._epoch = 0
        self._staged: tuple[list[bytes], list[bytes]] = ([], [])
        self._lock: int | None = None
        self._published = 0.0
        self._background = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._left = Left()
        self.head = ""
        """The newest signed checkpoint, a note."""

    @property
    def size(self) -> int:
        """How many entries the log has, those under no checkpoint yet included."""
        return self._writer.size

    def open(self) -> list[Item]:
        """Take the log into use; what is to be entered first. Blocks. Raises Fault, OSError."""
        self._log.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._take()
        try:
            return self._begin()
        except TileError as error:
            self.close()
            raise Fault(f"The ledger in {self._log} cannot be read: {error}.", hint=_CHECK) from None
        except BaseException:
            self.close()
            raise

    def opened(self) -> None:
        """What `open` returned is durable: what the last recorder left behind can be tidied up. Raises OSError."""
        left, self._left = self._left, Left()
        self.publish(0.0)
        if len(self._signers) > 1:
            self._handed_over()
        cut_off(self.folder, left)
        self.settle(left.tails, wait=True)

    def stage(self, now: float, items: Sequence[Item]) -> bytes:
        """The lines for the tail that hold the entries of these items. `commit` or `discard` has to follow."""
        size = self._writer.size
        made = []
        for seq, item in enumerate(items, size):
            fields = item.fields
            if item.record is not None:
                fields = {**fields, **entry.about(item.file, item.offset, item.record)}
            made.append(entry.encode(seq, item.kind, now, fields))
        leaves = [leaf_hash(data) for data in made]
        digest = tail.digest_of(leaves)
        size += len(made)
        # Used up even where the batch is discarded: no number is given, and no key used, twice.
        epoch, code = self._epoch, b""
        self._epoch += 1
        if self._ratchet is not None:
            code = self._ratchet.tag(size, digest)
        self._staged = made, leaves
        return tail.encode(self.run, size, made, digest, epoch, code)

    def commit(self) -> None:
        """What was staged is durable now."""
        self._writer.append(*self._staged)
        self._staged = [], []

    def discard(self) -> None:
        """What was staged could not be written."""
        self._staged = [], []

    def due(self, now: float) -> float | None:
        """When (in the same seconds as `now`, which only grow) a checkpoint is due; None while all is signed."""
        waiting = self._writer.size - self._writer.published
        if not waiting:
            return None
        return self._published + (_QUICKEST if waiting >= MOST_UNSIGNED else PUBLISH_SECONDS)

    def publish(self, now: float) -> None:
        """Sign what is committed, if that is not done yet. Everything in it must be durable. Raises OSError."""
        if self._writer.size != self._writer.published:
            self.head = self._writer.publish(self._signers)
        self._published = now

    def settle(self, tails: Sequence[str], *, wait: bool = False) -> None:
        """Put tiles on the disk, behind the recorder, and then take away tails whose entries are all in them."""
        names = self._writer.unsynced()

        def work() -> None:
            with suppress(OSError):  # then the tails stay, and the next start reads them
                sync_files(self._log, names)
                for name in tails:
                    (self.folder / name).unlink(missing_ok=True)

        done = self._background.submit(work)
        if wait:
            done.result()

    def close(self) -> None:
        """Let go of the log. May be called twice."""
        self._background.shutdown(wait=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take(self) -> None:
        lock = os.open(self._log / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise Fault(
                f"Another gateway is writing the ledger in {self._log}.",
                hint="One gateway a state folder: stop the other, or name another folder with --state.",
            ) from None
        self._lock = lock

    def _begin(self) -> list[Item]:
        signed = self._signed()
        left = recover(self.folder, self._writer, signed)
        if left.losses and not self._acknowledge_loss:
            raise Fault(
                f"The ledger in {self._log} has lost something: {'; '.join(left.losses)}.",
                hint="Find out what happened to the folder. To go on without it, and have that recorded, start with "
                "--acknowledge-loss.",
            )
        copy_aside(self.folder, left)
        for signer in self._signers:
            for name, data in public_files(signer).items():
                if not (self._log / name).exists():
                    put(self._log / name, data)
        self._left = left
        items = [Item("cut", cut) for cut in left.cut if cut["file"] not in left.entered]
        items += _codes(left.unsigned)
        if left.losses:
            was: dict[str, Any] = {"signed": signed.size, "root": signed.root.hex()} if signed else {}
            items.append(Item("loss", {"lost": left.losses, "from": self._writer.size, **was}))
        items += [Item(rotation.TYPE, rotation.said(self._signer, new)) for new in self._signers[1:]]
        items.append(Item("gateway.start", {"run": self.run, "size": self._writer.size, **self._sealed()}))
        return items

    def _signed(self) -> Checkpoint | None:
        """The head in the folder, which must be ours. Raises Fault."""
        try:
            head = Store(self._log).head()
            if head is None:
                return None
            if not head.note.by([self._signer.verifier]) or head.checkpoint.origin != self._signer.name:
                raise NoteError("another key has signed it")
        except NoteError as error:
            raise Fault(f"The head of the ledger in {self._log} is not this gateway's: {error}.", hint=_CHECK) from None
        return head.checkpoint

    def _sealed(self) -> dict[str, Any]:
        if self._escrow is None:
            return {}
        self._ratchet, first = Ratchet.fresh()
        return {"ratchet": self._escrow(first)}


_CHECK = "Look at it with: sluicegate-replay verify. Nothing is let through that cannot be recorded."


def _codes(batches: Sequence[Batch]) -> list[Item]:
    """The codes of entries that no head had signed when the recorder ended: the tail itself goes, and they stay."""
    coded = [[b.run, b.epoch, b.begin, b.size, b.tag] for b in batches if b.tag]
    parts = [coded[at : at + _MACS_AN_ENTRY] for at in range(0, len(coded), _MACS_AN_ENTRY)]
    return [Item("recovered", {"batches": part}) for part in parts]


def is_written(folder: Path) -> bool:
    """Whether a gateway has the ledger of a folder of recordings in use. Raises OSError."""
    try:
        lock = os.open(folder / FOLDER / ".lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
