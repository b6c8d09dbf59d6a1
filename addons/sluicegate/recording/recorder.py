"""The recorder: what keeps the recordings of one folder. One process has it; workers reach it through a relay."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from sluicegate.clock import Clock
from sluicegate.database import Database
from sluicegate.errors import Fault
from sluicegate.recording.index import Index
from sluicegate.recording.journal import Journal, Place, RecorderDown
from sluicegate.recording.keeping.due import Kept
from sluicegate.recording.keeping.keeper import Keeper
from sluicegate.recording.ledger.entry import Fields
from sluicegate.recording.ledger.keys import NEXT_KEY, Pseudonyms, origin_of, signing_key
from sluicegate.recording.ledger.log import Ledger
from sluicegate.recording.ledger.note import Signer
from sluicegate.recording.ledger.rotation import take_over
from sluicegate.recording.outbox import Outbox, recorded_lately
from sluicegate.recording.sealing.orphans import doubtful, settle
from sluicegate.recording.sealing.recipients import Recipients
from sluicegate.recording.segment import FileKind
from sluicegate.recording.witness.client import Heads
from sluicegate.settings import State
from sluicegate.settings.model import Recording

Forget = Callable[[Collection[str]], Awaitable[None]]
"""Has somebody let go of data keys, by name. Raises when that is not sure."""


class Records(Protocol):
    """Where records go: a recorder, or the relay to one."""

    forget: Forget
    """Called with the data keys that are about to be shredded."""

    async def open(self) -> None:
        """Raises Fault: nothing is let through then."""

    async def close(self) -> None:
        """Everything that waits is on the disk behind this."""

    def append(self, kind: FileKind | None, record: bytes, what: str, fields: Fields) -> asyncio.Future[Place]:
        """A future that is done once the record is durable, or has RecorderDown."""

    def outcome(self, record: bytes, fields: Fields, summary: Mapping[str, Any]) -> asyncio.Future[Place]:
        """The same for the flow of an exchange, whose summary becomes a row of the index behind it."""


class Recorder:
    """The journal with its ledger, the index, and what is done behind the requests."""

    def __init__(
        self, settings: Recording, state: State, database: Database, clock: Clock, *, acknowledge_loss: bool = False
    ) -> None:
        self.forget: Forget = nobody
        self._settings = settings
        self._state = state
        self._database = database
        self._clock = clock
        self._acknowledge_loss = acknowledge_loss
        self._log = ""
        self._index = Index(database)
        self._outbox: Outbox | None = None
        self._heads: Heads | None = None
        self._keeper: Keeper | None = None
        self._journal = Journal(
            state.recordings,
            clock,
            durability=settings.durability,
            sync_seconds=settings.sync_seconds,
            segment_bytes=settings.segment_bytes,
            segment_seconds=settings.segment_seconds,
            reserve_bytes=settings.reserve_bytes,
        )

    async def open(self) -> None:
        """Make the folder and the first files. Raises Fault when the disk does not take them."""
        try:
            await asyncio.to_thread(self._open)
        except OSError as error:
            raise Fault(
                f"The recordings in {self._journal.folder} cannot be written: {error.strerror or error}.",
                hint="Nothing is let through that cannot be recorded.",
            ) from None
        self._index.open()
        known = await asyncio.to_thread(recorded_lately, self._journal.folder)
        self._outbox = Outbox(self._database, self._enter, known)
        self._outbox.open()
        self._keeper = Keeper(
            self._journal.folder,
            Kept.of(self._settings),
            self._database,
            self._clock,
            log=self._log,
            enter=self._entered,
            who=Pseudonyms(self._state.keys).of,
            forget=self._forget,
        )
        self._keeper.open()
        if self._heads is not None:
            self._heads.open()

    async def close(self) -> None:
        """Put everything that waits on the disk."""
        if self._keeper is not None:
            await self._keeper.close()
            self._keeper = None
        if self._outbox is not None:
            await self._outbox.close()
            self._outbox = None
        await asyncio.to_thread(self._journal.close)
        if self._heads is not None:
            await self._heads.close()
            self._heads = None
        await self._index.close()

    def append(self, kind: FileKind | None, record: bytes, what: str, fields: Fields) -> asyncio.Future[Place]:
        """Enter a record into the journal."""
        return self._journal.append(kind, record, what, fields)

    def outcome(self, record: bytes, fields: Fields, summary: Mapping[str, Any]) -> asyncio.Future[Place]:
        """Enter the flow of an exchange; its row follows."""
        done = self._journal.append("flows", record, "outcome", fields)
        done.add_done_callback(partial(self._indexed, summary))
        return done

    def _indexed(self, summary: Mapping[str, Any], done: asyncio.Future[Place]) -> None:
        if not done.cancelled() and done.exception() is None:
            self._index.add(summary, done.result())

    def _open(self) -> None:
        key = signing_key(self._state.keys)
        signer = Signer(self._settings.log_name or origin_of(self._state.keys, key), key)
        self._log = signer.name
        escrow = Recipients(self._settings.recipients).wrap_text if self._settings.recipients else None
        coming = (self._state.keys / NEXT_KEY).exists()
        ledger = Ledger(
            self._journal.folder,
            signer,
            escrow=escrow,
            acknowledge_loss=self._acknowledge_loss,
            successor=Signer(signer.name, signing_key(self._state.keys, NEXT_KEY)) if coming else None,
            handed_over=partial(take_over, self._state.keys),
        )
        self._heads = self._outside()
        self._journal.keep_ledger(ledger)
        keys = doubtful(self._journal.folder)
        self._journal.open()
        settle(self._journal.folder, keys)

    def _outside(self) -> Heads | None:
        given = self._settings
        if bool(given.witness_url) != bool(given.witness_key):
            raise Fault("`witness_url` and `witness_key` under [recording] belong together.")
        if not given.witness_url and not given.heads_folder:
            return None
        beside = Path(given.heads_folder) if given.heads_folder else None
        return Heads(self._journal.folder, url=given.witness_url or "", key=given.witness_key or "", beside=beside)

    async def _enter(self, kind: str, record: bytes) -> None:
        """Have the record of an event on the disk, and an entry of it in the ledger. Raises RecorderDown."""
        await self._journal.append("events", record, kind)

    async def _entered(self, record: bytes | None, what: str, said: Mapping[str, Any]) -> None:
        """Have an entry in the ledger, with the record of an event or without. Raises RecorderDown."""
        await self._journal.append("events" if record is not None else None, record or b"", what, said)

    async def _forget(self, keys: Collection[str]) -> None:
        await self.forget(keys)


async def nobody(keys: Collection[str]) -> None:
    """Nobody has sealed anything yet."""


__all__ = ["Forget", "Place", "Recorder", "RecorderDown", "Records"]
