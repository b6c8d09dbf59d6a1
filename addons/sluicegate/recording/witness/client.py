"""The gateway's side: each new head goes to a place outside, behind the requests; what a witness signs is kept."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

import httpx2

from sluicegate.errors import Fault
from sluicegate.recording.ledger.checkpoint import Head
from sluicegate.recording.ledger.merkle import consistency
from sluicegate.recording.ledger.note import COSIGNATURE, NoteError, Verifier
from sluicegate.recording.ledger.store import CHECKPOINT, FOLDER, WITNESSED, Store
from sluicegate.recording.ledger.writer import put, sync_files
from sluicegate.recording.witness.core import Request

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
_TIMEOUT = 10.0


class Heads:
    """Takes each new head of the log below `folder` to a witness (`url`, `key`) and to a folder on another disk."""

    def __init__(self, folder: Path, *, url: str = "", key: str = "", beside: Path | None = None) -> None:
        """Raises Fault when the witness's key is none."""
        self._log = folder / FOLDER
        self._url = url.rstrip("/")
        self._beside = beside
        try:
            self._witness = Verifier.parse(key) if url else None
        except NoteError as error:
            raise Fault(f"`witness_key` under [recording] is no key of a witness: {error}.") from None
        if self._witness is not None and self._witness.kind != COSIGNATURE:
            raise Fault("`witness_key` under [recording] is not the key of a witness.")
        self._known = 0
        self._last = ""
        self._failing = False
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Start, on the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="recording heads")

    async def close(self) -> None:
        """Take the last head there, and stop."""
        if self._task is not None:
            self._stop.set()
            await self._task
            self._task = None

    def send(self) -> None:
        """Take the newest head there, if that is not done. Blocks. Raises OSError, ValueError, httpx2.HTTPError."""
        store = Store(self._log)
        head = store.head(CHECKPOINT)
        if head is None or str(head.note) == self._last:
            return
        if self._beside is not None:
            put(self._beside / CHECKPOINT, str(head.note).encode())
            sync_files(self._beside, [CHECKPOINT])
        if self._witness is not None:
            self._ask(store, head, self._witness)
        self._last = str(head.note)

    def _ask(self, store: Store, head: Head, witness: Verifier) -> None:
        size = head.checkpoint.size
        for _ in range(2):
            proof = tuple(consistency(self._known, size, store.subtree(size))) if self._known <= size else ()
            body = Request(min(self._known, size), proof, head).encode()
            answer = httpx2.post(f"{self._url}/add-checkpoint", content=body, timeout=_TIMEOUT)
            if answer.status_code != 409:
                break
            self._known = int(answer.text.strip())
            if self._known > size:
                raise ValueError(f"the witness has seen {self._known} entries, and there are {size} here")
        if answer.status_code != 200:
            raise ValueError(f"the witness said {answer.status_code}")
        both = Head.parse(f"{head.note}{answer.text}")
        if both.note.text != head.note.text or witness not in both.note.by([witness]):
            raise ValueError("the witness's signature is not there")
        self._known = size
        put(self._log / WITNESSED, str(both.note).encode())

    async def _run(self) -> None:
        while True:
            stopping = self._stop.is_set()
            try:
                await asyncio.to_thread(self.send)
                self._failing = False
            except Exception as error:  # the next head is tried again; the record is whole without it
                if not self._failing:
                    logger.error("the head of the ledger reaches nobody outside for now: %s", error)
                self._failing = True
            if stopping:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), LOOK_SECONDS)
